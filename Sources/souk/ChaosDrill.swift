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
    var shoppers = ChaosShoppers?.none

    /// - Throws: `ValidationError` if it reaches for what is not allowed.
    func prepare(_ experiment: Experiment, _ file: String, _ rollback: ChaosRunner.Rollback) throws -> ChaosRun {
        do {
            let before = shoppers?.shoppers == nil ? nil : try shoppers?.times().before
            let run = try ChaosRun(
                experiment, file: file, rollback: rollback, ledger: ledger, environment: { environment[$0] },
                perform: perform, say: { Console.complain("  " + $0) },
                prelude: {
                    guard let before else { return }
                    Console.complain("  shoppers come for \(before.inWords) before anything is broken")
                    try? await Task.sleep(for: before)
                })
            for (name, provider) in run.providers { try Reach.check(name, provider, allowed: allowed) }
            return run
        } catch let error as DrillError {
            throw ValidationError("\(file): \(error)")
        }
    }

    private func perform(_ provider: Provider) async throws -> JSON {
        let http = OutboundHTTP(connections: 4)
        let providers = ChaosProviders(http: { try await http.send($0) }, environment: environment, ledger: ledger)
        let result = await Self.result { try await providers.perform(provider) }
        try await http.shutdown()
        return try result.get()
    }

    private static func result(_ work: () async throws -> JSON) async -> Result<JSON, any Error> {
        do { return .success(try await work()) } catch { return .failure(error) }
    }

    /// With shoppers in the shop, if there are to be any, and the audit at its end.
    ///
    /// - Throws: `Failure` if shoppers found no shop, or their orders could not be written down.
    func result(of run: ChaosRun, _ experiment: Experiment, _ file: String) async throws -> ChaosResult {
        let result: (outcome: ChaosRunner.Outcome, shoppers: ChaosResult.Shoppers?, audit: ChaosResult.Audit?)
        do {
            if let shoppers, shoppers.shoppers != nil {
                result = try await shopped(run, experiment, shoppers)
            } else {
                result = (try await self.run(run), nil, nil)
            }
        } catch let error as DrillError {
            throw Failure(error.description)
        }
        return ChaosResult(
            experiment, file: file, outcome: result.outcome, journal: await run.journal, shoppers: result.shoppers,
            audit: result.audit, at: SystemClock().now())
    }

    private func shopped(
        _ run: ChaosRun, _ experiment: Experiment, _ shoppers: ChaosShoppers
    ) async throws -> (ChaosRunner.Outcome, ChaosResult.Shoppers?, ChaosResult.Audit?) {
        let shop = run.text("shop") ?? environment["SHOP_URL"] ?? "http://127.0.0.1:8080"
        guard var plan = try await shoppers.plan(shop, allowed: allowed) else {
            return (try await self.run(run), nil, nil)
        }
        let told = try Told(shoppers.acknowledged ?? (environment["FLEET"] ?? ".") + "/acknowledged.jsonl")
        plan.acknowledge = { order, total, key in
            try told.note(AcknowledgedOrder(order: order, idempotency_key: key, total: total))
        }
        let load = LoadRun(plan)
        async let loaded = load.run { progress in
            let second = Int(progress.elapsed.inSeconds.rounded())
            if second > 0, second % 5 == 0 { Console.complain("  shoppers: " + progress.line) }
        }
        let outcome: ChaosRunner.Outcome
        do {
            outcome = try await self.run(run)
        } catch {
            load.end()
            throw error
        }
        let isWhole = outcome.status != .interrupted && outcome.before != false
        if isWhole { try? await Task.sleep(for: try shoppers.times().after) }
        let end = SystemClock().now()
        load.end()
        let found = try await loaded
        guard isWhole else { return (outcome, nil, nil) }
        let seen = try ChaosResult.Shoppers(
            found, await run.journal, until: end, acknowledged: told.count, expecting: experiment.expectations)
        return (outcome, seen, try await audit(run, told))
    }

    private func audit(_ run: ChaosRun, _ told: Told) async throws -> ChaosResult.Audit? {
        guard let provider = run.audit?.adding(["--acknowledged", told.path]) else { return nil }
        Console.complain("  audit")
        return ChaosResult.Audit(try await perform(provider))
    }

    /// Until its end, or until Ctrl-C; in either case it undoes what it did.
    private func run(_ run: ChaosRun) async throws -> ChaosRunner.Outcome {
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
