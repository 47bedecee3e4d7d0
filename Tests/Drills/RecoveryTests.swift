import Contracts
import Kernel
import Testing

@testable import Drills

@Suite("What a recovery lost, and how long it took") struct RecoveryTests {
    private typealias Observed = RecoveryResult.Observed
    private let end = Timestamp(seconds: 1_000)

    /// An order a second until the end, copied until `copied` seconds before.
    private func observed(copied: Int64, lost: Int) -> Observed {
        var seen = Observed()
        seen.acknowledged = (1...20).map { second in
            let at = end - .seconds(20 - second)
            return RecoveryResult.Acknowledged(order: OrderID(at: at), at: at)
        }
        seen.destroyedAt = end
        seen.copiedUntil = end - .seconds(copied)
        seen.lost = lost
        seen.firstLost = lost == 0 ? nil : seen.acknowledged[20 - lost].order
        seen.lostFromCopy = max(0, lost - Int(copied))
        seen.phases = [
            ("restore", end + .seconds(20)), ("audit", end + .seconds(25)), ("first order", end + .seconds(30)),
        ]
        seen.audit = [AuditCheck("orders.totals", "they add up")]
        return seen
    }

    @Test("nothing lost is no time lost, however old the copy")
    func whole() {
        let result = RecoveryResult(engine: "sqlite", observed(copied: 60, lost: 0))
        #expect(result.passed && result.rpo_seconds == 0 && result.lost == 0 && result.copy_age_seconds == 60)
    }

    @Test("RPO counts from the first lost order, RTO to the first new one; phases add up to it")
    func times() {
        let result = RecoveryResult(engine: "sqlite", observed(copied: 4, lost: 4))
        #expect(result.rpo_seconds == 3 && result.rto_seconds == 30 && result.lost == 4)
        #expect(result.phases.map(\.seconds) == [20, 5, 5])
        #expect(result.lost_before_last_cut == 0 && result.passed)
    }

    @Test("what reached the copy must be there, within the target or not")
    func copied() {
        let result = RecoveryResult(engine: "postgres", observed(copied: 1, lost: 3))
        #expect(result.lost_before_last_cut == 2 && !result.passed)
        #expect(result.summary.contains("FAIL 2 orders lost of those that had reached the copy"))
    }

    @Test("too much lost, too slow, and books that do not balance each fail it")
    func fails() {
        #expect(!RecoveryResult(engine: "sqlite", observed(copied: 9, lost: 7)).passed)
        var slow = observed(copied: 1, lost: 1)
        slow.phases.append(("first order", end + .milliseconds(60_001)))
        #expect(!RecoveryResult(engine: "sqlite", slow).passed)
        var wrong = observed(copied: 1, lost: 1)
        wrong.audit[0].check(false, "order_1: 2 is not 3")
        let result = RecoveryResult(engine: "sqlite", wrong)
        #expect(!result.passed && result.summary.contains("FAIL the audit: orders.totals"))
    }
}
