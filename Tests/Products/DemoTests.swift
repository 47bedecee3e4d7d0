import Contracts
import Foundation
import Kernel
import Products
import Testing

#if canImport(FoundationXML)
import FoundationXML
#endif

@Suite("The demo is the same every time and right for the shop") struct DemoTests {
    private let demo = DemoCatalogue(seed: 1, currency: .gbp)

    @Test("the same seed gives the same products, each without the others") func sameSeed() {
        let again = DemoCatalogue(seed: 1, currency: .gbp)
        let forwards = (0..<200).map { demo.item($0).draft }
        let backwards = (0..<200).reversed().map { again.item($0).draft }
        #expect(forwards == backwards.reversed())
        #expect((0..<200).map { demo.item($0).pictures } == (0..<200).map { again.item($0).pictures })
    }

    @Test("another seed gives others") func otherSeed() {
        let other = DemoCatalogue(seed: 2, currency: .gbp)
        #expect((0..<200).filter { demo.item($0).draft.title == other.item($0).draft.title }.count < 20)
    }

    @Test("every product is one that the catalogue takes") func schema() throws {
        for number in 0..<2_000 {
            let draft = demo.item(number).draft
            let violations = ProductDraft.schema.violations(in: try JSON(encoding: draft))
            #expect(violations.isEmpty, "\(number): \(violations)")
            #expect(draft.variants.allSatisfy { $0.options.count == draft.options.count })
            #expect(Set(draft.variants.map(\.options)).count == draft.variants.count)
            for variant in draft.variants {
                if let before = variant.compare_at_price { #expect(before > variant.price) }
            }
        }
    }

    @Test("handles and SKUs are unique over 20,000 products") func unique() {
        var handles: Set<String> = []
        var skus: Set<String> = []
        var count = 0
        for number in 0..<20_000 {
            let draft = demo.item(number).draft
            handles.insert(draft.handle)
            skus.formUnion(draft.variants.compactMap(\.sku))
            count += draft.variants.count
        }
        #expect(handles.count == 20_000)
        #expect(skus.count == count)
    }

    @Test("its shop has on-sale, sold-out and plenty, in many categories of many vendors") func variety() {
        let drafts = (0..<2_000).map { demo.item($0).draft }
        #expect(Set(drafts.map(\.category)).count > 10)
        #expect(Set(drafts.compactMap(\.vendor)).count > 10)
        let variants = drafts.flatMap(\.variants)
        #expect(variants.contains { $0.compare_at_price != nil } && variants.contains { $0.compare_at_price == nil })
        #expect(variants.contains { $0.stock == 0 } && variants.contains { ($0.stock ?? 0) > 100 })
    }

    @Test(
        "prices fit the currency", arguments: [("JPY", 400...90_000), ("KWD", 4_000...900_000), ("GBP", 400...90_000)])
    func prices(_ code: String, _ range: ClosedRange<Int>) throws {
        let demo = DemoCatalogue(seed: 1, currency: try #require(Currency(code)))
        for number in 0..<300 {
            for variant in demo.item(number).draft.variants {
                #expect(variant.price.currency.code == code && range.contains(Int(variant.price.amount)))
            }
        }
    }

    @Test("pictures are small, well-formed SVG without script; a key is one picture") func pictures() throws {
        var drawn: [String: String] = [:]
        for number in 0..<3_000 {
            let item = demo.item(number)
            let keys = Set(item.pictures.map { "/images/" + $0.key })
            #expect(item.draft.images.map(\.src) == item.pictures.map { "/images/" + $0.key })
            #expect(item.draft.variants.allSatisfy { $0.image.map(keys.contains) == true })
            for picture in item.pictures {
                let svg = drawn[picture.key] ?? picture.svg
                if drawn.updateValue(svg, forKey: picture.key) == nil {
                    let problems = SVGCheck(svg).problems
                    #expect(problems == [], "\(picture.key)")
                }
            }
        }
        #expect(drawn.count > 500)
        #expect(drawn.values.allSatisfy { $0.utf8.count < 8_192 })
    }
}

/// Reads an SVG as XML and collects what should not be there.
private final class SVGCheck: NSObject, XMLParserDelegate {
    private(set) var problems: [String] = []
    private var identifiers: Set<String> = []
    private static let elements: Set<String> = [
        "svg", "defs", "pattern", "rect", "path", "circle", "ellipse", "linearGradient", "radialGradient", "stop", "g",
    ]

    init(_ text: String) {
        super.init()
        let parser = XMLParser(data: Data(text.utf8))
        parser.delegate = self
        if !parser.parse() {
            problems.append("not well-formed: \(parser.parserError.map(String.init(describing:)) ?? "")")
        }
    }

    func parser(
        _ parser: XMLParser, didStartElement name: String, namespaceURI: String?, qualifiedName: String?,
        attributes: [String: String] = [:]
    ) {
        if !Self.elements.contains(name) { problems.append("<\(name)>") }
        if let identifier = attributes["id"], !identifiers.insert(identifier).inserted {
            problems.append("the id \(identifier) twice")
        }
        for (key, value) in attributes {
            let refersOutside = key != "xmlns" && (value.contains("://") || value.contains("javascript:"))
            if key.hasPrefix("on") || key.hasSuffix("href") || refersOutside { problems.append("\(key)=\(value)") }
        }
    }
}
