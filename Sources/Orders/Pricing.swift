import Contracts
import Kernel

/// The sums of an order: pure, exact, rounded half up by line.
struct Pricing: Sendable {
    struct Line {
        var sku: String
        var quantity: Int64
        var unitPrice: Money
    }

    let policy: ShopPolicy

    /// - Throws: `mixedCurrencies`, `amountTooLarge`, `unknownShippingMethod`, `unknownCoupon`, `emptyOrder`.
    func sums(
        of lines: [Line], country: String, shippingMethod: String?, coupon: String?, at time: Timestamp
    ) throws -> OrderSums {
        guard let currency = lines.first?.unitPrice.currency else {
            throw Problem(.emptyOrder, "there are no lines, expected one or more")
        }
        if let other = lines.first(where: { $0.unitPrice.currency != currency }) {
            throw Problem(
                .mixedCurrencies,
                "\(other.sku) is priced in \(other.unitPrice.currency), the lines before it in \(currency)")
        }
        do {
            let totals = try lines.map { try $0.unitPrice.multiplied(by: $0.quantity) }
            let subtotal = try totals.reduce(Money.zero(currency)) { try $0.adding($1) }
            let discount = try discount(on: subtotal, coupon, at: time)
            let shipping = try shipping(shippingMethod, for: try subtotal.subtracting(discount), to: country)
            let tax = try tax(on: totals, subtotal: subtotal, discount: discount, shipping: shipping, in: country)
            let total = try subtotal.subtracting(discount).adding(shipping).adding(tax.added)
            return OrderSums(
                subtotal: subtotal, discount: discount, shipping: shipping, tax: tax.added, tax_included: tax.included,
                total: total)
        } catch let error as MoneyError {
            throw Problem(.amountTooLarge, "\(error)")
        }
    }

    func shippingMethods(to country: String?, currency: Currency) -> [ShopPolicy.ShippingMethod] {
        policy.shipping.filter { method in
            guard let country, let countries = method.countries else { return true }
            return countries.contains(country)
        }
    }

    private func discount(on subtotal: Money, _ code: String?, at time: Timestamp) throws -> Money {
        guard let code else { return .zero(subtotal.currency) }
        guard let coupon = policy.coupons.first(where: { $0.code.uppercased() == code.uppercased() }) else {
            throw Problem(.unknownCoupon, "there is no coupon '\(code)'")
        }
        if let end = coupon.expires_at, time >= end {
            throw Problem(.unknownCoupon, "the coupon '\(code)' ended at \(end)")
        }
        if let minimum = coupon.minimum, subtotal.amount < minimum {
            let needed = Money(minimum, subtotal.currency)
            throw Problem(.unknownCoupon, "the coupon '\(code)' needs goods of at least \(needed)")
        }
        if let share = coupon.basis_points {
            return min(try subtotal.scaled(by: share, over: 10_000), subtotal)
        }
        guard subtotal.currency == policy.currency else {
            throw Problem(.unknownCoupon, "the coupon '\(code)' is for orders in \(policy.currency)")
        }
        return min(Money(coupon.amount ?? 0, subtotal.currency), subtotal)
    }

    private func shipping(_ id: String?, for goods: Money, to country: String) throws -> Money {
        let offered = shippingMethods(to: country, currency: goods.currency)
        let wanted = id.map { id in offered.first { $0.id == id } } ?? offered.first
        guard let method = wanted else {
            let names = offered.map(\.id).joined(separator: ", ")
            throw Problem(
                .unknownShippingMethod,
                names.isEmpty
                    ? "nothing is sent to \(country)" : "'\(id ?? "")' is not offered to \(country), expected \(names)")
        }
        if method.price == 0 { return .zero(goods.currency) }
        guard goods.currency == policy.currency else {
            throw Problem(.mixedCurrencies, "shipping is priced in \(policy.currency), the goods in \(goods.currency)")
        }
        if let free = method.free_over, goods.amount >= free { return .zero(goods.currency) }
        return Money(method.price, goods.currency)
    }

    /// Tax is taken of each line less its share of the discount, rounded by line, and of shipping.
    private func tax(
        on totals: [Money], subtotal: Money, discount: Money, shipping: Money, in country: String
    ) throws -> (added: Money, included: Money) {
        let zero = Money.zero(subtotal.currency)
        guard let rate = policy.taxes.first(where: { $0.country == country }), rate.basis_points > 0 else {
            return (zero, zero)
        }
        var bases = totals
        if discount.amount > 0, subtotal.amount > 0 {
            // Each line's share is what is due up to it less what was due before it: they add up to the discount.
            var (reached, given) = (zero, zero)
            bases = try totals.map { total in
                reached = try reached.adding(total)
                let due = try reached.scaled(by: discount.amount, over: subtotal.amount)
                defer { given = due }
                return try total.subtracting(try due.subtracting(given))
            }
        }
        if rate.on_shipping { bases.append(shipping) }
        let divisor = rate.inclusive ? 10_000 + rate.basis_points : 10_000
        let tax = try bases.reduce(zero) { sum, base in
            try sum.adding(try base.scaled(by: rate.basis_points, over: divisor))
        }
        return rate.inclusive ? (zero, tax) : (tax, zero)
    }
}
