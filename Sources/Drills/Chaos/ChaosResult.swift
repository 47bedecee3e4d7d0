public import Contracts
public import Kernel

/// What came of an experiment: the JSON that `souk chaos run --json` writes, and what its report shows.
public struct ChaosResult: Encodable, Sendable {
    /// What shoppers did and felt meanwhile.
    public struct Shoppers: Sendable {
        public var load: LoadResult
        /// Nil where nothing was broken.
        public var impact: Impact?
        /// When the first thing was broken, and when that was over.
        public var fault: (began: Timestamp, ended: Timestamp)?
        /// Orders that they were told of.
        public var acknowledged: Int

        /// - Parameter end: when they stopped coming.
        /// - Throws: `DrillError` if there were too few of them before the fault.
        public init(
            _ load: LoadResult, _ journal: ChaosJournal, until end: Timestamp, acknowledged: Int,
            expecting expected: Expectations
        ) throws {
            self.load = load
            self.acknowledged = acknowledged
            fault = journal.fault(expected)
            guard let fault, let began = Timestamp(rfc3339: load.began_at) else { return }
            func seconds(_ time: Timestamp) -> Double { (time - began).inSeconds }
            impact = try Impact(
                load.series, fault: Impact.Fault(began: seconds(fault.began), ended: seconds(fault.ended)),
                until: seconds(end), expecting: expected)
        }
    }

    /// What proved, or did not, that nothing was lost.
    public struct Audit: Sendable {
        public var passed: Bool
        public var output: JSON
        /// Of `souk audit`; none of another program.
        public var checks: [AuditCheck] { (try? output.decode([AuditCheck].self)) ?? [] }

        /// - Parameter run: what a program ended with and printed.
        public init(_ run: JSON) {
            passed = run["status"] == 0
            let text = run["stdout"]?.stringValue ?? ""
            output = (try? JSON.parse(Array(text.utf8))) ?? run
        }
    }

    public let file: String
    public let title: String
    public let about: String
    public let at: Timestamp
    public let outcome: ChaosRunner.Outcome
    public let passed: Bool
    /// In a sentence.
    public let verdict: String
    public let expectations: Expectations
    public let shoppers: Shoppers?
    public let audit: Audit?
    public let journal: ChaosJournal

    public init(
        _ experiment: Experiment, file: String, outcome: ChaosRunner.Outcome, journal: ChaosJournal,
        shoppers: Shoppers?, audit: Audit?, at: Timestamp
    ) {
        self.file = file
        title = experiment.title
        about = experiment.description
        expectations = experiment.expectations
        self.at = at
        self.outcome = outcome
        self.shoppers = shoppers
        self.audit = audit
        self.journal = journal
        let unmet = shoppers?.impact?.unmet ?? []
        passed = outcome.isHeld && unmet.isEmpty && audit?.passed != false
        verdict = Self.verdict(outcome, unmet, journal, shoppers, audit)
    }

    private static func verdict(
        _ outcome: ChaosRunner.Outcome, _ unmet: [String], _ journal: ChaosJournal, _ shoppers: Shoppers?,
        _ audit: Audit?
    ) -> String {
        var parts: [String] = []
        if outcome.before == false { parts.append("not begun: the steady state does not hold") }
        if outcome.hasDeviated { parts.append("deviated: the steady state did not come back") }
        if !unmet.isEmpty { parts.append("deviated: " + unmet.joined(separator: ", ")) }
        if audit?.passed == false { parts.append("deviated: the audit found something") }
        if outcome.status == .interrupted { parts.append("interrupted") }
        if outcome.failedRollbacks > 0 { parts.append("\(outcome.failedRollbacks) rollbacks failed") }
        if outcome.leavesTraces { parts.append("something is left: `souk chaos undo`") }
        if parts.isEmpty, outcome.isHeld {
            guard let impact = shoppers?.impact, !impact.bit else { return "held" }
            let told = journal.reported
            return told.isEmpty
                ? "held, but nobody noticed a fault"
                : "held, and shoppers did not notice it (\(told.joined(separator: "; ")))"
        }
        return parts.isEmpty ? outcome.status.rawValue : parts.joined(separator: "; ")
    }

    private enum Key: String, CodingKey {
        case drill, at, file, experiment, passed, verdict, journal, load, acknowledged, audit
        case fault_began, fault_ended
    }

    public func encode(to encoder: any Encoder) throws {
        // First: what shoppers felt stands beside the rest.
        try shoppers?.impact?.encode(to: encoder)
        var values = encoder.container(keyedBy: Key.self)
        try values.encode("chaos", forKey: .drill)
        try values.encode(at, forKey: .at)
        try values.encode(file, forKey: .file)
        try values.encode(title, forKey: .experiment)
        try values.encode(passed, forKey: .passed)
        try values.encode(verdict, forKey: .verdict)
        try values.encodeIfPresent(shoppers?.fault?.began, forKey: .fault_began)
        try values.encodeIfPresent(shoppers?.fault?.ended, forKey: .fault_ended)
        try values.encodeIfPresent(shoppers?.acknowledged, forKey: .acknowledged)
        try values.encode(audit?.output ?? .null, forKey: .audit)
        try values.encodeIfPresent(shoppers?.load, forKey: .load)
        try values.encode(journal.json, forKey: .journal)
    }
}

extension ChaosJournal {
    /// What the programs that broke something say that they did, a line each.
    public var reported: [String] {
        run.filter { $0.isAction && $0.failure == nil && !$0.isBadExit }.compactMap { action in
            let line = action.output["stdout"]?.stringValue?.split(whereSeparator: \.isNewline).first.map(String.init)
            return line.map { $0.hasPrefix("fleet: ") ? String($0.dropFirst("fleet: ".count)) : $0 }
        }
    }
}
