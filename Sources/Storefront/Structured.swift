import Contracts
import Kernel

/// schema.org's words about a page, for search engines: JSON-LD in a data block, which is no script to a browser.
enum Structured {
    /// So many variants are named one by one; a product with more says its range of prices.
    static let maximumOffers = 50

    static func product(_ product: Product, base: String) -> JSON {
        var object: JSONObject = [
            "@context": "https://schema.org", "@type": "Product", "name": .string(product.title),
            "url": .string(base + Links.product(product.handle)),
            "description": .string(Texts.excerpt(product.description, limit: 500)),
        ]
        let images = product.images.compactMap { Links.image($0.src) }.prefix(10)
        if !images.isEmpty { object["image"] = .array(images.map { .string(absolute($0, base)) }) }
        if let vendor = product.vendor { object["brand"] = ["@type": "Brand", "name": .string(vendor)] }
        if let category = product.category { object["category"] = .string(category.title) }
        if product.variants.count == 1, let sku = product.variants.first?.sku { object["sku"] = .string(sku) }
        object["offers"] = offers(product, base)
        return .object(object)
    }

    private static func offers(_ product: Product, _ base: String) -> JSON? {
        guard let lowest = product.variants.min(by: { $0.price.amount < $1.price.amount }),
            let highest = product.variants.max(by: { $0.price.amount < $1.price.amount })
        else { return nil }
        if product.variants.count <= maximumOffers {
            return .array(product.variants.map { offer($0, product, base) })
        }
        return [
            "@type": "AggregateOffer", "lowPrice": .string(lowest.price.decimal),
            "highPrice": .string(highest.price.decimal), "priceCurrency": .string(lowest.price.currency.code),
            "offerCount": .integer(Int64(product.variants.count)),
            "availability": availability(product.variants.contains { $0.available > 0 }),
        ]
    }

    private static func offer(_ variant: Variant, _ product: Product, _ base: String) -> JSON {
        [
            "@type": "Offer", "sku": .string(variant.sku), "name": .string(variant.title),
            "price": .string(variant.price.decimal), "priceCurrency": .string(variant.price.currency.code),
            "availability": availability(variant.available > 0), "itemCondition": "https://schema.org/NewCondition",
            "url": .string(base + Links.product(product.handle)),
        ]
    }

    private static func availability(_ isAvailable: Bool) -> JSON {
        isAvailable ? "https://schema.org/InStock" : "https://schema.org/OutOfStock"
    }

    /// The way to a page, from the home page down. The last step may have no link.
    static func breadcrumbs(_ crumbs: [(name: String, link: String?)], base: String) -> JSON {
        [
            "@context": "https://schema.org", "@type": "BreadcrumbList",
            "itemListElement": .array(
                crumbs.enumerated().map { index, crumb in
                    var item: JSONObject = [
                        "@type": "ListItem", "position": .integer(Int64(index + 1)), "name": .string(crumb.name),
                    ]
                    if let link = crumb.link { item["item"] = .string(base + link) }
                    return .object(item)
                }),
        ]
    }

    /// The shop and its search field.
    static func site(name: String, base: String) -> JSON {
        [
            "@context": "https://schema.org", "@type": "WebSite", "name": .string(name), "url": .string(base + "/"),
            "potentialAction": [
                "@type": "SearchAction", "target": .string(base + "/search?q={search_term_string}"),
                "query-input": "required name=search_term_string",
            ],
        ]
    }

    static func absolute(_ source: String, _ base: String) -> String {
        source.hasPrefix("/") ? base + source : source
    }
}
