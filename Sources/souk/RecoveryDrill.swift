import Contracts
import Drills
import Kernel
import Synchronization
import Wire

/// A shop that is filled, copied, bought from, destroyed, restored and asked what it still knows.
struct RecoveryDrill: Sendable {
    let place: RecoveryPlace
    /// Nil for a shop on SQLite.
    let server: RecoveryServer?
    let orders: Int
    /// Shoppers a second.
    let rate: Double
    let length: Duration

    private static let products = 100
    private static let fillingConnections = 32
    private let clock = SystemClock()
    private var copies: String { "file:\(place.folder)/copies" }

    /// A shop that runs.
    private struct Running {
        let shop: Child
        let database: Child?
        let target: Target
        /// `--data`, and the settings that go with it.
        let arguments: [String]
        let settings: [String: String]
    }

    func run() async throws -> RecoveryResult {
        let first = try await open("first")
        say("\(orders) orders are placed")
        let told = Told(clock)
        if orders > 0 { try await fill(first, told) }
        let follower = try place.startSouk(
            "follow", ["backup", "follow", "--to", copies, "--json"] + first.arguments, first.settings)
        say("the shop is copied for the first time")
        try await place.wait(for: "the first copy", of: follower) {
            try follow(follower).contains { $0.event == "cut" }
        }
        say("shoppers buy, \(Int(rate)) a second")
        var seen = RecoveryResult.Observed()
        seen.shoppersCameAt = clock.now()
        try await shop(first, told) {
            try await Task.sleep(for: length)
            // At once: whoever dies last must not save what the others lost.
            for child in [first.shop, follower] + [first.database].compactMap({ $0 }) { child.kill() }
            seen.destroyedAt = clock.now()
        }
        seen.acknowledged = told.all
        seen.copiedUntil = try follow(follower).compactMap(\.until).last ?? Timestamp(seconds: 0)
        for child in [first.shop, follower] + [first.database].compactMap({ $0 }) { _ = await child.ended() }
        try await place.remove("\(place.folder)/first")
        say("everything is destroyed, and restored elsewhere")
        return try await recover(told, seen)
    }

    private func recover(_ told: Told, _ before: RecoveryResult.Observed) async throws -> RecoveryResult {
        var seen = before
        let second = try await restore(&seen)
        let first = Told(clock)
        try await shopUntilFirst(second, first)
        guard let order = first.all.first else { throw Failure("the restored shop takes no order") }
        seen.phases.append(("first order", order.at))
        say("the shop sells again; what it was told of is looked for")
        try await look(second, &seen)
        return RecoveryResult(engine: server == nil ? "sqlite" : "postgres", seen)
    }

    // MARK: - Shops

    /// A new one, with something to sell.
    private func open(_ name: String) async throws -> Running {
        var database: (child: Child, url: String)?
        if let server {
            try await server.make(name)
            let started = try await server.start(name)
            try await server.makeDatabase(started.url)
            database = started
        }
        let (arguments, settings) = self.settings(name, database?.url)
        if database != nil { _ = try await place.souk("migrate-\(name)", ["migrate"] + arguments, settings) }
        let catalogue = "\(place.folder)/catalogue.csv"
        try Files.write(Array(Self.catalogue.utf8), to: catalogue, by: catalogue + ".new", isSynced: false)
        _ = try await place.souk("import-\(name)", ["import", catalogue] + arguments, settings)
        return try await serve(name, database?.child, arguments, settings)
    }

    private func settings(_ name: String, _ url: String?) -> ([String], [String: String]) {
        let data = "\(place.folder)/\(name)/shop"
        guard let url else { return (["--data", data], [:]) }
        return (["--data", data], ["SOUK_DATABASE": url + "souk", "SOUK_SIGNING_KEYS": "\(place.folder)/keys"])
    }

    private func serve(
        _ name: String, _ database: Child?, _ arguments: [String], _ settings: [String: String]
    ) async throws -> Running {
        let url = "http://127.0.0.1:\(try RecoveryPlace.freePort())"
        let port = String(url.split(separator: ":")[2])
        let shop = try place.startSouk("serve-\(name)", ["serve", "--port", port] + arguments, settings)
        let http = OutboundHTTP(connections: 1)
        do {
            try await place.wait(for: "it is ready", of: shop) {
                let answer = try? await http.send(
                    OutboundRequest(.get, url + "/ready", timeout: .seconds(5), largestAnswer: 1 << 16))
                return answer?.status == 200
            }
        } catch {
            try await http.shutdown()
            throw error
        }
        try await http.shutdown()
        return Running(
            shop: shop, database: database, target: try Target(url), arguments: arguments, settings: settings)
    }

    /// The shop as the copy has it, in another place; a phase for each part of the work.
    private func restore(_ seen: inout RecoveryResult.Observed) async throws -> Running {
        let name = "second"
        var database: Child?
        var audit: String
        var (arguments, settings) = self.settings(name, nil)
        let from = ["restore", "--from", copies, "--until", "latest"]
        if let server {
            try await server.own(name)
            _ = try await place.souk("restore", from + ["--into", server.data(name)] + arguments)
            try await server.own(name)
            seen.phases.append(("restore", clock.now()))
            let started = try await server.start(name)
            database = started.child
            seen.phases.append(("start the server", clock.now()))
            (arguments, settings) = self.settings(name, started.url)
        } else {
            _ = try await place.souk("restore", from + ["--no-audit"] + arguments)
            seen.phases.append(("restore", clock.now()))
        }
        audit = try await place.souk("audit", ["audit", "--json"] + arguments, settings, codes: [0, 1])
        seen.audit = try Self.checks(audit)
        seen.orders = seen.audit.filter { $0.name.hasPrefix("orders.") }.map(\.checked).max() ?? 0
        seen.phases.append(("audit", clock.now()))
        let running = try await serve(name, database, arguments, settings)
        seen.phases.append(("open the shop", clock.now()))
        return running
    }

    // MARK: - Shoppers

    /// What shoppers were told, in the order of the answers.
    private final class Told: Sendable {
        private let orders = Mutex<[RecoveryResult.Acknowledged]>([])
        private let clock: any WallClock

        init(_ clock: any WallClock) { self.clock = clock }

        var all: [RecoveryResult.Acknowledged] { orders.withLock { $0 } }

        func add(_ order: OrderID) {
            orders.withLock { $0.append(RecoveryResult.Acknowledged(order: order, at: clock.now())) }
        }
    }

    private func plan(_ running: Running, _ arrivals: LoadPlan.Arrivals, _ told: Told) async throws -> LoadPlan {
        var mix = try JourneyMix("checkout=1")
        mix.usualThink = .zero
        var plan = LoadPlan(target: running.target, arrivals: arrivals, errand: .page)
        try mix.use(try await plan.catalogue(), of: running.target)
        plan.errand = .journeys(mix)
        plan.connections = Self.fillingConnections
        plan.acknowledge = { order, _, _ in told.add(order) }
        return plan
    }

    private func fill(_ running: Running, _ told: Told) async throws {
        var plan = try await plan(running, .closed(visits: orders), told)
        plan.attempts = 5
        let progress = Progress("orders", total: orders)
        let done = Atomic<Int>(0)
        let result = try await LoadRun(plan).run { now in
            let finished = now.total.visits.finished
            progress.advance(by: finished - done.exchange(finished, ordering: .relaxed))
        }
        progress.finish()
        guard result.visits.finished == orders else {
            throw Failure("only \(result.visits.finished) of \(orders) orders were taken: \(result.summary)")
        }
    }

    /// Shoppers come until the work is over; what fails then, fails because the shop is gone.
    private func shop(_ running: Running, _ told: Told, until work: () async throws -> Void) async throws {
        var plan = try await plan(running, .open(try Schedule(rate: rate, for: .seconds(7_200))), told)
        plan.attempts = 1
        let load = LoadRun(plan)
        async let result = load.run()
        let outcome: Result<Void, any Error>
        do { outcome = .success(try await work()) } catch { outcome = .failure(error) }
        load.stop()
        _ = try await result
        try outcome.get()
    }

    private func shopUntilFirst(_ running: Running, _ told: Told) async throws {
        var plan = try await plan(running, .closed(visits: 1), told)
        plan.attempts = 20
        _ = try await LoadRun(plan).run()
    }

    // MARK: - What is left

    /// Whether the restored shop has every order that somebody was told of.
    private func look(_ running: Running, _ seen: inout RecoveryResult.Observed) async throws {
        let all = try await told(seen.acknowledged, running, "look")
        seen.lost = all.violationCount
        // They are named in the order in which they were acknowledged.
        seen.firstLost = all.violations.first.flatMap { OrderID(String($0.prefix { $0 != ":" })) }
        guard (seen.firstLost == nil) == (seen.lost == 0) else {
            throw Failure("the audit names no order, but \(all.violations)")
        }
        let copied = seen.acknowledged.filter { $0.at <= seen.copiedUntil }
        seen.lostFromCopy = try await told(copied, running, "look-copied").violationCount
    }

    private func told(
        _ orders: [RecoveryResult.Acknowledged], _ running: Running, _ name: String
    ) async throws -> AuditCheck {
        let file = "\(place.folder)/\(name).jsonl"
        let lines = orders.map { #"{"order": "\#($0.order)"}"# + "\n" }.joined()
        try Files.write(Array(lines.utf8), to: file, by: file + ".new", isSynced: false)
        let said = try await place.souk(
            name, ["audit", "--json", "--acknowledged", file] + running.arguments, running.settings, codes: [0, 1])
        guard let check = try Self.checks(said).first(where: { $0.name == "orders.acknowledged" }) else {
            throw Failure("the audit says nothing of acknowledged orders")
        }
        return check
    }

    private static func checks(_ text: String) throws -> [AuditCheck] {
        do {
            return try JSON.decode([AuditCheck].self, from: Array(text.utf8))
        } catch {
            throw Failure("the audit's answer is none: \(error)")
        }
    }

    /// A line of `souk backup follow --json`.
    private struct Event: Decodable {
        var event: String
        var until: Timestamp?
    }

    /// What it has told so far; the last line may be half of one.
    private func follow(_ child: Child) throws -> [Event] {
        let text = try place.text(child.output)
        let whole = text.lastIndex(of: "\n").map { text[..<$0] } ?? ""
        return try whole.split(separator: "\n").map { try JSON.decode(Event.self, from: Array($0.utf8)) }
    }

    private func say(_ text: String) { Console.complain(text) }

    private static let catalogue: String = {
        var lines = [
            "Handle,Title,Body (HTML),Vendor,Type,Published,Option1 Name,Option1 Value,Variant SKU,"
                + "Variant Inventory Tracker,Variant Inventory Qty,Variant Price,Status"
        ]
        for number in 0..<products {
            lines.append(
                "drill-\(number),Drill piece \(number),<p>For drills</p>,Souk,Drills,true,Title,Default Title,"
                    + "DRILL-\(number),souk,100000000,\(5 + number).50,active")
        }
        return lines.joined(separator: "\n") + "\n"
    }()
}
