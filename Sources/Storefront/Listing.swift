import Contracts
import Kernel

/// What a list of products is asked for, as its address says it. Prices are written as people type them (`12.50`).
struct Listing {
    var words: String?
    var category: String?
    var vendor: String?
    var priceMin: String?
    var priceMax: String?
    var isAvailable = false
    var isOnSale = false
    var sort: ProductSort?
    var after: String?

    /// The address of this list. A category without words has a page of its own.
    var link: String {
        let hasPage = words == nil && category != nil
        return Links.path(
            hasPage ? Links.category(category ?? "") : "/search",
            [
                ("q", words), ("category", hasPage ? nil : category), ("vendor", vendor), ("price_min", priceMin),
                ("price_max", priceMax), ("available", isAvailable ? "true" : nil),
                ("on_sale", isOnSale ? "true" : nil),
                ("sort", sort?.rawValue), ("after", after),
            ])
    }

    /// The address of this list changed in one respect, from its first page.
    func link(_ change: (inout Listing) -> Void) -> String {
        var listing = self
        listing.after = nil
        change(&listing)
        return listing.link
    }

    /// The filters in use, each with the way to take it off. The category counts only beside words: elsewhere it is
    /// the page itself.
    func chosen(category title: String?) -> [View] {
        var pills: [View] = []
        func pill(_ text: String, _ change: (inout Listing) -> Void) {
            pills.append(["text": text, "link": link(change)])
        }
        if words != nil, let category { pill(title ?? category) { $0.category = nil } }
        if let vendor { pill(vendor) { $0.vendor = nil } }
        if priceMin != nil || priceMax != nil {
            let text =
                switch (priceMin, priceMax) {
                case (let low?, let high?): "\(low) to \(high)"
                case (let low?, nil): "from \(low)"
                default: "up to \(priceMax ?? "")"
                }
            pill("Price " + text) { ($0.priceMin, $0.priceMax) = (nil, nil) }
        }
        if isAvailable { pill("In stock") { $0.isAvailable = false } }
        if isOnSale { pill("On sale") { $0.isOnSale = false } }
        return pills
    }

    /// The question for the catalogue. A price that is none is left out and said so.
    func query(_ currency: Currency) -> (query: ProductQuery, errors: FormErrors) {
        var errors = FormErrors()
        func minor(_ text: String?, _ label: String, _ name: String) -> Int64? {
            guard let text else { return nil }
            do {
                let money = try Money(decimal: text, currency, rounding: .halfUp)
                if money.amount >= 0 { return money.amount }
                errors.add(Field(name: name, label: label), "\(label): expected 0 or more, found \(text)")
            } catch { errors.add(Field(name: name, label: label), "\(label): \(error)") }
            return nil
        }
        let query = ProductQuery(
            q: words, category: category, vendor: vendor, price_min: minor(priceMin, "Lowest price", "price_min"),
            price_max: minor(priceMax, "Highest price", "price_max"), available: isAvailable ? true : nil,
            on_sale: isOnSale ? true : nil, sort: sort, after: after)
        return (query, errors)
    }
}

/// The product cards of lists.
enum Cards {
    /// At most this many available are said by their number.
    static let lowStock: Int64 = 5

    /// - Parameter isEager: the card is seen at once, so its picture is not put off.
    static func view(_ product: ProductSummary, isEager: Bool = false) -> View {
        let (badge, isSale): (String?, Bool) =
            if product.available == 0 {
                ("Sold out", false)
            } else {
                (discount(product.price, product.compare_at_price).map { "−\($0) %" }, true)
            }
        return [
            "link": Links.product(product.handle), "name": product.title, "maker": product.vendor ?? "",
            "image": Links.image(product.image?.src).orFalse, "price": Texts.money(product.price),
            "from": product.price_max > product.price,
            "was": was(product.price, product.compare_at_price).orFalse, "badge": badge.orFalse, "onSale": isSale,
            "stockNote": (1...lowStock).contains(product.available) ? "Only \(product.available) left" : false,
            "stockTone": "warn", "loading": isEager ? "eager" : "lazy",
        ]
    }

    /// The price before, only where it was higher.
    static func was(_ price: Money, _ before: Money?) -> String? {
        guard let before, before.currency == price.currency, before > price else { return nil }
        return Texts.money(before)
    }

    /// Whole percents off, rounded down so that no more is promised than given; nil if it is not one percent.
    static func discount(_ price: Money, _ before: Money?) -> Int64? {
        guard let before, before.currency == price.currency, before > price else { return nil }
        let percent = (before.amount - price.amount) * 100 / before.amount
        return percent > 0 ? percent : nil
    }
}
