import Contracts
import Kernel
import Testing

@testable import Orders

@Suite struct PricingTests {
    private let now = Timestamp(year: 2026, month: 1, day: 1)

    private func sums(
        _ lines: [(Int64, Int64)], _ policy: ShopPolicy = ShopPolicy(), country: String = "GB", method: String? = nil,
        coupon: String? = nil, currency: Currency = .gbp
    ) throws -> OrderSums {
        try Pricing(policy: policy).sums(
            of: lines.map { Pricing.Line(sku: "A", quantity: $0.0, unitPrice: Money($0.1, currency)) },
            country: country, shippingMethod: method, coupon: coupon, at: now)
    }

    /// Rounded half up in arithmetic of its own: twice as wide, and by another rule.
    private func halfUp(_ amount: Int64, _ numerator: Int64, _ denominator: Int64) -> Int64 {
        let twice = Int128(amount) * Int128(numerator) * 2 + Int128(denominator)
        return Int64(twice / (Int128(denominator) * 2))
    }

    @Test(arguments: 1...20) func sumsOfRandomCartsAreExact(seed: Int) throws {
        var random = SeededGenerator(seed: UInt64(seed))
        for _ in 0..<1_000 {
            let lines = (0..<Int.random(in: 1...12, using: &random)).map { _ -> (Int64, Int64) in
                let dearest: Int64 = Bool.random(using: &random) ? 3 : 9_999
                return (Int64.random(in: 1...9, using: &random), Int64.random(in: 0...dearest, using: &random))
            }
            let rate = Int64.random(in: 0...10_000, using: &random)
            let (inclusive, onShipping) = (Bool.random(using: &random), Bool.random(using: &random))
            let coupon =
                Bool.random(using: &random)
                ? ShopPolicy.Coupon(code: "C", basis_points: Int64.random(in: 0...10_000, using: &random))
                : ShopPolicy.Coupon(code: "C", amount: Int64.random(in: 0...20_000, using: &random))
            let fee = Int64.random(in: 0...999, using: &random)
            let policy = ShopPolicy(
                shipping: [.init(id: "standard", title: "S", price: fee)],
                taxes: [
                    .init(
                        country: "GB", name: "VAT", basis_points: rate, inclusive: inclusive, on_shipping: onShipping)
                ],
                coupons: [coupon])
            let withCoupon = Bool.random(using: &random)
            let sums = try sums(lines, policy, coupon: withCoupon ? "C" : nil)
            let subtotal = lines.reduce(0) { $0 + $1.0 * $1.1 }
            #expect(sums.subtotal.amount == subtotal)
            #expect((0...subtotal).contains(sums.discount.amount))
            #expect(
                sums.total.amount
                    == subtotal - sums.discount.amount + sums.shipping.amount + sums.tax.amount)
            #expect(sums.total.amount >= 0 && sums.shipping.amount == fee)
            #expect((0...sums.total.amount).contains(sums.tax_included.amount))
            #expect(inclusive ? sums.tax.amount == 0 : sums.tax_included.amount == 0)
            let divisor = inclusive ? 10_000 + rate : 10_000
            let taxed = inclusive ? sums.tax_included.amount : sums.tax.amount
            if withCoupon {
                if let share = coupon.basis_points { #expect(sums.discount.amount == halfUp(subtotal, share, 10_000)) }
                // By line less its share, so that it is off by at most half a unit a line.
                let base = subtotal - sums.discount.amount + (onShipping ? fee : 0)
                #expect(abs(taxed - halfUp(base, rate, divisor)) <= Int64(lines.count + 2) / 2 + 1)
            } else {
                let expected = (lines.map { $0.0 * $0.1 } + (onShipping ? [fee] : []))
                    .reduce(0) { $0 + halfUp($1, rate, divisor) }
                #expect(taxed == expected)
            }
        }
    }

    @Test func whatIsTooLargeIsRefused() {
        for (quantity, price) in [(Int64.max, Int64.max), (1_000_000, Money.limit), (2, Money.limit), (Int64.max, 1)] {
            #expect(throws: Problem.self) { try sums([(quantity, price)]) }
            do { _ = try sums([(quantity, price)]) } catch let problem as Problem {
                #expect(problem.type == .amountTooLarge)
            } catch { Issue.record(error) }
        }
        let policy = ShopPolicy(taxes: [.init(country: "GB", name: "VAT", basis_points: 2_000, inclusive: false)])
        #expect(throws: Problem.self) { try sums([(1, Money.limit)], policy) }
    }

    @Test func taxIsThatOfTheCountry() throws {
        let policy = ShopPolicy(taxes: [
            .init(country: "GB", name: "VAT", basis_points: 2_000, inclusive: true),
            .init(country: "US", name: "Sales tax", basis_points: 825, inclusive: false),
        ])
        #expect(try sums([(1, 1_200)], policy).tax_included.amount == 200)
        #expect(try sums([(1, 1_200)], policy, country: "US").tax.amount == 99)
        #expect(try sums([(1, 1_200)], policy, country: "FR").total.amount == 1_200)
        // 0.5 of a unit is rounded up.
        #expect(try sums([(1, 3)], policy).tax_included.amount == 1)
    }

    @Test func shippingIsByCountryAndFreeOverAnAmount() throws {
        let policy = ShopPolicy(shipping: [
            .init(id: "standard", title: "S", price: 399, countries: ["GB", "FR"], free_over: 5_000),
            .init(id: "express", title: "E", price: 999, countries: ["GB"]),
        ])
        #expect(try sums([(1, 4_999)], policy).shipping.amount == 399)
        #expect(try sums([(1, 5_000)], policy).shipping.amount == 0)
        #expect(try sums([(1, 5_000)], policy, method: "express").shipping.amount == 999)
        for (country, method) in [("FR", "express"), ("US", "standard"), ("GB", "pigeon")] {
            do {
                _ = try sums([(1, 1)], policy, country: country, method: method)
                Issue.record("\(method) goes to \(country)")
            } catch let problem as Problem { #expect(problem.type == .unknownShippingMethod) }
        }
    }

    @Test func aDiscountMayEndWhatMakesShippingFree() throws {
        let policy = ShopPolicy(
            shipping: [.init(id: "standard", title: "S", price: 399, free_over: 5_000)],
            coupons: [.init(code: "TEN", basis_points: 1_000)])
        #expect(try sums([(1, 5_000)], policy, coupon: "TEN").shipping.amount == 399)
    }

    @Test func couponsHaveTheirConditions() throws {
        let policy = ShopPolicy(coupons: [
            .init(code: "TEN", basis_points: 1_000), .init(code: "FIVE", amount: 500, minimum: 2_000),
            .init(code: "OLD", amount: 500, expires_at: now), .init(code: "HUGE", amount: 1_000_000),
        ])
        #expect(try sums([(1, 1_005)], policy, coupon: "ten").discount.amount == 101)
        #expect(try sums([(1, 2_000)], policy, coupon: "FIVE").discount.amount == 500)
        #expect(try sums([(1, 2_000)], policy, coupon: "HUGE").total.amount == 0)
        let refused: [(Int64, String, Currency)] = [
            (1_999, "FIVE", .gbp), (1, "OLD", .gbp), (1, "NONE", .gbp), (9_999, "FIVE", .eur),
        ]
        for (price, code, currency) in refused {
            do {
                _ = try sums([(1, price)], policy, coupon: code, currency: currency)
                Issue.record("\(code) was accepted")
            } catch let problem as Problem { #expect(problem.type == .unknownCoupon) }
        }
    }
}
