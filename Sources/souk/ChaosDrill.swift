import ArgumentParser
import Drills
import FoundationEssentials
import Kernel
import UnixSignals
import Wire

/// Experiments, run for real.
struct ChaosDrill {
    let ledger: Ledger
    let environment: [String: String]
    let allowed: [String]

    /// - Throws: `ValidationError` if it reaches for what is not allowed.
    func prepare(_ experiment: Experiment, _ file: String, _ rollback: ChaosRunner.Rollback) throws -> ChaosRun {
        do {
            let run = try ChaosRun(
                experiment, file: file, rollback: rollback, ledger: ledger, environment: { environment[$0] },
                perform: { [environment, ledger] provider in
                    let http = OutboundHTTP(connections: 4)
                    let providers = ChaosProviders(
                        http: { try await http.send($0) }, environment: environment, ledger: ledger)
                    let result = await Self.result { try await providers.perform(provider) }
                    try await http.shutdown()
                    return try result.get()
                },
                say: { Console.complain("  " + $0) })
            for (name, provider) in run.providers { try Reach.check(name, provider, allowed: allowed) }
            return run
        } catch let error as DrillError {
            throw ValidationError("\(file): \(error)")
        }
    }

    private static func result(_ work: () async throws -> JSON) async -> Result<JSON, any Error> {
        do { return .success(try await work()) } catch { return .failure(error) }
    }

    /// Until its end, or until Ctrl-C; in either case it undoes what it did.
    func run(_ run: ChaosRun) async throws -> ChaosRunner.Outcome {
        let signals = await UnixSignalsSequence(trapping: .sigint, .sigterm)
        let outcome = try await run.run {
            for await _ in signals { return }
        }
        // Until here: a second Ctrl-C must not end what undoes.
        withExtendedLifetime(signals) {}
        return outcome
    }

    /// Whether there was something.
    ///
    /// - Throws: `Failure` if it could not be undone wholly.
    @discardableResult
    func undoLeft() async throws -> Bool {
        let left: Experiment?
        do {
            left = try await ledger.left()
        } catch let error as DrillError {
            throw Failure("what a drill left cannot be read: \(error)")
        }
        guard let left else { return false }
        Console.complain("undoing '\(left.title)', whose drill was ended")
        let outcome = try await prepare(left, ledger.path, .always).undo()
        guard !outcome.leavesTraces else {
            throw Failure("'\(left.title)' is not wholly undone: see above, then `souk chaos undo` again")
        }
        Console.say("'\(left.title)' is undone")
        return true
    }

    static func verdict(_ outcome: ChaosRunner.Outcome) -> String {
        var parts: [String] = []
        if outcome.before == false { parts.append("not begun: the steady state does not hold") }
        if outcome.hasDeviated { parts.append("deviated: the steady state did not come back") }
        if outcome.status == .interrupted { parts.append("interrupted") }
        if outcome.failedRollbacks > 0 { parts.append("\(outcome.failedRollbacks) rollbacks failed") }
        if outcome.leavesTraces { parts.append("something is left: `souk chaos undo`") }
        if parts.isEmpty { parts.append(outcome.isHeld ? "held" : outcome.status.rawValue) }
        return parts.joined(separator: "; ")
    }
}

enum ChaosFiles {
    static func environment() -> [String: String] { ProcessInfo.processInfo.environment }

    /// - Throws: `ValidationError` that names the file and what is wrong with it.
    static func read(_ file: String) throws -> Experiment {
        do {
            return try Experiment(
                json: Files.read(file, limit: Experiment.largestFile, followsLinks: true), file: file)
        } catch let error as DrillError {
            throw ValidationError(error.description)
        } catch let error as FileError {
            throw ValidationError("\(error), expected an experiment")
        }
    }

    static func inFolder(_ folder: String) throws -> [String] {
        guard let names = try? FileManager.default.contentsOfDirectory(atPath: folder) else {
            throw ValidationError("there is no folder '\(folder)', expected one with experiments")
        }
        return names.filter { $0.hasSuffix(".json") }.sorted().map { folder + "/" + $0 }
    }
}
