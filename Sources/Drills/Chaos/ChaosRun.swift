public import Kernel

/// Runs an experiment: does what a `ChaosRunner` says, and keeps the journal.
public actor ChaosRun {
    /// Does an activity whose names are resolved: what came of it.
    ///
    /// It throws `DrillError` if it could not be done. When its task is cancelled it ends soon.
    public typealias Perform = @Sendable (Provider) async throws -> JSON

    private let experiment: Experiment
    private let variables: Variables
    private let perform: Perform
    private let clock: any WallClock
    private let ledger: Ledger?
    private let say: @Sendable (String) -> Void
    private let prelude: @Sendable () async -> Void
    private var runner: ChaosRunner
    public private(set) var journal: ChaosJournal

    /// - Parameters:
    ///   - ledger: where it is written down what was begun; nil for nowhere.
    ///   - say: is told what is done, a line each.
    ///   - prelude: between the steady state and the method; cancelled when somebody wants the end.
    /// - Throws: `DrillError` if a variable of the environment is missing or wrong.
    public init(
        _ experiment: Experiment, file: String, rollback: ChaosRunner.Rollback = .always, ledger: Ledger?,
        clock: any WallClock = SystemClock(), environment: (String) -> String?, perform: @escaping Perform,
        say: @escaping @Sendable (String) -> Void = { _ in }, prelude: @escaping @Sendable () async -> Void = {}
    ) throws {
        self.experiment = experiment
        self.ledger = ledger
        self.clock = clock
        self.perform = perform
        self.say = say
        self.prelude = prelude
        variables = try Variables(experiment, environment: environment, file: file)
        runner = ChaosRunner(experiment, rollback: rollback)
        journal = ChaosJournal(experiment: experiment.document, start: clock.now())
    }

    /// Everything that an activity may reach, resolved: what is not allowed is refused before anything is done.
    public nonisolated var providers: [(name: String, provider: Provider)] {
        ((experiment.hypothesis?.probes ?? []) + experiment.method + experiment.rollbacks).map {
            ($0.name, $0.provider.resolved(by: variables))
        } + (audit.map { [("audit", $0)] } ?? [])
    }

    /// What proves that nothing was lost, resolved.
    public nonisolated var audit: Provider? { experiment.expectations.audit?.resolved(by: variables) }

    /// A value of the configuration, if it is a text.
    public nonisolated func text(_ name: String) -> String? { variables.configuration[name]?.stringValue }

    /// To the end, rollbacks included.
    ///
    /// - Parameter interruption: returns when somebody wants the end; cancelled when there is nothing more to wait for.
    public func run(until interruption: @escaping @Sendable () async -> Void) async throws -> ChaosRunner.Outcome {
        journal.start = clock.now()
        try await withThrowingTaskGroup(of: Void.self) { tasks in
            tasks.addTask { try await self.forward() }
            tasks.addTask { await interruption() }
            _ = try await tasks.next()
            tasks.cancelAll()
            try await tasks.waitForAll()
        }
        return try await backward()
    }

    /// Only the rollbacks, of a drill that died.
    public func undo() async throws -> ChaosRunner.Outcome {
        runner = .undoing(experiment)
        return try await backward()
    }

    /// Up to the rollbacks.
    private func forward() async throws {
        try await withThrowingTaskGroup(of: ChaosJournal.Run.self) { background in
            loop: while !Task.isCancelled {
                switch runner.next() {
                case .perform(.rollbacks, _), .strikeOut, .end: break loop
                case .writeDown:
                    await prelude()
                    if Task.isCancelled { break loop }
                    try await ledger?.write(experiment, variables.configuration)
                    runner.done()
                case .join:
                    for try await run in background { journal.run.append(run) }
                    // What was ended by an interruption has not come to its end.
                    if !Task.isCancelled { runner.done() }
                case .perform(let part, let number):
                    let activity = runner.activities(of: part)[number]
                    if part == .method, activity.isBackground {
                        background.addTask { await self.execute(activity) }
                        runner.finished(succeeded: true)
                    } else {
                        await go(part, activity)
                    }
                }
            }
            background.cancelAll()
            for try await run in background { journal.run.append(run) }
        }
    }

    private func go(_ part: ChaosRunner.Part, _ activity: Activity) async {
        let run = await execute(activity)
        // An activity that was cut off says nothing about the shop.
        if Task.isCancelled, part != .method { return }
        var isMet = true
        switch part {
        case .before, .after:
            isMet = run.failure == nil && activity.tolerance?.isMet(by: run.output) ?? true
            journal.add(run, isMet: isMet, after: part == .after)
            if !isMet { say("  not so: \(activity.name) → \(run.failure ?? Self.short(run.output))") }
        case .method: journal.run.append(run)
        case .rollbacks: journal.rollbacks.append(run)
        }
        if Task.isCancelled { return }
        runner.finished(succeeded: run.isDone(asRollback: part == .rollbacks), withinTolerance: isMet)
    }

    private func backward() async throws -> ChaosRunner.Outcome {
        // It may have come to its end and be interrupted only then.
        switch runner.next() {
        case .perform(.rollbacks, _), .strikeOut, .end: break
        default:
            say("interrupted")
            runner.interrupt()
        }
        loop: while true {
            switch runner.next() {
            case .perform(let part, let number): await go(part, runner.activities(of: part)[number])
            case .strikeOut:
                try await ledger?.strikeOut()
                runner.done()
            case .writeDown, .join: runner.done()
            case .end: break loop
            }
        }
        journal.finish(runner.outcome, at: clock.now())
        return runner.outcome
    }

    private func execute(_ activity: Activity) async -> ChaosJournal.Run {
        var run = ChaosJournal.Run(activity: activity.document, start: clock.now())
        do {
            try await pause(activity.pauseBefore)
            run.start = clock.now()
            say("\(activity.kind.rawValue): \(activity.name)\(activity.isBackground ? " (in the background)" : "")")
            run.output = try await perform(activity.provider.resolved(by: variables))
        } catch is CancellationError {
            run.failure = "interrupted"
        } catch {
            run.failure = "\(error)"
            say("  failed: \(error)")
        }
        if let status = run.output["status"]?.integerValue, activity.tolerance == nil, status > 399 || run.isBadExit {
            say("  ended with \(status): \(Self.short(run.output["stderr"] ?? run.output))")
        }
        run.end = clock.now()
        if run.failure == nil { try? await pause(activity.pauseAfter) }
        return run
    }

    private func pause(_ seconds: JSON?) async throws {
        guard let seconds, let number = variables.replace(seconds).number, number > 0 else { return }
        try await clock.sleep(for: .seconds(min(number, 86_400)))
    }

    private static func short(_ value: JSON) -> String {
        let text = value.stringValue ?? "\(value)"
        return text.count > 400 ? "…" + text.suffix(400) : text
    }
}

extension JSON {
    /// Also of a text that is one.
    var number: Double? { numberValue ?? stringValue.flatMap { Double($0) } }
}

extension Provider {
    /// With `${name}` replaced where the toolkit does, too: everywhere but in a program's path.
    func resolved(by variables: Variables) -> Provider {
        switch self {
        case .http(var http):
            let url = variables.replace(.string(http.url))
            http.url = url.stringValue ?? "\(url)"
            http.headers = http.headers.mapValues(variables.replace)
            http.arguments = http.arguments.map(variables.replace)
            http.timeout = http.timeout.map(variables.replace)
            return .http(http)
        case .process(var process):
            process.arguments = process.arguments.map(variables.replace)
            return .process(process)
        }
    }
}
