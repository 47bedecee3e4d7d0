public import Contracts
public import Kernel

/// What `souk recover` found: the JSON that `--json` writes. Times in seconds.
public struct RecoveryResult: Codable, Sendable {
    /// What a recovery has to keep within.
    public struct Targets: Codable, Sendable, Equatable {
        public var rpo_seconds = 5.0
        public var rto_seconds = 60.0

        public init() {}
    }

    /// A part of the time until the shop sold again.
    public struct Phase: Codable, Sendable, Equatable {
        public var phase: String
        public var seconds: Double
    }

    /// How many orders were acknowledged in one second.
    public struct Second: Codable, Sendable, Equatable {
        /// From its beginning until everything was destroyed.
        public var before: Int
        public var acknowledged: Int
    }

    /// What a client was told, and when.
    public struct Acknowledged: Sendable {
        public var order: OrderID
        public var at: Timestamp

        public init(order: OrderID, at: Timestamp) {
            self.order = order
            self.at = at
        }
    }

    /// What was seen, in the order in which it happened.
    public struct Observed: Sendable {
        public var acknowledged: [Acknowledged] = []
        /// Those before it were placed to fill the shop.
        public var shoppersCameAt = Timestamp(seconds: 0)
        public var destroyedAt = Timestamp(seconds: 0)
        /// How far the copy reached by then, as it had told.
        public var copiedUntil = Timestamp(seconds: 0)
        /// The moment that was restored.
        public var restoredUntil: Timestamp?
        /// The ends of the phases, by name; the last one is the first new order.
        public var phases: [(name: String, end: Timestamp)] = []
        /// Orders in the restored shop.
        public var orders = 0
        /// Acknowledged, and not there any more; of them the first that was acknowledged.
        public var lost = 0
        public var firstLost: OrderID?
        /// Of them, those that were acknowledged before `copiedUntil`.
        public var lostFromCopy = 0
        /// Of the restored shop, without what clients were told.
        public var audit: [AuditCheck] = []

        public init() {}
    }

    public var drill = "recover"
    /// `sqlite` or `postgres`.
    public var engine: String
    /// When everything was destroyed.
    public var at: Timestamp
    /// What the restored shop has.
    public var orders: Int
    public var acknowledged: Int
    /// Acknowledged, and not there any more.
    public var lost: Int
    /// Of them, those that were acknowledged before the copy's last word: there must be none.
    public var lost_before_last_cut: Int
    /// From the first lost order's acknowledgement until everything was destroyed; 0 if none is lost.
    public var rpo_seconds: Double
    /// From then until the restored shop took an order.
    public var rto_seconds: Double
    /// How old the copy was when everything was destroyed.
    public var copy_age_seconds: Double
    public var phases: [Phase]
    /// While shoppers came; the last minute at the most.
    public var seconds: [Second]
    public var audit: [AuditCheck]
    public var targets: Targets
    public var passed: Bool

    public init(engine: String, _ seen: Observed, targets: Targets = Targets()) {
        self.engine = engine
        self.targets = targets
        at = seen.destroyedAt
        orders = seen.orders
        acknowledged = seen.acknowledged.count
        lost = seen.lost
        lost_before_last_cut = seen.lostFromCopy
        let first = seen.acknowledged.first { $0.order == seen.firstLost }
        rpo_seconds = (first.map { seen.destroyedAt - $0.at } ?? .zero).inSeconds.rounded(to: 3)
        copy_age_seconds = (seen.destroyedAt - seen.copiedUntil).inSeconds.rounded(to: 3)
        var began = seen.destroyedAt
        phases = []
        for (name, end) in seen.phases {
            phases.append(Phase(phase: name, seconds: (end - began).inSeconds.rounded(to: 3)))
            began = end
        }
        seconds = Self.seconds(
            seen.acknowledged.filter { $0.at >= seen.shoppersCameAt }, until: seen.destroyedAt)
        rto_seconds = (began - seen.destroyedAt).inSeconds.rounded(to: 3)
        audit = seen.audit
        passed =
            lost_before_last_cut == 0 && audit.allSatisfy(\.holds) && rpo_seconds <= targets.rpo_seconds
            && rto_seconds <= targets.rto_seconds
    }

    private static func seconds(_ acknowledged: [Acknowledged], until end: Timestamp) -> [Second] {
        var counts = [Int](repeating: 0, count: 60)
        for order in acknowledged.reversed() {
            let age = Int((end - order.at).inSeconds)
            guard age < counts.count else { break }
            counts[max(0, age)] += 1
        }
        let first = counts.lastIndex { $0 > 0 } ?? 0
        return (0...first).reversed().map { Second(before: $0 + 1, acknowledged: counts[$0]) }
    }

    /// For a terminal.
    public var summary: String {
        func line(_ holds: Bool, _ text: String) -> String { "\(holds ? "ok  " : "FAIL") \(text)" }
        let broken = audit.filter { !$0.holds }.map(\.name)
        let steps = phases.map { "\($0.phase) \($0.seconds) s" }.joined(separator: ", ")
        return [
            "\(engine): everything was destroyed at \(at.rfc3339), with \(orders.grouped) orders in the shop",
            line(lost_before_last_cut == 0, "\(lost_before_last_cut) orders lost of those that had reached the copy"),
            line(
                rpo_seconds <= targets.rpo_seconds,
                "RPO \(rpo_seconds) s, at most \(targets.rpo_seconds) s: \(lost) of \(acknowledged.grouped) "
                    + "acknowledged orders lost; the copy was \(copy_age_seconds) s old"),
            line(
                rto_seconds <= targets.rto_seconds,
                "RTO \(rto_seconds) s, at most \(targets.rto_seconds) s: \(steps)"),
            line(
                broken.isEmpty,
                broken.isEmpty
                    ? "the audit of the restored shop is clean" : "the audit: \(broken.joined(separator: ", "))"),
        ].joined(separator: "\n")
    }
}
