public import Kernel

/// What drills have measured, one value for each file of an evidence folder. See docs/score.md.
public struct Evidence: Sendable {
    /// Where a value comes from, and when it was measured.
    public struct Source: Sendable, Equatable {
        /// As it is linked to: the name in the folder, or a path. Nil for what the command line said.
        public var file: String?
        /// Nil for what has no time: a rendered chart.
        public var at: Timestamp?

        public init(file: String?, at: Timestamp?) {
            self.file = file
            self.at = at
        }
    }

    public var load: LoadFacts?
    public var flood: FloodFacts?
    public var faults: [FaultFacts] = []
    /// By engine: `sqlite`, `postgres`.
    public var recoveries: [String: RecoveryFacts] = [:]
    public var region: RecoveryFacts?
    public var audit: AuditFacts?
    public var fleet: FleetFacts?
    public var chart: ChartFacts?

    public init() {}
}

/// Of a load run.
struct Traffic: Sendable, Equatable {
    var requests = 0.0
    /// Answers 5xx, requests without an answer, and visits that were dropped.
    var unserved = 0.0
    var dropped = 0.0
    /// Of steps, after all their attempts, 0 to 1.
    var errorRate = 0.0
    /// A second.
    var goodput = 0.0
    var refused = 0.0
    var refusedWithoutRetryAfter = 0.0
    /// By step, in milliseconds.
    var p99: [String: Double] = [:]
    var isOpen = true

    /// Visitors who were dropped asked, too, and got nothing. Nil where nobody asked.
    var availability: Double? { requests + dropped > 0 ? 1 - unserved / (requests + dropped) : nil }
}

public struct LoadFacts: Sendable {
    var source: Evidence.Source
    var traffic: Traffic
}

public struct FloodFacts: Sendable {
    var source: Evidence.Source
    /// Good answers a second while the flood came, of those at the most.
    var goodputRatio: Double
    /// The same of orders that were placed; nil if there were none.
    var ordersRatio: Double?
    var mostGoodput: Double
    var flood: Traffic
    /// Until all was as before; nil if that did not come.
    var secondsToNormal: Double?
    /// Resident at the most, a process of the shop, in bytes.
    var memory: Double?
}

public struct FaultFacts: Sendable {
    var source: Evidence.Source
    /// `fleet-kill-half`
    var name: String
    /// The experiment's: `process`, `back end`, `network`, `zone`.
    var tags: [String]
    /// What shoppers felt; nil where nothing was broken, or no shoppers were there.
    var felt: Felt?
    /// The drill's own word.
    var verdict: String?
    /// The steady state was not there afterwards.
    var hasDeviated: Bool
    /// Shares of steps, 0 to 1: at any time, and while the fault lasted.
    var allowedErrors: Double
    var allowedErrorsMeanwhile: Double
    var allowedSeconds: Double
    var audit: AuditFacts?
}

struct Felt: Sendable {
    /// Of steps, after all their attempts, 0 to 1: while the fault lasted, and before and after.
    var errorsMeanwhile: Double
    var errorsOtherwise: Double
    /// Seconds; nil where it was not steady again.
    var recoveredAfter: Double?
    /// Whether they felt anything at all.
    var bit: Bool
}

public struct RecoveryFacts: Sendable {
    var source: Evidence.Source
    var orders: Int?
    /// Acknowledged orders that are not there any more.
    var lost: Int
    /// Those of them that the copy must have had.
    var lostBeforeLastCut: Int
    var rpo: Double
    var rto: Double
    var rpoTarget: Double
    var rtoTarget: Double
    /// The drill's own word.
    var hasPassed: Bool
    var audit: AuditFacts?
}

public struct AuditFacts: Sendable, Equatable {
    struct Check: Sendable, Equatable {
        var name: String
        var promise: String
        var checked: Int
        var violations: Int
        var first: String?
    }

    var source: Evidence.Source
    var checks: [Check]

    var broken: [Check] { checks.filter { $0.violations > 0 } }
    func check(_ name: String) -> Check? { checks.first { $0.name == name } }
}

/// How a fleet ran while it was measured.
public struct FleetFacts: Sendable {
    var source: Evidence.Source
    /// By role.
    var replicas: [String: Int]
    /// Whether the balancer asks replicas if they are ready.
    var asksReadiness: Bool
    /// How often the balancer tries a request again that never left it.
    var retries: Int
}

/// What a chart renders to.
public struct ChartFacts: Sendable {
    public var source: Evidence.Source
    var objects: [JSON]

    /// - Parameter objects: manifests, or lists of them as `kubectl get` prints them.
    public init(file: String, objects: [JSON]) {
        source = Evidence.Source(file: file, at: nil)
        self.objects = objects.flatMap { object in
            object["items"]?.arrayValue.flatMap { object["kind"]?.stringValue?.hasSuffix("List") == true ? $0 : nil }
                ?? [object]
        }
    }
}
