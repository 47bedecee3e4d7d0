import Contracts
import Kernel
import Storefront
import Testing
import Wire

@Suite struct SitemapTests {
    @Test func everyActiveProductIsInExactlyOneList() async throws {
        let shop = Shop()
        let digits = { (number: Int) in String(String(100_000 + number).dropFirst()) }
        for number in 0..<10_250 {
            shop.add(.sample("product-\(digits(number))", status: number % 1_000 == 7 ? .draft : .active))
        }
        var browser = try Browser(shop)
        let index = try await browser.get("/sitemap.xml").text
        let lists = Self.addresses(index)
        #expect(lists.first == "https://shop.example/sitemaps/pages.xml")
        #expect(lists.count == 3)
        var found: [String] = []
        for list in lists.dropFirst() {
            let path = list.dropFirst("https://shop.example".count)
            let response = try await browser.get(String(path))
            #expect(response.contentType.hasPrefix("application/xml"))
            let addresses = Self.addresses(response.text)
            #expect(addresses.count <= 10_000)
            found += addresses
        }
        #expect(found.count == 10_250 - 11)
        #expect(Set(found).count == found.count)
        #expect(!found.contains("https://shop.example/products/product-00007"))
    }

    @Test func oneListHoldsASmallShop() async throws {
        let shop = Shop()
        shop.add(.sample("linen-shirt"))
        var browser = try Browser(shop)
        let addresses = Self.addresses(try await browser.get("/sitemap.xml").text)
        #expect(addresses.contains("https://shop.example/products/linen-shirt"))
        #expect(addresses.contains("https://shop.example/categories/shirts"))
    }

    @Test func categoriesAndRobots() async throws {
        var browser = try Browser(Shop())
        let pages = try await browser.get("/sitemaps/pages.xml").text
        #expect(Self.addresses(pages).contains("https://shop.example/categories/shirts"))
        #expect(try await browser.get("/robots.txt").text.contains("Sitemap: https://shop.example/sitemap.xml"))
    }

    private static func addresses(_ xml: String) -> [String] {
        xml.split(separator: "<loc>").dropFirst().map { String($0.prefix { $0 != "<" }) }
    }
}
