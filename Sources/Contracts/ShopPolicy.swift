public import Kernel

/// How the shop sells: its currency, shipping, taxes and coupons. Read from the settings once, at the start.
public struct ShopPolicy: Sendable {
    public struct ShippingMethod: Sendable, Codable {
        public var id: String
        public var title: String
        /// Minor units of the shop's currency.
        public var price: Int64
        /// Where it goes; everywhere if nil.
        public var countries: [String]?
        /// Free for goods of at least this much.
        public var free_over: Int64?

        public init(id: String, title: String, price: Int64, countries: [String]? = nil, free_over: Int64? = nil) {
            self.id = id
            self.title = title
            self.price = price
            self.countries = countries
            self.free_over = free_over
        }
    }

    public struct TaxRate: Sendable, Codable {
        public var country: String
        public var name: String
        /// Hundredths of a percent: 2000 is 20 %.
        public var basis_points: Int64
        /// Whether the catalogue's prices contain it already.
        public var inclusive: Bool
        /// Whether shipping is taxed too.
        public var on_shipping: Bool

        public init(country: String, name: String, basis_points: Int64, inclusive: Bool, on_shipping: Bool = true) {
            self.country = country
            self.name = name
            self.basis_points = basis_points
            self.inclusive = inclusive
            self.on_shipping = on_shipping
        }
    }

    public struct Coupon: Sendable, Codable {
        public var code: String
        /// Hundredths of a percent of the goods, or
        public var basis_points: Int64?
        /// minor units of the shop's currency.
        public var amount: Int64?
        public var minimum: Int64?
        public var expires_at: Timestamp?

        public init(
            code: String, basis_points: Int64? = nil, amount: Int64? = nil, minimum: Int64? = nil,
            expires_at: Timestamp? = nil
        ) {
            self.code = code
            self.basis_points = basis_points
            self.amount = amount
            self.minimum = minimum
            self.expires_at = expires_at
        }
    }

    public var name: String
    public var currency: Currency
    public var shipping: [ShippingMethod]
    public var taxes: [TaxRate]
    public var coupons: [Coupon]

    /// A shop without settings: one shipping method, free; no tax.
    public init(
        name: String = "Souk", currency: Currency = .gbp,
        shipping: [ShippingMethod] = [ShippingMethod(id: "standard", title: "Standard delivery", price: 0)],
        taxes: [TaxRate] = [], coupons: [Coupon] = []
    ) {
        self.name = name
        self.currency = currency
        self.shipping = shipping
        self.taxes = taxes
        self.coupons = coupons
    }
}
