import Kernel
import Synchronization
import Testing

@testable import Drills

@Suite("An experiment ends with its rollbacks, wherever it is cut off") struct ChaosRunTests {
    /// Two of each; the probes of the steady state and the method's first action do what `perform` says.
    static func experiment(background: Bool = false) throws -> Experiment {
        func activity(_ name: String, _ more: String = "") -> String {
            #"{"type": "probe", "name": "\#(name)", "provider": {"type": "process", "path": "\#(name)"}\#(more)}"#
        }
        let text = """
            {"title": "t", "description": "d", "configuration": {"a": 1},
             "steady-state-hypothesis": {"title": "h", "probes": [
               \(activity("s1", #", "tolerance": 0"#)), \(activity("s2", #", "tolerance": 0"#))]},
             "method": [\(activity("m1", background ? #", "background": true"# : "")), \(activity("m2"))],
             "rollbacks": [\(activity("r1")), \(activity("r2"))]}
            """
        return try Experiment(json: Array(text.utf8), file: "x.json")
    }

    // MARK: The state machine

    /// Goes on with the machine to its end; which rollbacks it did.
    static func finish(_ runner: inout ChaosRunner) -> [Int] {
        var rollbacks: [Int] = []
        while true {
            switch runner.next() {
            case .end: return rollbacks
            case .perform(let part, let number):
                if part == .rollbacks { rollbacks.append(number) }
                runner.finished(succeeded: true)
            case .writeDown, .join, .strikeOut: runner.done()
            }
        }
    }

    @Test("interrupted before any step", arguments: 0..<16)
    func interruptions(_ steps: Int) throws {
        var runner = ChaosRunner(try Self.experiment(), rollback: .always)
        var isMethodBegun = false
        var rollbacks: [Int] = []
        for _ in 0..<steps {
            switch runner.next() {
            case .perform(let part, let number):
                if part == .method { isMethodBegun = true }
                if part == .rollbacks { rollbacks.append(number) }
                runner.finished(succeeded: true)
            case .end: break
            case .writeDown, .join, .strikeOut: runner.done()
            }
        }
        runner.interrupt()
        rollbacks += Self.finish(&runner)
        if isMethodBegun { #expect(rollbacks == [0, 1]) }
        #expect(!runner.outcome.leavesTraces)
    }

    @Test("dies before any step: what is written down is enough", arguments: 0..<16)
    func deaths(_ steps: Int) throws {
        let experiment = try Self.experiment()
        var runner = ChaosRunner(experiment, rollback: .always)
        var isWritten = false
        var isHurt = false
        for _ in 0..<steps {
            switch runner.next() {
            case .perform(let part, let number):
                if part == .method {
                    #expect(isWritten)
                    isHurt = true
                }
                if part == .rollbacks, number == 1 { isHurt = false }
                runner.finished(succeeded: true)
            case .writeDown:
                isWritten = true
                runner.done()
            case .strikeOut:
                isWritten = false
                runner.done()
            case .join: runner.done()
            case .end: break
            }
        }
        #expect(!isHurt || isWritten)
        guard isWritten else { return }
        var undoing = ChaosRunner.undoing(experiment)
        #expect(Self.finish(&undoing) == [0, 1])
        #expect(!undoing.outcome.leavesTraces)
    }

    @Test("whatever happens at random, the rollbacks follow the method", arguments: 0..<200 as Range<UInt64>)
    func random(_ seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        let rollback = ChaosRunner.Rollback.allCases.randomElement(using: &random) ?? .always
        var runner = ChaosRunner(try Self.experiment(), rollback: rollback)
        var rollbacks = 0
        var failures = 0
        var isMethodBegun = false
        var steps = 0
        loop: while true {
            steps += 1
            #expect(steps < 100)
            if Int.random(in: 0..<12, using: &random) == 0 { runner.interrupt() }
            switch runner.next() {
            case .perform(let part, _):
                let succeeds = Int.random(in: 0..<6, using: &random) > 0
                if part == .method { isMethodBegun = true }
                if part == .rollbacks {
                    rollbacks += 1
                    failures += succeeds ? 0 : 1
                }
                runner.finished(succeeded: succeeds, withinTolerance: Int.random(in: 0..<6, using: &random) > 0)
            case .end: break loop
            case .writeDown, .join, .strikeOut: runner.done()
            }
        }
        let outcome = runner.outcome
        #expect(outcome.failedRollbacks == failures)
        switch rollback {
        case .always: if isMethodBegun { #expect(rollbacks == 2) }
        case .deviated: if isMethodBegun { #expect(rollbacks == (outcome.hasDeviated ? 2 : 0)) }
        case .never: #expect(rollbacks == 0)
        }
        #expect(!isMethodBegun || outcome.leavesTraces == (rollbacks == 0 || failures > 0))
        #expect(!outcome.isHeld || (outcome.before == true && outcome.after == true))
    }

    // MARK: With a performer

    static let done: JSON = ["status": 0, "stdout": "", "stderr": ""]

    final class Notes: Sendable {
        private let list = Mutex<[String]>([])
        var all: [String] { list.withLock { $0 } }
        /// How often it was noted before.
        func add(_ name: String) -> Int {
            list.withLock { list in
                list.append(name)
                return list.count { $0 == name } - 1
            }
        }
    }

    static func run(
        _ experiment: Experiment, ledger: Ledger? = nil, perform: @escaping @Sendable (String) async throws -> JSON
    ) throws -> ChaosRun {
        try ChaosRun(
            experiment, file: "x.json", ledger: ledger, clock: ManualClock(), environment: { _ in nil },
            perform: { provider in
                guard case .process(let process) = provider else { return .null }
                return try await perform(process.path)
            })
    }

    /// Nobody interrupts: it ends when it is cancelled.
    static let forever: @Sendable () async -> Void = {
        let (stream, _) = AsyncStream.makeStream(of: Void.self)
        for await _ in stream {}
    }

    @Test func holds() async throws {
        let notes = Notes()
        let run = try Self.run(Self.experiment(background: true)) { name in
            _ = notes.add(name)
            return Self.done
        }
        let outcome = try await run.run(until: Self.forever)
        #expect(outcome.isHeld && !outcome.leavesTraces)
        #expect(notes.all.filter { $0 != "m1" } == ["s1", "s2", "m2", "s1", "s2", "r1", "r2"])
        let journal = await run.journal.json
        #expect(journal["status"] == "completed" && journal["deviated"] == false)
        #expect(journal["steady_states"]?["after"]?["steady_state_met"] == true)
        #expect(journal["run"]?.arrayValue?.count == 2 && journal["rollbacks"]?.arrayValue?.count == 2)
    }

    @Test func deviates() async throws {
        let notes = Notes()
        let run = try Self.run(Self.experiment()) { name in
            notes.add(name) == 1 && name == "s2" ? ["status": 1, "stdout": "", "stderr": ""] : Self.done
        }
        let outcome = try await run.run(until: Self.forever)
        #expect(outcome.hasDeviated && !outcome.isHeld && !outcome.leavesTraces)
        #expect(notes.all.suffix(2) == ["r1", "r2"])
        #expect(await run.journal.json["deviated"] == true)
    }

    @Test func doesNothingToAShopThatIsUnwell() async throws {
        let notes = Notes()
        let run = try Self.run(Self.experiment()) { name in
            _ = notes.add(name)
            throw DrillError("it does not answer")
        }
        let outcome = try await run.run(until: Self.forever)
        #expect(outcome.before == false && outcome.status == .failed && !outcome.isHeld)
        #expect(notes.all == ["s1"])
    }

    @Test("Ctrl-C in the middle of an activity", arguments: ["s1", "m1", "m2"], [false, true])
    func interrupted(_ at: String, background: Bool) async throws {
        let notes = Notes()
        let (reached, signal) = AsyncStream.makeStream(of: Void.self)
        let run = try Self.run(Self.experiment(background: background)) { name in
            _ = notes.add(name)
            guard name == at else { return Self.done }
            signal.yield()
            await Self.forever()
            throw CancellationError()
        }
        let outcome = try await run.run {
            for await _ in reached { return }
        }
        #expect(outcome.status == .interrupted && !outcome.leavesTraces)
        #expect(notes.all.filter { $0.hasPrefix("r") } == (at == "s1" ? [] : ["r1", "r2"]))
    }

    @Test func aRollbackThatFailsIsRemembered() async throws {
        let run = try Self.run(Self.experiment()) { name in
            name == "r1" ? ["status": 2, "stdout": "", "stderr": "no"] : Self.done
        }
        let outcome = try await run.run(until: Self.forever)
        #expect(outcome.failedRollbacks == 1 && outcome.leavesTraces && !outcome.isHeld)
    }

    // MARK: The ledger

    static func folder() -> String { "/tmp/souk-chaos-\(UInt64.random(in: 0 ... .max))" }

    @Test func whatIsBegunIsOnDiskBeforeAndUntilItIsUndone() async throws {
        let ledger = try await Ledger.take(folder: Self.folder())
        let left = Mutex<[Bool]>([])
        let run = try Self.run(Self.experiment(), ledger: ledger) { name in
            let isThere = try await ledger.left() != nil
            left.withLock { $0.append(isThere) }
            return Self.done
        }
        #expect(try await run.run(until: Self.forever).isHeld)
        // Two probes, the method, two probes, the rollbacks.
        #expect(left.withLock { $0 } == [false, false, true, true, true, true, true, true])
        #expect(try await ledger.left() == nil)
    }

    @Test func whatADrillLeftIsUndone() async throws {
        let ledger = try await Ledger.take(folder: Self.folder())
        let experiment = try Self.experiment()
        try await ledger.write(experiment, ["a": 2])
        let left = try #require(try await ledger.left())
        #expect(left.title == experiment.title && left.configuration["a"] == 2)
        let notes = Notes()
        let run = try Self.run(left, ledger: ledger) { name in
            _ = notes.add(name)
            return Self.done
        }
        #expect(try await !run.undo().leavesTraces)
        #expect(notes.all == ["r1", "r2"])
        #expect(try await ledger.left() == nil)
    }

    @Test func oneDrillAtATime() async throws {
        let folder = Self.folder()
        let ledger = try await Ledger.take(folder: folder)
        await #expect(throws: DrillError.self) { try await Ledger.take(folder: folder) }
        withExtendedLifetime(ledger) {}
    }

    // MARK: Real programs

    @Test func programs() async throws {
        let environment = ["PATH": "/usr/bin:/bin", "WORD": "hello"]
        let result = try await Program(
            ["sh", "-c", "echo $WORD; echo no >&2; exit 3"], environment: environment, timeout: nil
        ).run()
        #expect(result == ["status": 3, "stdout": "hello\n", "stderr": "no\n"])
        let killed = try await Program(["sh", "-c", "kill -9 $$"], environment: environment, timeout: nil).run()
        #expect(killed["status"] == -9)
        let much = try await Program(
            ["sh", "-c", "head -c 3000000 /dev/zero"], environment: environment, timeout: nil
        ).run()
        #expect(much["stdout"]?.stringValue?.utf8.count == ChaosProviders.largestOutput)
        await #expect(throws: DrillError.self) {
            try await Program(["/nowhere/to/be/found"], environment: environment, timeout: nil).run()
        }
        await #expect(throws: DrillError.self) {
            try await Program(["sleep", "1000"], environment: environment, timeout: 0.01).run()
        }
    }
}
