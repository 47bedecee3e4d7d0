import Contracts
import Database
import Kernel
import Testing

@testable import Payments

@Suite("Payments: whatever the provider does") struct PaymentsPropertyTests {
    private static let tokens = ["tok_approved", "tok_approved", "tok_approved", "tok_declined", "tok_twice"]

    /// What a shop may ask, in any order, at the same moment, and again.
    private func step(
        _ till: Till, _ order: OrderID, _ random: inout SeededRandom
    ) -> @Sendable () async throws -> Void {
        let token = Self.tokens[Int.random(in: 0..<Self.tokens.count, using: &random)]
        let amount = Int64.random(in: 1...400, using: &random)
        let reference = "r\(Int.random(in: 0..<4, using: &random))"
        switch Int.random(in: 0..<10, using: &random) {
        case 0..<5: return { try await till.authorize(order, 999, token) }
        case 5..<7: return { try await till.capture(order) }
        case 7: return { try await till.void(order) }
        default: return { try await till.refund(order, amount, reference) }
        }
    }

    @Test("the book balances and agrees with the provider, whatever is lost", arguments: 1...60 as ClosedRange<UInt64>)
    func schedules(seed: UInt64) async throws {
        var random = SeededRandom(state: seed)
        let till = try await Till(seed: seed, failing: 30)
        let orders = (0..<4).map { _ in till.order() }
        for _ in 0..<15 {
            let steps = (0..<6).map { _ in step(till, orders[Int.random(in: 0..<4, using: &random)], &random) }
            await withTaskGroup(of: Void.self) { group in
                // Refusals and unknown outcomes are answers, too: what counts is what remains.
                for step in steps { group.addTask { try? await step() } }
            }
            #expect(try await till.audit() == [])
        }
        till.flaky.recover()
        for order in orders {
            // As the saga does in the end: forward, or back.
            if Bool.random(using: &random) {
                _ = try await problem { try await till.authorize(order, 999) }
            } else {
                try await till.void(order)
            }
            // Refunds that were begun are taken up again with their reference and amount.
            let begun = try await till.database.read { transaction in
                try transaction.rows("SELECT reference, amount FROM refunds WHERE order_id = $1 AND is_done = 0", order)
                    .map { (try $0.text(0), try $0.int64(1)) }
            }
            for (reference, amount) in begun { try await till.refund(order, amount, reference) }
            try await agree(till, order)
        }
        #expect(try await till.audit() == [])
    }

    /// The provider and the shop say the same of an order.
    private func agree(_ till: Till, _ order: OrderID) async throws {
        let outside = try await till.outside(order)
        // A capture whose answer was lost is known once it is asked for again.
        if outside.status == "captured", try await till.status(order) == .authorized { try await till.capture(order) }
        let payment = try await till.payments.payments(PaymentsOfOrders(orders: [order]), CallContext()).items.first
        let status = payment?.status
        let expected: Set<PaymentStatus?> =
            switch outside.status {
            case "held": [.authorized]
            case "captured": [.captured, .partially_refunded, .refunded]
            case "declined": [.declined, .voided, nil]
            case "voided": [.voided, nil, .declined]
            default: [nil]
            }
        #expect(expected.contains(status), "\(order): outside \(outside.status ?? "none")")
        #expect((payment?.refunded.amount ?? 0) == outside.givenBack)
    }
}
