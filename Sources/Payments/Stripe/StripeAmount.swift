import Kernel

/// Amounts as Stripe counts them: mostly ISO 4217's minor units, but not for every currency
/// (https://docs.stripe.com/currencies, "Minor units in API amounts").
enum StripeAmount {
    /// Charged in whole units. Of these ISO 4217 gives the ariary two decimals.
    private static let wholeUnits: Set<String> = [
        "BIF", "CLP", "DJF", "GNF", "JPY", "KMF", "KRW", "MGA", "PYG", "RWF", "VND", "VUV", "XAF", "XOF", "XPF",
    ]
    /// Charged in thousandths of which the last digit is 0.
    private static let thousandths: Set<String> = ["BHD", "JOD", "KWD", "OMR", "TND"]

    /// The amount for Stripe; nil where Stripe has no such amount (a fils, a fifth of an ariary).
    ///
    /// All others have two decimals, also the króna and the Ugandan shilling, which once had them: ISO 4217 gives them
    /// none.
    static func units(_ money: Money) -> Int64? {
        let code = money.currency.code
        let exponent = wholeUnits.contains(code) ? 0 : thousandths.contains(code) ? 3 : 2
        var units = money.amount
        for _ in 0..<max(0, exponent - money.currency.exponent) { units *= 10 }
        for _ in 0..<max(0, money.currency.exponent - exponent) {
            guard units % 10 == 0 else { return nil }
            units /= 10
        }
        guard exponent < 3 || units % 10 == 0 else { return nil }
        return units
    }
}
