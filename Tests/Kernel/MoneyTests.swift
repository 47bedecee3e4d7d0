import Kernel
import Testing

@Suite("Money is exact") struct MoneyTests {

    private func money(_ text: String, _ code: String, _ rounding: Money.Rounding = .exact) throws -> Money {
        try Money(decimal: text, #require(Currency(code)), rounding: rounding)
    }

    @Test(
        "a plain decimal is read to the last digit",
        arguments: [
            ("19.99", "GBP", 1_999), ("0.01", "GBP", 1), ("5", "GBP", 500), ("5.", "GBP", 500), (".5", "GBP", 50),
            ("+1.10", "EUR", 110), ("-1.10", "EUR", -110), ("-0", "EUR", 0), ("007.20", "USD", 720),
            ("1.500", "GBP", 150), ("1200", "JPY", 1_200), ("1200.00", "JPY", 1_200), ("1.234", "KWD", 1_234),
            ("1.2", "KWD", 1_200), ("0.0010", "KWD", 1), ("10000000000000.00", "GBP", 1_000_000_000_000_000),
            ("-10000000000000.00", "GBP", -1_000_000_000_000_000), ("1000000000000000", "JPY", 1_000_000_000_000_000),
        ] as [(String, String, Int64)])
    func reads(_ text: String, _ code: String, _ amount: Int64) throws {
        #expect(try money(text, code).amount == amount)
    }

    @Test(
        "what is not a plain decimal is refused",
        arguments: [
            "", ".", "-", "+", "1,99", "1.9.9", "£5", "5 ", " 5", "1e3", "--1", "1-", "0x10", "٣", "NaN", "inf",
            "1_000", "5\0", String(repeating: "0", count: 41),
        ])
    func refusesText(_ text: String) {
        #expect(throws: MoneyError.notAnAmount(text, .gbp)) { try Money(decimal: text, .gbp) }
    }

    @Test(
        "more decimals than the currency has are refused",
        arguments: [("19.999", "GBP"), ("0.001", "EUR"), ("1.5", "JPY"), ("1.2345", "KWD"), (".0000001", "GBP")])
    func refusesDecimals(_ text: String, _ code: String) throws {
        let currency = try #require(Currency(code))
        let error = #expect(throws: MoneyError.tooManyDecimals(text, currency)) { try Money(decimal: text, currency) }
        #expect(error?.description.contains("more than the \(currency.exponent) decimals of \(code)") == true)
    }

    @Test(
        "half up: a half goes away from zero, less goes towards it",
        arguments: [
            ("0.005", "GBP", 1), ("0.0049999", "GBP", 0), ("-0.005", "GBP", -1), ("2.345", "GBP", 235),
            ("2.3449", "GBP", 234), ("0.5", "JPY", 1), ("1.0005", "KWD", 1_001), (".9", "JPY", 1),
        ] as [(String, String, Int64)])
    func roundsText(_ text: String, _ code: String, _ amount: Int64) throws {
        #expect(try money(text, code, .halfUp).amount == amount)
    }

    @Test(
        "an amount beyond the limit is refused, also one that rounding takes there",
        arguments: [
            "10000000000000.01", "-10000000000000.01", "1000000000000000000", "9223372036854775808",
            "99999999999999999999999999999999999999", "10000000000000.005", "-10000000000000.009",
        ])
    func overflowingText(_ text: String) {
        #expect(throws: MoneyError.overflow) { try Money(decimal: text, .gbp, rounding: .halfUp) }
    }

    @Test("what is written is read back, in every currency") func decimalRoundTrip() throws {
        var random = SeededGenerator(seed: 1)
        for code in Currency.codes {
            let currency = try #require(Currency(code))
            for bits in stride(from: 0, through: 49, by: 7) {
                let amount = Int64.random(in: -(1 << bits)...(1 << bits), using: &random)
                let money = Money(amount, currency)
                #expect(try Money(decimal: money.decimal, currency) == money)
            }
        }
    }

    @Test(
        "as many decimals are written as the currency has",
        arguments: [
            ("GBP", 5, "0.05"), ("GBP", -5, "-0.05"), ("GBP", 1_999, "19.99"), ("JPY", 5, "5"), ("JPY", -5, "-5"),
            ("KWD", 5, "0.005"), ("KWD", -12_345, "-12.345"), ("BHD", 0, "0.000"),
        ] as [(String, Int64, String)])
    func writes(_ code: String, _ amount: Int64, _ text: String) throws {
        #expect(Money(amount, try #require(Currency(code))).decimal == text)
    }

    @Test("scaling is what 128 bits say, rounded half up") func scaling() {
        var random = SeededGenerator(seed: 2)
        for round in 0..<20_000 {
            let amount = Int64.random(in: -Money.limit...Money.limit, using: &random) >> Int64(round % 50)
            let numerator = Int64.random(in: Int64.min...Int64.max, using: &random) >> Int64(round % 61)
            let denominator = max(1, Int64.random(in: 1...Int64.max, using: &random) >> Int64(round % 63))
            let product = Int128(amount) * Int128(numerator)
            let rounded = (product.magnitude * 2 + UInt128(denominator)) / (UInt128(denominator) * 2)
            let scaled = try? Money(amount, .gbp).scaled(by: numerator, over: denominator).amount
            let expected =
                rounded > UInt128(Money.limit) ? nil : product < 0 ? -Int64(rounded) : Int64(rounded)
            #expect(scaled == expected, "\(amount) × \(numerator) / \(denominator)")
        }
    }

    @Test("a quotient of 64 set bits overflows and does not trap") func largestQuotient() {
        // 145295143558111 × 253921 = 2^65 − 1.
        #expect(throws: MoneyError.overflow) {
            try Money(145_295_143_558_111, .gbp).scaled(by: 253_921, over: 2)
        }
    }

    @Test("adding, subtracting and multiplying are what 128 bits say, or overflow") func arithmetic() {
        var random = SeededGenerator(seed: 3)
        func checked(_ exact: Int128) -> Int64? { exact.magnitude <= UInt128(Money.limit) ? Int64(exact) : nil }
        for round in 0..<20_000 {
            let shift = Int64(round % 64)
            let left = Int64.random(in: Int64.min...Int64.max, using: &random) >> shift
            let right = Int64.random(in: Int64.min...Int64.max, using: &random) >> (63 - shift)
            let (a, b) = (Money(left, .gbp), Money(right, .gbp))
            #expect((try? a.adding(b).amount) == checked(Int128(left) + Int128(right)))
            #expect((try? a.subtracting(b).amount) == checked(Int128(left) - Int128(right)))
            #expect((try? a.multiplied(by: right).amount) == checked(Int128(left) * Int128(right)))
        }
        #expect(throws: MoneyError.overflow) { try Money(1, .gbp).subtracting(Money(.min, .gbp)) }
        #expect(throws: MoneyError.overflow) { try Money(1, .gbp).multiplied(by: 1_000_000_000_000_000_000) }
    }

    @Test("2,000 lines at the limit add up in 64 bits") func manyLines() {
        let (sum, overflow) = Money.limit.multipliedReportingOverflow(by: 2_000)
        #expect(!overflow && sum > 0)
    }

    @Test("currencies do not mix") func mixing() throws {
        let pounds = Money(100, .gbp)
        let euros = Money(100, .eur)
        #expect(throws: MoneyError.mixedCurrencies(.gbp, .eur)) { try pounds.adding(euros) }
        #expect(throws: MoneyError.mixedCurrencies(.gbp, .eur)) { try pounds.subtracting(euros) }
        #expect(pounds != euros)
    }

    @Test("in JSON it is minor units and a code") func json() throws {
        let money = Money(1_999, .gbp)
        #expect(String(decoding: try JSON.encode(money), as: UTF8.self) == #"{"amount":1999,"currency":"GBP"}"#)
        #expect(try JSON(encoding: money).decode(Money.self) == money)
    }

    @Test(
        "JSON that is no money is refused by the decoder and by the schema",
        arguments: [
            #"{"amount":1000000000000001,"currency":"GBP"}"#, #"{"amount":1000000000000000000,"currency":"GBP"}"#,
            #"{"amount":-1000000000000001,"currency":"GBP"}"#, #"{"amount":1.5,"currency":"GBP"}"#,
            #"{"amount":"1","currency":"GBP"}"#, #"{"amount":1,"currency":"ZZZ"}"#, #"{"amount":1,"currency":"gbp"}"#,
            #"{"amount":1}"#, #"{"currency":"GBP"}"#, #"{"amount":null,"currency":"GBP"}"#,
        ])
    func refusedJSON(_ text: String) throws {
        let json = try JSON.parse(Array(text.utf8))
        #expect(throws: (any Error).self) { try json.decode(Money.self) }
        #expect(!Money.schema.violations(in: json).isEmpty)
    }

    @Test("a price is never negative and 2,000 of them stay money") func price() throws {
        let below = try JSON.parse(Array(#"{"amount":-1,"currency":"GBP"}"#.utf8))
        #expect(Money.price.violations(in: below).map(\.pointer) == ["/amount"])
    }

    @Test("ISO 4217: codes in capital letters with their own exponents") func currencies() throws {
        #expect(Currency("JPY")?.exponent == 0)
        #expect(Currency("KWD")?.exponent == 3)
        #expect(Currency("GBP") == .gbp)
        for code in ["", "gbp", "GB", "GBPX", "AAA", "XAU", "XTS", "XX" + "X", "DEM"] { #expect(Currency(code) == nil) }
        #expect(Currency.codes.count == Set(Currency.codes).count)
        #expect(Currency.codes.allSatisfy { $0.utf8.count == 3 })
        #expect(Currency.codes == Currency.codes.sorted())
    }
}
