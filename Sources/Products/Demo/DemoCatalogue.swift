public import Contracts
public import Kernel

/// A made-up catalogue, the same for the same seed: believable names, prices, options, stock, and drawn pictures.
public struct DemoCatalogue: Sendable {
    public struct Item: Sendable {
        public var draft: ProductDraft
        /// What to put into the object store: the picture's key, and how to draw it.
        public var pictures: [Picture]
    }

    public struct Picture: Hashable, Sendable {
        public var key: String
        let motif: Motif
        let colour: Int
        let style: Int
        public var svg: String { motif.svg(colour: colour, style: style) }
    }

    private let seed: UInt64
    private let currency: Currency

    public init(seed: UInt64, currency: Currency) {
        self.seed = seed
        self.currency = currency
    }

    /// The product of that number, counted from 0: each can be made without the others.
    public func item(_ number: Int) -> Item {
        var random = SeededGenerator(seed: seed &* 0x2545_F491_4F6C_DD1D &+ UInt64(number))
        let kind = DemoKind.all[Int(random.next() % UInt64(DemoKind.all.count))]
        let palette = DemoWords.colours.indices.shuffled(using: &random)
        let colours = Array(palette.prefix(Int.random(in: 1...4, using: &random)))
        let style = Int.random(in: 0..<4, using: &random)
        let series = DemoWords.series.randomElement(using: &random) ?? "Atlas"
        let material = kind.materials.randomElement(using: &random) ?? ""
        let vendor = DemoWords.vendors.randomElement(using: &random) ?? "Souk"
        let title = [series, material, kind.noun].filter { !$0.isEmpty }.joined(separator: " ")
        let handle = title.handleForm + "-" + String(number + 1)
        let pictures = colours.map { colour in
            Picture(
                key: "demo/\(kind.motif.rawValue)-\(colour)-\(style).svg", motif: kind.motif, colour: colour,
                style: style)
        }
        let price = price(of: kind, &random)
        let isOnSale = Int.random(in: 0..<5, using: &random) == 0
        let sizes = kind.sizes.isEmpty ? [""] : kind.sizes
        var variants: [ProductDraft.Variant] = []
        for (index, colour) in colours.enumerated() {
            for (step, size) in sizes.enumerated() {
                let amount = price + Int64(kind.sizesCostMore ? step : 0) * (price / 400 * 100)
                var options: [String] = []
                if colours.count > 1 { options.append(DemoWords.colours[colour].name) }
                if !size.isEmpty { options.append(size) }
                variants.append(
                    ProductDraft.Variant(
                        sku: sku(kind, number, DemoWords.colours[colour].name, size), options: options,
                        price: Money(amount, currency),
                        compare_at_price: isOnSale ? Money(amount * 5 / 4 / 100 * 100 + 99, currency) : nil,
                        stock: stock(&random), weight_grams: kind.grams, image: "/images/" + pictures[index].key))
            }
        }
        var names: [String] = []
        if colours.count > 1 { names.append("Colour") }
        if !kind.sizes.isEmpty { names.append("Size") }
        let draft = ProductDraft(
            handle: handle, title: title, description: describe(title, kind, material, vendor, &random),
            vendor: vendor, category: [kind.department, kind.category],
            tags: [material.lowercased(), series.lowercased(), kind.motif.rawValue].filter { !$0.isEmpty },
            images: pictures.enumerated().map { index, picture in
                let colour = DemoWords.colours[colours[index]].name.lowercased()
                return ProductImage(src: "/images/" + picture.key, alt: "\(title) in \(colour), drawn")
            },
            options: names, variants: variants)
        return Item(draft: draft, pictures: pictures)
    }

    private func price(of kind: DemoKind, _ random: inout SeededGenerator) -> Int64 {
        let pounds = Int64.random(in: kind.price, using: &random)
        // Whole units for a currency without decimals; otherwise the shop's habit: 24.00, 24.50 or 24.95.
        guard currency.exponent > 0 else { return pounds * 100 }
        let ending = [0, 50, 95].randomElement(using: &random) ?? 0
        return (pounds * 100 + Int64(ending)) * currency.minorUnits / 100
    }

    private func stock(_ random: inout SeededGenerator) -> Int64 {
        switch Int.random(in: 0..<20, using: &random) {
        case 0: 0
        case 1, 2: Int64.random(in: 1...5, using: &random)
        default: Int64.random(in: 10...200, using: &random)
        }
    }

    private func sku(_ kind: DemoKind, _ number: Int, _ colour: String, _ size: String) -> String {
        let measure = String(size.uppercased().filter { $0 != " " }.map { $0 == "×" ? "X" : $0 })
        let parts = [kind.code, String(number + 1), String(colour.uppercased().prefix(3)), measure]
        return parts.filter { !$0.isEmpty }.joined(separator: "-")
    }

    private func describe(
        _ title: String, _ kind: DemoKind, _ material: String, _ vendor: String, _ random: inout SeededGenerator
    ) -> String {
        let opening = DemoWords.openings.randomElement(using: &random) ?? ""
        let care = DemoWords.care.randomElement(using: &random) ?? ""
        let maker = DemoWords.makers.randomElement(using: &random) ?? ""
        let made = material.isEmpty ? "" : "<li>Made of \(material.lowercased())</li>"
        return """
            <p>\(opening) \(kind.line)</p>
            <ul>\(made)<li>\(care)</li><li>About \(kind.grams) g</li></ul>
            <p>\(vendor.split(separator: "&", omittingEmptySubsequences: false).joined(separator: "&amp;")) \(maker)</p>
            """
    }
}

/// A kind of thing that the demo sells.
struct DemoKind: Sendable {
    let noun: String
    let department: String
    let category: String
    let motif: Motif
    let materials: [String]
    let sizes: [String]
    let price: ClosedRange<Int64>
    let grams: Int64
    let line: String
    var sizesCostMore: Bool { sizes.first?.contains("cm") == true }
    var code: String { String(noun.uppercased().filter(\.isLetter).prefix(4)) }

    static let clothing = ["XS", "S", "M", "L", "XL"]

    static let all: [DemoKind] = [
        DemoKind(
            noun: "Shirt", department: "Clothing", category: "Shirts", motif: .shirt,
            materials: ["Linen", "Oxford Cotton", "Chambray", "Flannel"], sizes: clothing, price: 29...89, grams: 240,
            line: "Cut to be worn open or buttoned, with room in the shoulders and a collar that stays put."),
        DemoKind(
            noun: "Scarf", department: "Clothing", category: "Scarves", motif: .scarf,
            materials: ["Wool", "Cashmere", "Silk", "Cotton"], sizes: [], price: 19...120, grams: 160,
            line: "Long enough for two turns, light enough to forget."),
        DemoKind(
            noun: "Beanie", department: "Clothing", category: "Hats", motif: .hat,
            materials: ["Merino", "Lambswool", "Ribbed Cotton"], sizes: [], price: 15...45, grams: 90,
            line: "Close-knit, with a deep fold that covers the ears on bad days."),
        DemoKind(
            noun: "Tote", department: "Bags", category: "Totes", motif: .tote,
            materials: ["Canvas", "Leather", "Waxed Cotton"], sizes: [], price: 18...140, grams: 420,
            line: "Carries a market's worth and folds flat on the way there."),
        DemoKind(
            noun: "Backpack", department: "Bags", category: "Backpacks", motif: .backpack,
            materials: ["Canvas", "Recycled Nylon", "Leather"], sizes: ["18 L", "24 L"], price: 49...180, grams: 900,
            line: "A padded sleeve, two honest pockets and straps that do not creep."),
        DemoKind(
            noun: "Rug", department: "Living", category: "Rugs", motif: .rug,
            materials: ["Wool", "Jute", "Kilim", "Cotton"], sizes: ["80 × 150 cm", "120 × 180 cm", "160 × 230 cm"],
            price: 79...320, grams: 4_200, line: "Flat-woven by hand; it lies down the first day and stays."),
        DemoKind(
            noun: "Table Lamp", department: "Living", category: "Lamps", motif: .lamp,
            materials: ["Brass", "Ceramic", "Oak", "Smoked Glass"], sizes: [], price: 39...210, grams: 1_800,
            line: "A warm pool of light for a desk or a long evening."),
        DemoKind(
            noun: "Cushion", department: "Living", category: "Cushions", motif: .cushion,
            materials: ["Velvet", "Linen", "Boucle", "Wool"], sizes: ["45 × 45 cm", "60 × 40 cm"], price: 19...65,
            grams: 700, line: "Filled with feather, closed with a zip that hides."),
        DemoKind(
            noun: "Vase", department: "Living", category: "Vases", motif: .vase,
            materials: ["Stoneware", "Terracotta", "Blown Glass", "Porcelain"], sizes: [], price: 22...130,
            grams: 1_100, line: "Good with one branch, better with an armful."),
        DemoKind(
            noun: "Candle", department: "Living", category: "Candles", motif: .candle,
            materials: ["Beeswax", "Cedar", "Fig", "Orange Blossom"], sizes: [], price: 9...48, grams: 320,
            line: "Forty quiet hours, hardly any smoke."),
        DemoKind(
            noun: "Mug", department: "Kitchen", category: "Mugs", motif: .mug,
            materials: ["Stoneware", "Porcelain", "Enamel"], sizes: [], price: 8...28, grams: 350,
            line: "Holds a proper cup, and the heat, and sits well in two hands."),
        DemoKind(
            noun: "Teapot", department: "Kitchen", category: "Teapots", motif: .teapot,
            materials: ["Cast Iron", "Stoneware", "Glass", "Porcelain"], sizes: ["0.6 L", "1.2 L"], price: 28...110,
            grams: 950, line: "Pours without a drip, which is rarer than it should be."),
        DemoKind(
            noun: "Bowl", department: "Kitchen", category: "Bowls", motif: .bowl,
            materials: ["Olive Wood", "Stoneware", "Walnut", "Terracotta"], sizes: ["15 cm", "22 cm", "30 cm"],
            price: 12...64, grams: 600, line: "For salad, for dough, for keys, for lemons."),
        DemoKind(
            noun: "Spice Jar", department: "Kitchen", category: "Spices", motif: .jar,
            materials: ["Saffron", "Sumac", "Za'atar", "Cumin", "Ras el Hanout"], sizes: ["50 g", "100 g", "250 g"],
            price: 4...29, grams: 180, line: "Ground in small lots, so that it still smells of something."),
        DemoKind(
            noun: "Notebook", department: "Paper", category: "Notebooks", motif: .notebook,
            materials: ["Dotted", "Plain", "Ruled", "Clothbound"], sizes: ["A6", "A5"], price: 6...32, grams: 260,
            line: "Opens flat, takes ink, asks nothing."),
        DemoKind(
            noun: "Earrings", department: "Jewellery", category: "Earrings", motif: .earrings,
            materials: ["Silver", "Gold-plated", "Brass", "Pearl"], sizes: [], price: 14...160, grams: 12,
            line: "Small enough for every day, bright enough for some."),
        DemoKind(
            noun: "Chair", department: "Living", category: "Chairs", motif: .chair,
            materials: ["Oak", "Ash", "Walnut", "Rattan"], sizes: [], price: 89...420, grams: 5_200,
            line: "Joined, not screwed; it will outlive the table."),
        DemoKind(
            noun: "Plant Pot", department: "Garden", category: "Pots", motif: .pot,
            materials: ["Terracotta", "Glazed", "Zinc", "Concrete"], sizes: ["12 cm", "18 cm", "26 cm"], price: 7...58,
            grams: 1_300, line: "With a hole and a saucer, as a pot should have."),
    ]
}

enum DemoWords {
    static let colours: [(name: String, main: String, dark: String, light: String)] = [
        ("Indigo", "#3b4a7a", "#2a3559", "#8d9ac4"), ("Saffron", "#d9932f", "#a96d1a", "#f3cf93"),
        ("Clay", "#b5603f", "#86432a", "#e3ab94"), ("Olive", "#76804a", "#545c33", "#b9c290"),
        ("Sand", "#c9b28a", "#9a8560", "#eadfc6"), ("Night", "#2f3440", "#1d2129", "#7b8496"),
        ("Rose", "#b96a78", "#8c4754", "#e7b9c1"), ("Sea", "#3f8088", "#2a5b62", "#98c7cc"),
        ("Pomegranate", "#97303f", "#6d1f2c", "#d48a95"), ("Mint", "#79a890", "#54806a", "#c1ddcf"),
        ("Chalk", "#e4e0d8", "#b9b3a6", "#f6f4ef"), ("Plum", "#6a4670", "#4b2f50", "#b394b8"),
    ]
    static let series = [
        "Atlas", "Medina", "Fes", "Amira", "Zellige", "Tangier", "Cedar", "Sahel", "Marrakesh", "Rif", "Nour", "Safi",
        "Agadir", "Dune", "Oasis", "Meknes", "Argan", "Essaouira", "Asilah", "Layla", "Sirocco", "Tamar", "Yasmin",
        "Kasbah",
    ]
    static let vendors = [
        "Hands of Fes", "Blue Gate", "Dar Studio", "Northern Loom", "Kiln & Co", "Maison Safi", "Old Harbour",
        "Paper Lane", "Two Cedars", "Bright Copper", "Field Office", "Atelier Nour", "Salt & Loom", "Weaver's Yard",
        "Lantern Works", "Quiet Goods",
    ]
    static let openings = [
        "Made slowly, for daily use.", "A plain thing done well.", "The one our own people take home.",
        "Back by request.", "Small batch, numbered by hand.", "New this season.",
    ]
    static let care = [
        "Wipe with a damp cloth", "Hand wash, dry in the shade", "Improves with use", "Keep out of strong sun",
        "Machine wash at 30 °C",
    ]
    static let makers = [
        "is a workshop of six that has been at it for thirty years.", "pays by the piece, and says how much.",
        "works with three families of makers in the old town.", "repairs everything it sells.",
        "began as a market stall and still has it.",
    ]
}
