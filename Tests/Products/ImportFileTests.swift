import Contracts
import Kernel
import Products
import Testing

@Suite("A file of products is taken row by row") struct ImportFileTests {
    private static let header =
        "Handle,Title,Option1 Name,Option1 Value,Variant SKU,Variant Inventory Qty,Variant Price"

    private func shopify(_ rows: String...) throws -> Import {
        try Import(([Self.header] + rows).joined(separator: "\n"))
    }

    private func error(_ text: String, map: [String: String] = [:]) -> String? {
        do {
            let found = try Import(text, map: map)
            return found.refused.first
        } catch { return "\(error)" }
    }

    @Test("padded headers, a byte order mark and CRLF make no difference", arguments: ["\n", "\r\n", "\r"])
    func headers(_ end: String) throws {
        let text = "\u{FEFF} handle , TITLE ,\"Variant Price \",Colour\(end) a , A thing , 1.50 ,x\(end)"
        let found = try Import(text)
        #expect(found.form == "shopify" && found.unused == ["Colour"] && found.refused == [])
        #expect(found.drafts.map(\.handle) == ["a"])
        #expect(found.drafts.first?.title == "A thing")
        #expect(found.drafts.first?.variants.first?.price == Money(150, .gbp))
    }

    @Test("further rows of a handle add variants and images") func variants() throws {
        let found = try Import(
            """
            Handle,Title,Body (HTML),Vendor,Product Category,Tags,Option1 Name,Option1 Value,Variant Price,Image Src,\
            Image Position,Status
            tee,Tee,"<p>Soft,
            ""good""</p>",Atlas,Clothing > Tees,"b, a",Size,S,10,two.png,2,draft
            tee,,,,,,,M,11,one.png,1,
            tee,,,,,,,,,three.png,3,
            mug,Mug,,,,,Title,Default Title,5,,,
            """)
        #expect(found.refused == [])
        #expect(found.products.map(\.line) == [2, 6])
        let tee = try #require(found.drafts.first)
        #expect(tee.description == "<p>Soft,\n\"good\"</p>" && tee.status == .draft && tee.vendor == "Atlas")
        #expect(tee.category == ["Clothing", "Tees"] && tee.tags == ["b", "a"] && tee.options == ["Size"])
        #expect(tee.variants.map(\.options) == [["S"], ["M"]] && tee.variants.map(\.price.amount) == [1_000, 1_100])
        #expect(tee.images.map(\.src) == ["one.png", "two.png", "three.png"])
        #expect(found.drafts.last?.options == [] && found.drafts.last?.variants.first?.options == [])
    }

    @Test(
        "a wrong row is refused by its line, its product is not taken, the others are",
        arguments: [
            ("b,B,,,X1,1,19.999", "3: Variant Price: '19.999' has more than the 2 decimals of GBP; b is not imported"),
            ("b,B,,,X1,1,-1", "3: Variant Price is -1, expected 0 or more; b is not imported"),
            (
                "b,B,,,X1,1,1e3",
                "3: Variant Price: '1e3' is not an amount of GBP, expected e.g. 19.99; b is not imported"
            ),
            (
                "b,B,,,X1,1,1000000000000000000",
                "3: Variant Price: the amount is larger than 1000000000000000 minor units; b is not imported"
            ),
            ("b,B,,,X1,-1,1", "3: Variant Inventory Qty is -1, expected 0 or more; b is not imported"),
            (
                "b,B,,,X1,1.5,1",
                "3: Variant Inventory Qty is '1.5', expected a whole number up to 1000000000; b is not imported"
            ),
            (
                "b,B,,,X1,1e18,1",
                "3: Variant Inventory Qty is '1e18', expected a whole number up to 1000000000; b is not imported"
            ),
            (
                "b,B,,,X1,nan,1",
                "3: Variant Inventory Qty is 'nan', expected a whole number up to 1000000000; b is not imported"
            ),
            ("b,B,,,A1,1,1", "3: the SKU A1 is repeated, it was at line 2; b is not imported"),
            ("b,B,,,X1,1,", "3: Variant Price is empty; b is not imported"),
            ("b,B,Size,,X1,1,1", "3: Option1 Value is empty, the product has the option Size; b is not imported"),
            ("b,,,,X1,1,1", "3: Title is empty in the first row of b"),
            (",B,,,X1,1,1", "3: Handle is empty, expected e.g. linen-shirt"),
            ("قميص,B,,,X1,1,1", "3: Handle is 'قميص', expected e.g. linen-shirt"),
            ("b,B,,,É1,1,1", "3: b: variants/0/sku: expected a SKU such as HOT-1, found text of 2 characters"),
            ("b,B,,,,,", "3: b has no row with a Variant Price"),
        ])
    func refused(_ row: String, _ message: String) throws {
        let found = try shopify("a,A,,,A1,1,1.00", row, "c,C,,,C1,1,3.00")
        #expect(found.refused == [message])
        #expect(found.drafts.map(\.handle) == ["a", "c"])
    }

    @Test("a repeated handle is refused at each of its rows") func repeatedHandle() throws {
        let found = try shopify("a,A,,,A1,1,1", "b,B,,,B1,1,1", "a,A,,,A2,1,1", "A,A,,,A3,1,1", "c,C,,,C1,1,1")
        #expect(
            found.refused == [
                "4: the handle a is repeated, its rows began at line 2",
                "5: the handle a is repeated, its rows began at line 2",
            ])
        #expect(found.drafts.map(\.handle) == ["a", "b", "c"])
    }

    @Test("one wrong variant refuses its product and no other: nothing is half done") func wrongVariant() throws {
        let found = try shopify(
            "a,A,Size,S,A1,1,1", "a,,,M,A2,-5,1", "a,,,L,A3,1,1", "b,B,,,B1,1,1")
        #expect(found.refused == ["3: Variant Inventory Qty is -5, expected 0 or more; a is not imported"])
        #expect(found.drafts.map(\.handle) == ["b"])
    }

    @Test("a ragged row is refused with its line, and what it may have belonged to") func ragged() throws {
        let short = try shopify("a,A,,,A1,1,1", "a,,x", "b,B,,,B1,1,1")
        #expect(short.refused == ["3: has 3 fields, the header has 7; a is not imported"])
        #expect(short.drafts.map(\.handle) == ["b"])
        let long = try shopify("a,A,,,A1,1,1,extra", "b,B,,,B1,1,1")
        #expect(long.refused == ["2: has 8 fields, the header has 7"])
        #expect(long.drafts.map(\.handle) == ["b"])
        let trailing = try shopify("a,A,,,A1,1,1,,,")
        #expect(trailing.refused == [] && trailing.drafts.count == 1)
    }

    @Test("NUL and broken UTF-8 in a row are refused with its line") func brokenBytes() throws {
        for broken in [[UInt8(0)], [0xFF, 0xFE]] {
            let bytes =
                Array((Self.header + "\na,A,,,A1,1,1\nb,B").utf8) + broken + Array(",,,B1,1,1\nc,C,,,C1,1,1\n".utf8)
            let found = try Import(CSVReader(bytes), ImportOptions(currency: .gbp))
            #expect(found.refused.count == 1 && found.refused.first?.hasPrefix("3: field 2 ") == true)
            #expect(found.drafts.map(\.handle) == ["c"])
        }
    }

    @Test("after an unclosed quote nothing is taken, and what was begun is refused") func unclosed() throws {
        let found = try shopify("a,A,,,A1,1,1", "b,B,,,B1,1,1", "b,,,\"x,B2,1,1", "c,C,,,C1,1,1")
        #expect(found.drafts.map(\.handle) == ["a"])
        #expect(
            found.refused == [
                "4: a quote that opens here is not closed; the rest of the file is not read; b is not imported"
            ])
    }

    @Test(
        "a file that is none of products is refused whole, saying what was expected",
        arguments: [
            ("", "line 1: the file is empty, expected a header row"),
            ("\n\r\n\n", "line 1: the file is empty, expected a header row"),
            ("\u{FEFF}", "line 1: the file is empty, expected a header row"),
            ("\u{7F}ELF\0\0", "line 1: field 1 contains a NUL byte; is this a CSV file?"),
            ("Handle,Title\na,b", "line 1: missing column Variant Price"),
            ("Type,SKU,Name\na,b,c", "line 1: missing column Regular price"),
            ("Handle,Title,Variant Price,title\n", "line 1: the column 'title' is there twice"),
            ("\"Handle,Title\n", "line 1: a quote that opens here is not closed"),
        ])
    func notProducts(_ text: String, _ message: String) { #expect(error(text) == message) }

    @Test("another form asks for a map, naming the columns it found") func unknownForm() {
        let found = error("# Read me\nThis is no CSV\n")
        #expect(found?.contains("# Read me") == true && found?.contains("--map") == true)
        #expect(error("{\"products\": []}")?.hasPrefix("line 1: neither Shopify's columns") == true)
    }

    @Test("a header alone is a catalogue of nothing") func headerOnly() throws {
        let found = try Import(Self.header)
        #expect(found.products.isEmpty && found.refused == [])
    }
}

@Suite("Any CSV is taken by a map") struct ImportMapTests {
    private let map = ["title": "Name", "price": "Cost", "sku": "Code", "stock": "Left", "status": "State"]
    private let header = "Code,Name,Cost,Left,State,Other\n"

    @Test("fields come from the columns that are named") func mapped() throws {
        let found = try Import(header + "A1,Red Hat,10.50,3,,x\nA2,Red Hat,11,,draft,y\n", map: map, stock: 9)
        #expect(found.form == "mapped" && found.unused == ["Other"] && found.refused == [])
        #expect(found.drafts.map(\.handle) == ["red-hat-a1", "red-hat-a2"])
        #expect(found.variants.map(\.stock) == [3, 9] && found.drafts.map(\.status) == [.active, .draft])
    }

    @Test(
        "wrong rows are refused by line",
        arguments: [
            ("A2,,1,1,,x", "3: Name is empty, expected a title"),
            ("A2,Hat,,1,,x", "3: Cost is empty, expected a price"),
            ("A1,Hat,1,1,,x", "3: the SKU A1 is repeated, it was at line 2"),
            ("A2,Hat,1.999,1,,x", "3: Cost: '1.999' has more than the 2 decimals of GBP"),
            ("A2,Hat,1,-1,,x", "3: Left is -1, expected 0 or more"),
            ("A2,Hat,1,1,sold,x", "3: status is 'sold', expected active, draft or archived"),
            ("A2,Hat,1", "3: has 3 fields, the header has 6"),
        ])
    func refused(_ row: String, _ message: String) throws {
        let found = try Import(header + "A1,Scarf,1,1,,x\n\(row)\nA9,Mug,1,1,,x\n", map: map)
        #expect(found.refused == [message])
        #expect(found.drafts.map(\.title) == ["Scarf", "Mug"])
    }

    @Test("a handle given twice is refused with advice") func repeatedHandle() throws {
        let found = try Import("Name,Cost\nHat,1\nHat,2\n", map: ["title": "Name", "price": "Cost"])
        #expect(found.refused == ["3: the handle hat is repeated, it was at line 2; map a sku to tell them apart"])
    }

    @Test(
        "a wrong map is refused at once",
        arguments: [
            (["title": "Name"], "line 1: --map: price=COLUMN is missing"),
            (["price": "Cost"], "line 1: --map: title=COLUMN is missing"),
            (["title": "Name", "price": "Price"], "line 1: missing column Price"),
            (["title": "Nom", "price": "Prix"], "line 1: missing columns Nom, Prix"),
        ])
    func wrongMap(_ map: [String: String], _ message: String) {
        let error = #expect(throws: CSVError.self) { try Import(header, map: map) }
        #expect(error?.description == message)
    }

    @Test("an unknown field is named with those there are") func unknownField() {
        let error = #expect(throws: CSVError.self) { try Import(header, map: ["colour": "Other"]) }
        #expect(error?.message.contains("'colour' is not a field, expected title, price") == true)
    }
}

@Suite("WooCommerce's CSV is taken") struct ImportWooCommerceTests {
    private static let header =
        "ID,Type,SKU,Name,Published,Stock,Sale price,Regular price,Parent,Attribute 1 name,Attribute 1 value(s)"

    private func woo(_ rows: String...) throws -> Import {
        try Import(([Self.header] + rows).joined(separator: "\r\n"))
    }

    @Test("variations come to their parent, by SKU or identifier, and are given at the end") func variations() throws {
        let found = try woo(
            "1,variable,tee,Tee,1,,,,,Size,\"S, M\"", "2,simple,mug,Mug,0,4,4.50,5.00,,,",
            "3,variation,tee-s,Tee - S,1,2,,10,tee,Size,S", "4,variation,tee-m,Tee - M,1,,,11,id:1,Size,M",
            "5,grouped,set,Set,1,,,,,,", "6,external,book,Book,1,,,9,,,")
        #expect(found.refused == [] && found.form == "woocommerce")
        #expect(found.drafts.map(\.handle) == ["mug", "tee"] && found.drafts.map(\.status) == [.draft, .active])
        #expect(found.drafts.first?.variants.first?.compare_at_price == Money(500, .gbp))
        #expect(found.drafts.last?.options == ["Size"])
        #expect(found.drafts.last?.variants.map(\.options) == [["S"], ["M"]])
        #expect(found.passedOver == ["6: Set only groups other products", "7: Book is sold elsewhere"])
    }

    @Test(
        "wrong rows are refused by line",
        arguments: [
            ("2,simple,a,B,1,1,,1,,,", "3: the SKU a is repeated, it was at line 2"),
            ("2,simple,b,B,1,-1,,1,,,", "3: Stock is -1, expected 0 or more"),
            ("2,simple,b,B,1,1,,1.999,,,", "3: Regular price: '1.999' has more than the 2 decimals of GBP"),
            ("2,simple,b,B,1,1,,,,,", "3: Regular price is empty"),
            ("2,simple,b,...,1,1,,1,,,", "3: Name is '...', expected a name with letters"),
            (
                "2,bundle,b,B,1,1,,1,,,",
                "3: Type is 'bundle', expected simple, variable, variation, grouped or external"
            ),
            ("2,variation,b,B,1,1,,1,no,,", "3: Parent is 'no', expected the SKU of a variable product above"),
            ("2,variable,b,B,1,,,,,Size,S", "3: the variable product has no variation"),
            ("2,simple,b", "3: has 3 fields, the header has 11"),
        ])
    func refused(_ row: String, _ message: String) throws {
        let found = try woo("1,simple,a,A,1,1,,1,,,", row, "9,simple,c,C,1,1,,1,,,")
        #expect(found.refused == [message])
        #expect(found.drafts.map(\.title).sorted() == ["A", "C"])
    }

    @Test("one wrong variation refuses its product; a file that breaks off refuses what it may have continued")
    func nothingHalf() throws {
        let wrong = try woo(
            "1,variable,tee,Tee,1,,,,,Size,S", "2,variation,s,S,1,1,,1,tee,Size,S", "3,variation,m,M,1,-1,,1,tee,Size,M"
        )
        #expect(wrong.products.isEmpty)
        #expect(wrong.refused == ["4: Stock is -1, expected 0 or more; tee is not imported"])
        let broken = try woo(
            "1,variable,tee,Tee,1,,,,,Size,S", "2,variation,s,S,1,1,,1,tee,Size,S", "3,simple,\"mug,M,1,1,,1,,,")
        #expect(broken.products.isEmpty && broken.refused.count == 2)
        #expect(broken.refused.last == "2: variations may follow line 4; tee is not imported")
    }
}
