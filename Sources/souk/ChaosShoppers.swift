import ArgumentParser
import Drills
import Kernel
import Synchronization

/// Who shops while something is broken.
struct ChaosShoppers: ParsableArguments {
    @Option(help: "So many shoppers come a second, from before the fault until after it; the verdict counts them, too.")
    var shoppers: Double?
    @Option(help: "Their journeys, as souk load takes them.") var journey = "browse=60,product=30,checkout=10"
    @Option(help: "How long they think before a step, on average.") var think = "500ms"
    @Option(help: "How long they come before anything is broken, after the steady state was seen.") var before = "10s"
    @Option(help: "How long they come after the last rollback.") var after = "15s"
    @Option(help: "How often they try a step before they give up.") var attempts = 5
    @Option(help: "A file for every order that they were told of; what was in it is overwritten.")
    var acknowledged: String?

    /// Longer than any drill that somebody waits for.
    private static let longest = Duration.seconds(6 * 3_600)
    private static let mostConnections = 2_000

    func check() throws {
        if let shoppers, !(1...100_000).contains(shoppers) {
            throw DrillError("--shoppers is \(shoppers), expected 1 to 100000 a second")
        }
        if shoppers == nil, acknowledged != nil {
            throw DrillError("--acknowledged is about shoppers: give --shoppers, too")
        }
        guard (1...100).contains(attempts) else { throw DrillError("--attempts is \(attempts), expected 1 to 100") }
        _ = try (times(), mix())
    }

    func times() throws -> (before: Duration, after: Duration) {
        func time(_ text: String, _ name: String) throws -> Duration {
            let time = try Duration(span: text, of: name)
            guard (.seconds(5) ... .seconds(600)).contains(time) else {
                throw DrillError("\(name) is \(text), expected 5s to 10m")
            }
            return time
        }
        return (try time(before, "--before"), try time(after, "--after"))
    }

    private func mix() throws -> JourneyMix {
        var mix = try JourneyMix(journey)
        mix.usualThink = try Duration(span: think, of: "--think")
        mix.think = [:]
        return mix
    }

    /// Nil without `--shoppers`. Each shopper has an address of its own, as many people have.
    ///
    /// - Throws: `DrillError` if the shop may not be hurt or sells nothing.
    func plan(_ shop: String, allowed: [String]) async throws -> LoadPlan? {
        guard let shoppers else { return nil }
        let target = try Target(shop)
        try target.check(allowed: allowed)
        var mix = try mix()
        var plan = LoadPlan(
            target: target, arrivals: .open(try Schedule(rate: shoppers, for: Self.longest)), errand: .page)
        try mix.use(try await plan.catalogue(), of: target)
        plan.errand = .journeys(mix)
        plan.clients = .many
        plan.connections = Self.mostConnections
        plan.attempts = attempts
        return plan
    }
}

/// Orders that shoppers were told of: counted, and in a file for the audit.
final class Told: Sendable {
    let path: String
    private let log: AcknowledgedLog
    private let orders = Mutex(0)

    init(_ path: String) throws {
        // Of this run alone: the shop of an earlier one may be gone.
        try OutputFile(path).write("")
        self.path = path
        log = try AcknowledgedLog(path)
    }

    var count: Int { orders.withLock { $0 } }

    func note(_ order: AcknowledgedOrder) throws {
        try log.append(order)
        orders.withLock { $0 += 1 }
    }
}
