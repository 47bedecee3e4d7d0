/// An ISO 4217 currency: its code and the number of decimal digits of its minor unit.
public struct Currency: Hashable, Sendable, CustomStringConvertible {
    /// Three capital letters, for example `GBP`.
    public let code: String
    /// Digits after the decimal point: 2 for most, 0 for JPY, 3 for KWD.
    public let exponent: Int

    /// The currency of that code, or nil if ISO 4217 has no such active currency.
    public init?(_ code: String) {
        guard let exponent = Self.exponents[code] else { return nil }
        self.code = code
        self.exponent = exponent
    }

    private init(known code: String, exponent: Int) {
        self.code = code
        self.exponent = exponent
    }

    public static let gbp = Currency(known: "GBP", exponent: 2)
    public static let eur = Currency(known: "EUR", exponent: 2)
    public static let usd = Currency(known: "USD", exponent: 2)

    public var description: String { code }

    /// How many minor units make one major unit: 100 for GBP, 1 for JPY.
    public var minorUnits: Int64 {
        switch exponent {
        case 0: 1
        case 2: 100
        case 3: 1000
        default: 10_000
        }
    }

    /// The codes of all currencies, in alphabetical order.
    public static let codes = exponents.keys.sorted()

    public static func == (left: Currency, right: Currency) -> Bool { left.code == right.code }
    public func hash(into hasher: inout Hasher) { hasher.combine(code) }

    /// Active codes of ISO 4217 (list one, without metals, funds and test codes).
    private static let exponents: [String: Int] = {
        let two =
            "AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BGN BMD BND BOB BRL BSD BTN BWP BYN BZD CAD CDF CHF "
            + "CNY COP CRC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GTQ GYD HKD HNL HTG "
            + "HUF IDR ILS INR IRR JMD KES KGS KHR KPW KYD KZT LAK LBP LKR LRD LSL MAD MDL MGA MKD MMK MNT MOP MRU "
            + "MUR MVR MWK MXN MYR MZN NAD NGN NIO NOK NPR NZD PAB PEN PGK PHP PKR PLN QAR RON RSD RUB SAR SBD SCR "
            + "SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TOP TRY TTD TWD TZS UAH USD UYU UZS VED "
            + "VES WST XCD XCG YER ZAR ZMW ZWG"
        let zero = "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX VND VUV XAF XOF XPF"
        let three = "BHD IQD JOD KWD LYD OMR TND"
        var table: [String: Int] = [:]
        for (codes, exponent) in [(two, 2), (zero, 0), (three, 3)] {
            for code in codes.split(separator: " ") { table[String(code)] = exponent }
        }
        return table
    }()
}

/// What arithmetic on money refuses to do.
public enum MoneyError: Error, Equatable, CustomStringConvertible {
    /// The result does not fit: at most `Money.limit` minor units either way.
    case overflow
    case mixedCurrencies(Currency, Currency)
    case notAnAmount(String, Currency)
    case tooManyDecimals(String, Currency)

    public var description: String {
        switch self {
        case .overflow: "the amount is larger than \(Money.limit) minor units"
        case .mixedCurrencies(let left, let right): "\(left) and \(right) do not mix in one amount"
        case .notAnAmount(let text, let currency): "'\(text)' is not an amount of \(currency), expected e.g. 19.99"
        case .tooManyDecimals(let text, let currency):
            "'\(text)' has more than the \(currency.exponent) decimals of \(currency)"
        }
    }
}

/// An amount in the minor unit of its currency. Never a float; every operation is checked.
public struct Money: Hashable, Sendable {
    /// Minor units (pence, cents, yen).
    public let amount: Int64
    public let currency: Currency

    /// The largest magnitude, in minor units. Small enough that 2,000 lines of it still add up in 64 bits, and that
    /// every amount is exact in the double that a JSON reader may keep it in.
    public static let limit: Int64 = 1_000_000_000_000_000

    public init(_ amount: Int64, _ currency: Currency) {
        self.amount = amount
        self.currency = currency
    }

    public static func zero(_ currency: Currency) -> Money { Money(0, currency) }

    public func adding(_ other: Money) throws(MoneyError) -> Money {
        guard currency == other.currency else { throw .mixedCurrencies(currency, other.currency) }
        let (sum, overflow) = amount.addingReportingOverflow(other.amount)
        return try Self.checked(sum, overflow, currency)
    }

    public func subtracting(_ other: Money) throws(MoneyError) -> Money {
        guard currency == other.currency else { throw .mixedCurrencies(currency, other.currency) }
        let (difference, overflow) = amount.subtractingReportingOverflow(other.amount)
        return try Self.checked(difference, overflow, currency)
    }

    public func multiplied(by quantity: Int64) throws(MoneyError) -> Money {
        let (product, overflow) = amount.multipliedReportingOverflow(by: quantity)
        return try Self.checked(product, overflow, currency)
    }

    /// This amount times `numerator / denominator`, rounded half up (away from zero). The denominator is positive.
    public func scaled(by numerator: Int64, over denominator: Int64) throws(MoneyError) -> Money {
        precondition(denominator > 0, "a denominator is positive")
        let (high, low) = amount.magnitude.multipliedFullWidth(by: numerator.magnitude)
        guard high < denominator.magnitude else { throw .overflow }
        let (quotient, remainder) = denominator.magnitude.dividingFullWidth((high, low))
        // Looked at before rounding too, which would trap at the largest of all.
        guard quotient <= UInt64(Self.limit) else { throw .overflow }
        let rounded = remainder >= denominator.magnitude - remainder ? quotient + 1 : quotient
        guard rounded <= UInt64(Self.limit) else { throw .overflow }
        let negative = (amount < 0) != (numerator < 0)
        return Money(negative ? -Int64(rounded) : Int64(rounded), currency)
    }

    private static func checked(_ amount: Int64, _ overflow: Bool, _ currency: Currency) throws(MoneyError) -> Money {
        guard !overflow, amount.magnitude <= UInt64(limit) else { throw .overflow }
        return Money(amount, currency)
    }

    public enum Rounding: Sendable {
        /// More decimals than the currency has are an error, unless they are zeros.
        case exact
        /// More decimals are rounded half up, as an invoice of unit prices is.
        case halfUp
    }

    /// Reads a plain decimal: an optional sign, digits, an optional point and digits. No grouping, no symbol.
    public init(decimal text: String, _ currency: Currency, rounding: Rounding = .exact) throws(MoneyError) {
        var digits: [UInt8] = []
        var decimals = -1
        var negative = false
        for (index, byte) in text.utf8.enumerated() {
            switch byte {
            case UInt8(ascii: "0")...UInt8(ascii: "9"):
                digits.append(byte - UInt8(ascii: "0"))
                if decimals >= 0 { decimals += 1 }
            case UInt8(ascii: ".") where decimals < 0: decimals = 0
            case UInt8(ascii: "-") where index == 0: negative = true
            case UInt8(ascii: "+") where index == 0: break
            default: throw .notAnAmount(text, currency)
            }
        }
        guard !digits.isEmpty, digits.count <= 40 else { throw .notAnAmount(text, currency) }
        let surplus = max(decimals, 0) - currency.exponent
        var value: Int64 = 0
        for digit in digits.dropLast(max(surplus, 0)) + Array(repeating: 0, count: max(-surplus, 0)) {
            value = value * 10 + Int64(digit)
            guard value <= Self.limit else { throw .overflow }
        }
        let rest = digits.suffix(min(max(surplus, 0), digits.count))
        if rest.contains(where: { $0 != 0 }) {
            guard rounding == .halfUp else { throw .tooManyDecimals(text, currency) }
            if let first = rest.first, first >= 5 { value += 1 }
            guard value <= Self.limit else { throw .overflow }
        }
        self.init(negative ? -value : value, currency)
    }

    /// The plain decimal, `19.99`: what `init(decimal:)` reads.
    public var decimal: String {
        let units = UInt64(currency.minorUnits)
        let sign = amount < 0 ? "-" : ""
        guard currency.exponent > 0 else { return sign + String(amount.magnitude) }
        let fraction = String(amount.magnitude % units)
        let padding = String(repeating: "0", count: currency.exponent - fraction.count)
        return sign + String(amount.magnitude / units) + "." + padding + fraction
    }
}

extension Money: CustomStringConvertible {
    public var description: String { decimal + " " + currency.code }
}

extension Money: Comparable {
    /// Amounts of different currencies have no order; comparing them is a programmer's error.
    public static func < (left: Money, right: Money) -> Bool {
        precondition(left.currency == right.currency, "amounts of different currencies have no order")
        return left.amount < right.amount
    }
}

extension Currency: Codable {
    public init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        let code = try container.decode(String.self)
        guard let currency = Currency(code) else {
            throw DecodingError.dataCorruptedError(
                in: container, debugDescription: "expected an ISO 4217 currency code such as GBP, found '\(code)'")
        }
        self = currency
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(code)
    }
}

extension Money: Codable {
    private enum CodingKeys: String, CodingKey { case amount, currency }

    public init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        let amount = try container.decode(Int64.self, forKey: .amount)
        guard amount.magnitude <= UInt64(Self.limit) else {
            throw DecodingError.dataCorruptedError(
                forKey: .amount, in: container, debugDescription: "expected at most \(Self.limit) minor units")
        }
        self.init(amount, try container.decode(Currency.self, forKey: .currency))
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(amount, forKey: .amount)
        try container.encode(currency, forKey: .currency)
    }
}
