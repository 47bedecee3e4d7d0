import Contracts
import Kernel

/// What a search asks of the index: words, filters, an order and a place to go on from.
struct Selection {
    let words: [String]
    let sort: ProductSort
    /// Nil for all.
    let status: CatalogueIndex.Status?
    let inStock: Bool?
    let onSale: Bool?
    let price: ClosedRange<Int64>
    let category: String?
    let vendor: String?
    let after: Cursor?
    let limit: Int
    /// Lower ends of the price facet, in minor units.
    let priceSteps: [Int64]

    struct Result {
        /// Row numbers, best first.
        var products: [Int64]
        /// The key of the last one where more follow.
        var next: (key: UInt64, product: Int64)?
        var total: Int
        var facets: Facets
    }

    /// Which filters a product fails; a facet counts those that fail no other than its own.
    private enum Fails {
        static let category: UInt8 = 1
        static let vendor: UInt8 = 2
        static let price: UInt8 = 4
        static let available: UInt8 = 8
    }

    /// The counts of all facets in one list, each facet with its place in it. Categories and vendors are counted from
    /// -1, which stands for none.
    private struct Places {
        let vendor, price, available, total, count: Int

        init(_ index: CatalogueIndex, prices: Int) {
            vendor = index.tree.categories.count + 1
            price = vendor + index.vendorNames.count + 1
            available = price + prices
            total = available + 2
            count = total + 1
        }
    }

    func run(on index: CatalogueIndex) -> Result {
        let matches = words.isEmpty ? nil : Matches(words, in: index)
        let places = Places(index, prices: priceSteps.count)
        var counts = [Int](repeating: 0, count: places.count)
        var best = Best(limit: limit + 1, titles: sort == .title ? index.titles : nil, after: after, index)
        let members = category.map { index.tree.members(of: $0) ?? [] }
        let maker = vendor.map { index.vendorNumber($0) ?? -2 }
        // Without the checks that an array makes at each access: this loop sees every product.
        counts.withUnsafeMutableBufferPointer { counts in
            index.listings.withUnsafeBufferPointer { listings in
                // Without words the newest first, so that most of the others are soon out of question.
                for position in 0..<(matches?.slots.count ?? listings.count) {
                    let slot = matches.map { Int($0.slots[position]) } ?? listings.count - 1 - position
                    let listing = listings[slot]
                    guard isShown(listing) else { continue }
                    let fails = failures(listing, members, maker)
                    guard fails & (fails &- 1) == 0 else { continue }
                    count(listing, fails, places, counts)
                    if fails == 0 { best.offer(slot, listing.product, key: key(of: listing, slot, matches)) }
                }
            }
        }
        let found = best.finish()
        let page = found.prefix(limit)
        return Result(
            products: page.map(\.product), next: found.count > limit ? page.last.map { ($0.key, $0.product) } : nil,
            total: counts[places.total], facets: facets(counts, places, index))
    }

    private func isShown(_ listing: CatalogueIndex.Listing) -> Bool {
        guard listing.status == status ?? listing.status, listing.status != .dead else { return false }
        return listing.isOnSale == onSale ?? listing.isOnSale
    }

    private func failures(_ listing: CatalogueIndex.Listing, _ members: [Bool]?, _ maker: Int32?) -> UInt8 {
        var fails: UInt8 = 0
        if let members {
            let number = Int(listing.category)
            if number < 0 || number >= members.count || !members[number] { fails |= Fails.category }
        }
        if let maker, listing.vendor != maker { fails |= Fails.vendor }
        if listing.price < price.lowerBound || listing.price > price.upperBound { fails |= Fails.price }
        if let inStock, inStock != listing.isInStock { fails |= Fails.available }
        return fails
    }

    private func count(
        _ listing: CatalogueIndex.Listing, _ fails: UInt8, _ places: Places, _ counts: UnsafeMutableBufferPointer<Int>
    ) {
        if fails == 0 { counts[places.total] += 1 }
        if fails & ~Fails.category == 0 { counts[Int(listing.category) + 1] += 1 }
        if fails & ~Fails.vendor == 0 { counts[places.vendor + Int(listing.vendor) + 1] += 1 }
        if fails & ~Fails.price == 0 {
            var step = priceSteps.count - 1
            while step > 0, priceSteps[step] > listing.price { step -= 1 }
            counts[places.price + step] += 1
        }
        if fails & ~Fails.available == 0 { counts[places.available + (listing.isInStock ? 0 : 1)] += 1 }
    }

    /// Smaller comes first.
    private func key(of listing: CatalogueIndex.Listing, _ slot: Int, _ matches: Matches?) -> UInt64 {
        switch sort {
        case .relevance:
            guard let matches else { return UInt64.max - UInt64(bitPattern: listing.created) }
            return UInt64(UInt32.max - matches.score(of: slot).bitPattern)
        case .newest: return UInt64.max - UInt64(bitPattern: listing.created)
        case .price_ascending: return UInt64(bitPattern: listing.price)
        case .price_descending: return UInt64.max - UInt64(bitPattern: listing.price)
        case .title: return listing.titleKey
        }
    }

    // MARK: Facets

    static let facetLimit = 200

    private func facets(_ counts: [Int], _ places: Places, _ index: CatalogueIndex) -> Facets {
        Facets(
            category: categoryFacet(Array(counts[1..<places.vendor]), index.tree),
            vendor: vendorFacet(Array(counts[(places.vendor + 1)..<places.price]), index.vendorNames),
            price: priceFacet(Array(counts[places.price..<places.available])),
            available: [
                Facets.Count(value: "true", title: "In stock", count: counts[places.available]),
                Facets.Count(value: "false", title: "Out of stock", count: counts[places.available + 1]),
            ])
    }

    /// With those below counted in, in the order of the tree; the largest where there are too many.
    private func categoryFacet(_ direct: [Int], _ tree: CategoryTree) -> [Facets.Count] {
        let counts = tree.rolledUp(direct)
        var shown = tree.order.filter { counts[$0] > 0 }
        if shown.count > Self.facetLimit {
            let kept = Set(shown.sorted { (counts[$1], $0) < (counts[$0], $1) }.prefix(Self.facetLimit))
            shown = shown.filter(kept.contains)
        }
        return shown.map {
            Facets.Count(value: tree.categories[$0].handle, title: tree.categories[$0].title, count: counts[$0])
        }
    }

    /// The most frequent first.
    private func vendorFacet(_ counts: [Int], _ names: [String]) -> [Facets.Count] {
        let shown = counts.indices.filter { counts[$0] > 0 }
            .sorted { counts[$0] != counts[$1] ? counts[$0] > counts[$1] : names[$0] < names[$1] }
        return shown.prefix(Self.facetLimit).map { Facets.Count(value: names[$0], title: names[$0], count: counts[$0]) }
    }

    private func priceFacet(_ counts: [Int]) -> [Facets.Count] {
        priceSteps.indices.filter { counts[$0] > 0 }.map { step in
            let value = "\(priceSteps[step])-" + (step + 1 < priceSteps.count ? "\(priceSteps[step + 1] - 1)" : "")
            return Facets.Count(value: value, title: value, count: counts[step])
        }
    }
}

/// The slots that have all words, and how well.
private struct Matches {
    let slots: [Int32]
    private let scores: [Float]

    func score(of slot: Int) -> Float { scores[slot] }

    /// A word that only begins as the query's last one counts for less.
    private static let prefixShare: Float = 0.8

    init(_ words: [String], in index: CatalogueIndex) {
        var scores = [Float](repeating: 0, count: index.count)
        /// How many of the words so far a slot has.
        var found = [UInt8](repeating: 0, count: index.count)
        var slots: [Int32] = []
        for (number, word) in words.enumerated() {
            let isLast = number == words.count - 1
            let lists = index.segments.map { Self.lists(of: word, isPrefix: isLast, in: $0) }
            let frequency = zip(index.segments, lists).reduce(0) { sum, pair in
                sum + pair.1.reduce(0) { $0 + pair.0.entries(of: $1.word).count }
            }
            let rarity = Self.rarity(frequency, of: index.count)
            let (before, after) = (UInt8(number), UInt8(number + 1))
            for (segment, lists) in zip(index.segments, lists) {
                for list in lists {
                    for entry in segment.entries(of: list.word) {
                        let slot = Int(segment.slots[entry])
                        // The first list that has it, the exact word's, counts.
                        guard found[slot] == before else { continue }
                        found[slot] = after
                        scores[slot] += rarity * list.share * Float(segment.weights[entry])
                        if isLast { slots.append(Int32(slot)) }
                    }
                }
            }
        }
        self.scores = scores
        self.slots = slots
    }

    private static func lists(
        of word: String, isPrefix: Bool, in segment: Segment
    ) -> [(word: Int, share: Float)] {
        guard isPrefix else { return segment.position(of: word).map { [($0, Float(1))] } ?? [] }
        // The exact word is the first of those that begin with it.
        return segment.words(beginningWith: word).map {
            (word: $0, share: segment.words[$0] == word ? Float(1) : prefixShare)
        }
    }

    /// How much a rare word says more than a frequent one: 1 and one more for each halving. In whole steps, so that a
    /// few products more do not change an order between two pages.
    private static func rarity(_ frequency: Int, of count: Int) -> Float {
        let ratio = UInt(max(1, count / max(1, frequency)))
        return Float(1 + UInt.bitWidth - 1 - ratio.leadingZeroBitCount)
    }
}

/// The first few of many, by key, after a cursor.
private struct Best {
    struct Entry {
        let key: UInt64
        let product: Int64
        let slot: Int
    }
    private let limit: Int
    /// From so many on they are cut to `limit`.
    private let capacity: Int
    /// By slot, where titles make the order.
    private let titles: [String]?
    private var entries: [Entry] = []
    /// Nothing at or after it is of interest.
    private var worst: Entry?
    private let start: Entry?

    init(limit: Int, titles: [String]?, after: Cursor?, _ index: CatalogueIndex) {
        self.limit = limit
        self.titles = titles
        start = after.map { Entry(key: $0.key, product: $0.product, slot: index.slot(of: $0.product) ?? -1) }
        capacity = max(64, 4 * limit)
        entries.reserveCapacity(capacity)
    }

    mutating func offer(_ slot: Int, _ product: Int64, key: UInt64) {
        let entry = Entry(key: key, product: product, slot: slot)
        if let worst, key > worst.key || !Self.precedes(entry, worst, titles) { return }
        if let start, !Self.precedes(start, entry, titles) { return }
        entries.append(entry)
        if entries.count == capacity { cut() }
    }

    mutating func finish() -> [Entry] {
        cut()
        return entries
    }

    private mutating func cut() {
        entries.sort { [titles] in Self.precedes($0, $1, titles) }
        if entries.count > limit { entries.removeLast(entries.count - limit) }
        if entries.count == limit { worst = entries.last }
    }

    /// Where keys are equal the newer product comes first; titles are compared to their end before.
    private static func precedes(_ left: Entry, _ right: Entry, _ titles: [String]?) -> Bool {
        if left.key != right.key { return left.key < right.key }
        if let titles, left.slot >= 0, right.slot >= 0, left.slot != right.slot {
            let (a, b) = (titles[left.slot], titles[right.slot])
            if a != b { return a.utf8.lexicographicallyPrecedes(b.utf8) }
        }
        return left.product > right.product
    }
}
