import Contracts
import Kernel
import Wire

/// What search engines read: an index, and lists of at most 10,000 addresses.
///
/// A list is named by the handle that the one before ended with, so that each is made on its own, from there on,
/// without walking the catalogue from its start; only the index does that, and any cache keeps it for an hour.
extension Storefront {
    private static let productsInSitemap = 9_000
    private static let categoriesInSitemap = 990
    private static let sitemapAge = 3_600
    private static let batch = 500
    /// It walks the whole catalogue.
    private static let sitemapPatience = CallContext.defaultTimeout
    /// A million products; what is beyond is found by its links.
    private static let maximumSitemaps = 100

    var sitemapRoutes: [PageRoute] {
        [
            shared("/sitemap.xml", priority: .reports, patience: Self.sitemapPatience, sitemap),
            shared("/sitemaps/pages.xml", priority: .reports) { request in
                xml(Self.opening("urlset") + (try await pages(request.context)) + "</urlset>\n".utf8)
            },
            shared("/sitemaps/products.xml", priority: .reports, patience: Self.sitemapPatience) { request in
                let after = request.query.first("after").flatMap { $0.isEmpty || $0.utf8.count > 200 ? nil : $0 }
                let list = try await productList(after: after, request.context)
                return xml(Self.opening("urlset") + list.body + "</urlset>\n".utf8)
            },
            shared("/robots.txt") { _ in robots() },
        ]
    }

    /// All addresses while they fit one list, an index of lists when they no longer do.
    private func sitemap(_ request: PageRequest) async throws -> PageResponse {
        let pages = try await pages(request.context)
        let first = try await productList(after: nil, request.context)
        guard var after = first.next else {
            return xml(Self.opening("urlset") + pages + first.body + "</urlset>\n".utf8)
        }
        var body = Self.opening("sitemapindex")
        append("/sitemaps/pages.xml", in: "sitemap", to: &body)
        append("/sitemaps/products.xml", in: "sitemap", to: &body)
        for _ in 1..<Self.maximumSitemaps {
            append(Links.path("/sitemaps/products.xml", [("after", after)]), in: "sitemap", to: &body)
            guard let next = try await walk(after: after, limit: Self.productsInSitemap, request.context, { _ in })
            else { break }
            after = next
        }
        return xml(body + "</sitemapindex>\n".utf8)
    }

    /// The home page, the whole list and the categories.
    private func pages(_ context: CallContext) async throws -> [UInt8] {
        var body: [UInt8] = []
        for path in ["/", "/search"] { append(path, in: "url", to: &body) }
        let categories = try await products.categories(Nothing(), context).items.lazy.filter { $0.products > 0 }
        for category in categories.prefix(Self.categoriesInSitemap) {
            append(Links.category(category.handle), in: "url", to: &body)
        }
        return body
    }

    private func productList(after: String?, _ context: CallContext) async throws -> (body: [UInt8], next: String?) {
        var body: [UInt8] = []
        let next = try await walk(after: after, limit: Self.productsInSitemap, context) { handle in
            append(Links.product(handle), in: "url", to: &body)
        }
        return (body, next)
    }

    /// Gives the handles of at most `limit` products after one, those that are active.
    /// - Returns: the last handle looked at if there are more.
    private func walk(
        after: String?, limit: Int, _ context: CallContext, _ found: (String) -> Void
    ) async throws -> String? {
        var after = after
        var left = limit
        while left > 0 {
            try context.checkDeadline()
            let query = ExportQuery(after: after, limit: min(left, Self.batch))
            let page = try await products.export(query, context.acting(as: "storefront"))
            for draft in page.items where draft.status == .active { found(draft.handle) }
            guard let last = page.items.last?.handle, page.next != nil else { return nil }
            after = last
            left -= page.items.count
        }
        return after
    }

    private static func opening(_ element: String) -> [UInt8] {
        let schema = "http://www.sitemaps.org/schemas/sitemap/0.9"
        let text = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<\(element) xmlns=\"\(schema)\">\n"
        return Array(text.utf8)
    }

    private func append(_ path: String, in element: String, to body: inout [UInt8]) {
        body += "<\(element)><loc>".utf8
        EscapedHTML.append((settings.baseURL + path).utf8, to: &body)
        body += "</loc></\(element)>\n".utf8
    }

    private func xml(_ body: [UInt8]) -> PageResponse {
        PageResponse(
            contentType: "application/xml; charset=utf-8", body: body,
            cache: .edge(tags: [Tags.catalogue], maxAge: Self.sitemapAge))
    }

    private func robots() -> PageResponse {
        let text = """
            User-agent: *
            Disallow: /account
            Disallow: /api/
            Disallow: /cart
            Disallow: /checkout
            Disallow: /fragments/
            Disallow: /login
            Disallow: /orders
            Disallow: /register
            Disallow: /staff
            Disallow: /topology
            Sitemap: \(settings.baseURL)/sitemap.xml

            """
        return PageResponse(
            contentType: "text/plain; charset=utf-8", body: Array(text.utf8),
            cache: .edge(tags: [Tags.catalogue], maxAge: Self.sitemapAge))
    }
}
