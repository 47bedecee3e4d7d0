public import Kernel

/// What was done and what came of it, in the toolkit's own shape, so that its reports read it. Source:
/// https://chaostoolkit.org/reference/api/journal/.
public struct ChaosJournal: Sendable {
    public struct Run: Sendable {
        public var activity: JSON
        public var output = JSON.null
        public var start: Timestamp
        public var end: Timestamp
        /// Why it could not be done.
        public var failure: String?

        init(activity: JSON, start: Timestamp) {
            self.activity = activity
            self.start = start
            end = start
        }

        var name: String { activity["name"]?.stringValue ?? "" }
        var isAction: Bool { activity["type"] == "action" }

        /// A program that ended with something else than 0.
        var isBadExit: Bool { output["stdout"] != nil && output["status"] != 0 }

        /// Of a rollback it is asked that it says so itself: a shop is not as it was because somebody tried.
        func isDone(asRollback: Bool) -> Bool {
            guard failure == nil else { return false }
            return !asRollback || !(isBadExit || (output["status"]?.integerValue ?? 0) > 399)
        }

        var json: JSON {
            var run: JSONObject = [
                "activity": activity, "output": output, "start": .string(start.rfc3339),
                "status": failure == nil ? "succeeded" : "failed", "end": .string(end.rfc3339),
                "duration": .number((end - start).inSeconds),
            ]
            if let failure { run["exception"] = [.string(failure)] }
            return .object(run)
        }
    }

    let experiment: JSON
    var start: Timestamp
    private var end: Timestamp?
    private var outcome = ChaosRunner.Outcome()
    private(set) var before: [(Run, Bool)] = []
    private(set) var after: [(Run, Bool)] = []
    public internal(set) var run: [Run] = []
    public internal(set) var rollbacks: [Run] = []

    init(experiment: JSON, start: Timestamp) {
        self.experiment = experiment
        self.start = start
    }

    mutating func add(_ run: Run, isMet: Bool, after isAfter: Bool) {
        if isAfter { after.append((run, isMet)) } else { before.append((run, isMet)) }
    }

    /// When something was broken; nil if nothing was.
    ///
    /// - Parameter expected: names the action that mends it; without one, the first rollback, or else the last action.
    public func fault(_ expected: Expectations) -> (began: Timestamp, ended: Timestamp)? {
        let actions = run.filter(\.isAction).sorted { $0.start < $1.start }
        guard let first = actions.first, let last = actions.last else { return nil }
        if expected.steadyAgain == .atOnce { return (first.start, first.end) }
        let named = (actions.dropFirst() + rollbacks).first { $0.name == expected.overWith }
        return (first.start, (named ?? rollbacks.first)?.start ?? last.end)
    }

    mutating func finish(_ outcome: ChaosRunner.Outcome, at end: Timestamp) {
        self.outcome = outcome
        self.end = end
    }

    /// `secrets` are in it as they are in the file: where they are, never what they are.
    public var json: JSON {
        func state(_ probes: [(Run, Bool)], _ isMet: Bool?) -> JSON {
            guard !probes.isEmpty else { return .null }
            let runs = probes.map { run, isMet -> JSON in
                var object = run.json.objectValue ?? [:]
                object["tolerance_met"] = .bool(isMet)
                return .object(object)
            }
            return ["steady_state_met": isMet.map { JSON.bool($0) } ?? .null, "probes": .array(runs)]
        }
        return [
            "chaoslib-version": "souk", "experiment": experiment, "start": .string(start.rfc3339),
            "status": .string(outcome.status.rawValue), "deviated": .bool(outcome.hasDeviated),
            "steady_states": [
                "before": state(before, outcome.before), "after": state(after, outcome.after), "during": [],
            ],
            "run": .array(run.map(\.json)), "rollbacks": .array(rollbacks.map(\.json)),
            "end": end.map { JSON.string($0.rfc3339) } ?? .null,
            "duration": end.map { JSON.number(($0 - start).inSeconds) } ?? .null,
        ]
    }
}
