import Contracts
import FoundationEssentials
import Kernel
import Objects
import Wire

/// What this process knows of itself and, when they are asked, of the others.
struct Survey: TopologyService {
    /// For what another process says of itself; it looks at its own parts in less.
    static let patience = Duration.seconds(2)
    static let partPatience = Duration.seconds(1)
    private static let longestError = 300
    /// Of an object that is never there: to be told so is an answer.
    private static let noObject = "souk/no-such-object"

    let settings: Settings
    let databases: Databases
    let backEnds: BackEnds
    let objects: any ObjectStore
    let peers: Peers
    let clock: any WallClock
    private let startedAt: Timestamp

    init(
        _ settings: Settings, _ databases: Databases, _ backEnds: BackEnds, _ objects: any ObjectStore, _ peers: Peers,
        clock: any WallClock
    ) {
        self.settings = settings
        self.databases = databases
        self.backEnds = backEnds
        self.objects = objects
        self.peers = peers
        self.clock = clock
        startedAt = clock.now()
    }

    var routes: [Route] {
        [
            Route(TopologyAPI.topology, topology),
            Route(TopologyAPI.process) { _, context in await process(context) },
            Route(TopologyAPI.ping) { _, _ in Nothing() },
        ]
    }

    func topology(_ query: Nothing, _ context: CallContext) async throws -> Topology {
        async let own = process(context)
        // Roles that share an address are one process.
        let others = Dictionary(grouping: peers.all, by: \.url).values.sorted { $0[0].role.order < $1[0].role.order }
        let entries = await concurrently(others) { peers in await ask(peers, context) }
        let first = await own
        var seen: Set = [first.name]
        let new = entries.filter { $0.process.map { seen.insert($0.name).inserted } ?? true }
        return Topology(
            processes: [.init(roles: first.roles, url: nil, answers: true, error: nil, process: first)] + new)
    }

    /// - Parameter peers: roles at one address.
    private func ask(_ peers: [Peers.Peer], _ context: CallContext) async -> Topology.Entry {
        let (roles, url) = (peers.map(\.role.rawValue), peers[0].url)
        do {
            let process = try await peers[0].caller.call(TopologyAPI.process, Nothing(), own(context, Self.patience))
                .value
            return .init(roles: process.roles, url: url, answers: true, error: nil, process: process)
        } catch {
            return .init(
                roles: roles, url: url, answers: Self.isAnswer(error), error: Self.text(error), process: nil)
        }
    }

    /// This process alone.
    private func process(_ context: CallContext) async -> ShopProcess {
        async let reached = concurrently(peers.called) { peer in await ping(peer, context) }
        let behind = await concurrently(parts) { part in await part.report(clock) }
        return ShopProcess(
            name: "\(ProcessInfo.processInfo.hostName):\(settings.port)",
            roles: ShopRole.allCases.filter(settings.place.roles.contains).map(\.rawValue), version: Souk.version,
            started_at: startedAt, back_ends: behind, peers: await reached)
    }

    private func ping(_ peer: Peers.Peer, _ context: CallContext) async -> ShopProcess.Peer {
        var failure: (any Error)?
        do {
            _ = try await peer.caller.call(TopologyAPI.ping, Nothing(), own(context, Self.partPatience))
        } catch { failure = error }
        return .init(
            role: peer.role.rawValue, url: peer.url, answers: failure.map(Self.isAnswer) ?? true,
            breaker: peer.caller.isBreakerClosed ? .closed : .open, error: failure.map(Self.text))
    }

    private func own(_ context: CallContext, _ patience: Duration) -> CallContext {
        var context = context.acting(as: settings.place.name)
        context.deadline = min(context.deadline, .now + patience)
        return context
    }

    // MARK: - What stands behind the settings

    /// One setting, and how to ask what stands behind it; nil where asking would have an effect, or cost something.
    private struct Part: Sendable {
        let setting: String
        let address: String
        let check: (@Sendable () async throws -> Void)?

        func report(_ clock: any WallClock) async -> ShopProcess.BackEnd {
            var failure: (any Error)?
            if let check {
                do { try await within(Survey.partPatience, clock, check) } catch { failure = error }
            }
            return .init(
                setting: setting, kind: String(address.prefix { $0 != ":" }), address: address,
                answers: check == nil ? nil : failure == nil, error: failure.map(Survey.text))
        }
    }

    private var parts: [Part] {
        let roles = settings.place.roles
        var parts: [Part] = []
        func part(_ setting: String, _ check: (@Sendable () async throws -> Void)?) {
            guard let address = settings.shown(setting) else { return }
            parts.append(Part(setting: setting, address: address, check: check))
        }
        let own = databases.all.filter { $0.store != .sandbox }
        if !own.isEmpty {
            part("SOUK_DATABASE") { for entry in own { try await entry.database.check() } }
            part("SOUK_DATABASE_REPLICA", nil)
        }
        part("SOUK_CACHE") { [backEnds] in try await backEnds.checkCache() }
        if roles.contains(where: \.hasEvents) { part("SOUK_EVENTS") { [backEnds] in try await backEnds.checkEvents() } }
        if !roles.isDisjoint(with: [.storefront, .products]) {
            part("SOUK_OBJECTS") { [objects] in _ = try await objects.get(Self.noObject) }
        }
        if roles.contains(.notifications) { part("SOUK_MAIL", nil) }
        if roles.contains(.payments) {
            guard databases.has(.sandbox) else {
                part("SOUK_PAYMENTS", nil)
                return parts
            }
            let sandbox = databases[.sandbox]
            part("SOUK_PAYMENTS") { try await sandbox.check() }
        }
        return parts
    }

    // MARK: - What went wrong

    /// Whether somebody was there and refused.
    private static func isAnswer(_ error: any Error) -> Bool {
        (error as? Problem).map { $0.type.status < 500 } ?? false
    }

    private static func text(_ error: any Error) -> String {
        let text =
            switch error {
            // Which call it was is plain here.
            case let problem as Problem: String(problem.detail.split(separator: ": ", maxSplits: 1).last ?? "")
            case is TooSlow, is CancellationError: "did not answer within \(partPatience.components.seconds) s"
            default: "\(error)"
            }
        return String(text.unicodeScalars.prefix(longestError).map { $0.value < 0x20 ? " " : Character($0) })
    }
}

private struct TooSlow: Error {}

/// Runs the work, and gives it up after a while.
private func within(
    _ limit: Duration, _ clock: any WallClock, _ work: @escaping @Sendable () async throws -> Void
) async throws {
    try await withThrowingTaskGroup(of: Void.self) { group in
        group.addTask(operation: work)
        group.addTask {
            try await clock.sleep(for: limit)
            throw TooSlow()
        }
        defer { group.cancelAll() }
        try await group.next()
    }
}

/// The answers in the order of the questions.
private func concurrently<Question: Sendable, Answer: Sendable>(
    _ questions: [Question], _ answer: @escaping @Sendable (Question) async -> Answer
) async -> [Answer] {
    await withTaskGroup(of: (Int, Answer).self) { group in
        for (index, question) in questions.enumerated() { group.addTask { (index, await answer(question)) } }
        var answers: [Int: Answer] = [:]
        for await (index, answer) in group { answers[index] = answer }
        return questions.indices.compactMap { answers[$0] }
    }
}
