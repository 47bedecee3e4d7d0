import Contracts
import Kernel
import Wire

/// What search engines read: an index, and lists of at most 10,000 addresses.
///
/// A list is named by the handle that the one before ended with, so that each is made on its own, from there on,
/// without walking the catalogue from its start; only the index does that, and any cache keeps it for an hour.
extension Storefront {
    static let addressesInSitemap = 10_000
    private static let sitemapAge = 3_600
    private static let batch = 500
    /// A million products; what is beyond is found by its links.
    private static let maximumSitemaps = 100

    var sitemapRoutes: [PageRoute] {
        [
            shared("/sitemap.xml", priority: .reports, sitemapIndex),
            shared("/sitemaps/pages.xml", priority: .reports, categorySitemap),
            shared("/sitemaps/products.xml", priority: .reports) { request in
                var body = Self.opening("urlset")
                let after = request.query.first("after").flatMap { $0.isEmpty || $0.utf8.count > 200 ? nil : $0 }
                _ = try await walk(after: after, limit: Self.addressesInSitemap, request.context) { handle in
                    self.append(Links.product(handle), in: "url", to: &body)
                }
                return xml(body + "</urlset>\n".utf8)
            },
            shared("/robots.txt") { _ in robots() },
        ]
    }

    private func sitemapIndex(_ request: PageRequest) async throws -> PageResponse {
        var body = Self.opening("sitemapindex")
        append("/sitemaps/pages.xml", in: "sitemap", to: &body)
        var after: String?
        for _ in 0..<Self.maximumSitemaps {
            append(Links.path("/sitemaps/products.xml", [("after", after)]), in: "sitemap", to: &body)
            after = try await walk(after: after, limit: Self.addressesInSitemap, request.context) { _ in }
            if after == nil { break }
        }
        return xml(body + "</sitemapindex>\n".utf8)
    }

    private func categorySitemap(_ request: PageRequest) async throws -> PageResponse {
        var body = Self.opening("urlset")
        for path in ["/", "/search"] { append(path, in: "url", to: &body) }
        for category in try await products.categories(Nothing(), request.context).items where category.products > 0 {
            append(Links.category(category.handle), in: "url", to: &body)
        }
        return xml(body + "</urlset>\n".utf8)
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
            cache: .edge(tags: [], maxAge: Self.sitemapAge))
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
            Sitemap: \(settings.baseURL)/sitemap.xml

            """
        return PageResponse(
            contentType: "text/plain; charset=utf-8", body: Array(text.utf8),
            cache: .edge(tags: [], maxAge: Self.sitemapAge))
    }
}
