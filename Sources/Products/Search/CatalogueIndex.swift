import Contracts
import Database
import Kernel
import Synchronization

/// The catalogue in memory, as columns and an inverted index, so that a search costs microseconds and its counts are
/// exact. It follows the tables: each product carries the number of its last change, and a search reads what is newer
/// than what it has. So every process has its own, and a write costs the writer nothing.
///
/// A product whose words change gets a new slot and its old one is dead; other changes happen in place. New slots make
/// a small segment, and segments of like size are merged, so that there are few.
///
/// Measured with the demo's products: 9 MB and 0.14 s to read 10,000, 430 MB and 14 s for a million.
struct CatalogueIndex: Sendable {
    enum Status: UInt8 {
        case active, draft, archived, dead

        init(_ status: ProductStatus) {
            switch status {
            case .active: self = .active
            case .draft: self = .draft
            case .archived: self = .archived
            }
        }
    }
    private(set) var version: Int64 = 0
    private(set) var tree = CategoryTree()
    /// What filters, counts and orders look at, by slot.
    private(set) var listings: [Listing] = []
    /// What products are ordered by when that is their title, by slot.
    private(set) var titles: [String] = []

    private(set) var segments: [Segment] = []
    private(set) var vendorNames: [String] = []
    private var vendorNumbers: [String: Int32] = [:]
    /// By a product's row number, which count from 1 without large gaps; -1 for none.
    private var slots: [Int32] = []
    private var dead = 0

    struct Listing: Sendable {
        /// Its row's number.
        let product: Int64
        var price: Int64 = 0
        var created: Int64 = 0
        /// The first 8 bytes of its title's form.
        var titleKey: UInt64 = 0
        /// A category's number, -1 for none.
        var category: Int32 = -1
        /// -1 for none.
        var vendor: Int32 = -1
        var status = Status.dead
        var isInStock = false
        var isOnSale = false
    }

    static let documentsPerSegment = 50_000
    /// Bytes of a description that are searched.
    static let searchedDescription = 4_000

    var count: Int { listings.count }

    func slot(of product: Int64) -> Int? {
        guard product >= 0, product < slots.count, slots[Int(product)] >= 0 else { return nil }
        return Int(slots[Int(product)])
    }

    func vendorNumber(_ name: String) -> Int32? { vendorNumbers[name] }

    /// Reads what changed since; `version` is the one that the transaction sees.
    mutating func refresh(to version: Int64, _ transaction: Transaction) throws {
        try tree.refresh(transaction)
        var builder = Segment.Builder()
        // In the order of rows, so that the same tables give the same slots.
        try transaction.forEach(Self.changed(transaction.dialect), [.integer(self.version)]) { row in
            let product = try row.int64(0)
            if let slot = slot(of: product) {
                if try row.int64(1) <= self.version { return try set(slot, row) }
                listings[slot].status = .dead
                dead += 1
            }
            let slot = append(product)
            try set(slot, row)
            try setText(slot, row, &builder)
            if builder.documents == Self.documentsPerSegment {
                add(builder.finish())
                builder = Segment.Builder()
            }
        }
        if builder.documents > 0 { add(builder.finish()) }
        self.version = version
        if dead > 1_000, dead > count / 2 {
            self = CatalogueIndex()
            try refresh(to: version, transaction)
        }
    }

    private static func changed(_ dialect: Dialect) -> String {
        let skus = dialect == .sqlite ? "group_concat(v.sku, ' ')" : "string_agg(v.sku, ' ')"
        return """
            SELECT p.id, p.text_change, p.status, p.in_stock, p.compare_at IS NOT NULL, p.price, p.created_at,
                p.category, p.vendor, p.title, p.tags, p.description,
                (SELECT \(skus) FROM variants v WHERE v.product = p.id AND v.is_archived = 0)
            FROM products p WHERE p.change > $1 ORDER BY p.id
            """
    }

    private mutating func append(_ product: Int64) -> Int {
        let slot = count
        while slots.count <= Int(product) { slots.append(-1) }
        slots[Int(product)] = Int32(slot)
        listings.append(Listing(product: product))
        titles.append("")
        return slot
    }

    private mutating func set(_ slot: Int, _ row: Row) throws {
        let status: ProductStatus = try row.choice(2)
        listings[slot].status = Status(status)
        listings[slot].isInStock = try row.bool(3)
        listings[slot].isOnSale = try row.bool(4)
        listings[slot].price = try row.int64(5)
        listings[slot].created = try row.int64(6)
    }

    private mutating func setText(_ slot: Int, _ row: Row, _ builder: inout Segment.Builder) throws {
        let category = try row.optionalInt64(7).flatMap { tree.numbers[$0] }
        listings[slot].category = Int32(category ?? -1)
        let vendor = try row.optionalText(8)
        if let vendor {
            let number = vendorNumbers[vendor] ?? Int32(vendorNames.count)
            if number == vendorNames.count {
                vendorNumbers[vendor] = number
                vendorNames.append(vendor)
            }
            listings[slot].vendor = number
        }
        let title = try row.text(9)
        let form = Words.sortForm(title)
        titles[slot] = form
        listings[slot].titleKey = Self.key(form)
        builder.add(title, weight: 8)
        builder.add(try row.optionalText(12) ?? "", weight: 6)
        builder.add(vendor ?? "", weight: 4)
        var above = category
        while let number = above {
            builder.add(tree.categories[number].title, weight: 4)
            above = tree.categories[number].parent
        }
        for tag: String in try row.json(10) { builder.add(tag, weight: 3) }
        builder.add(Words.withoutTags(try row.text(11), limit: Self.searchedDescription), weight: 1)
        builder.endDocument(slot: Int32(slot))
    }

    private static func key(_ title: String) -> UInt64 {
        var key: UInt64 = 0
        var count = 0
        for byte in title.utf8.prefix(8) {
            key = key << 8 | UInt64(byte)
            count += 1
        }
        return count == 0 ? 0 : key << UInt64(8 * (8 - count))
    }

    /// Merges while the last is at least half as large as the one before: so there are logarithmically many.
    private mutating func add(_ segment: Segment) {
        segments.append(segment)
        while segments.count > 1,
            segments[segments.count - 1].entryCount * 2 >= segments[segments.count - 2].entryCount
        {
            let last = segments.removeLast()
            segments[segments.count - 1] = segments[segments.count - 1].merged(with: last)
        }
    }

    /// For each category, the active products in it and below, and the newest that is in it or below.
    func categoryCounts() -> (counts: [Int], newest: [Int64?]) {
        var counts = [Int](repeating: 0, count: tree.categories.count)
        var newest = [Int?](repeating: nil, count: tree.categories.count)
        for (slot, listing) in listings.enumerated() where listing.status == .active && listing.category >= 0 {
            let category = Int(listing.category)
            counts[category] += 1
            if newest[category].map({ listing.created >= listings[$0].created }) ?? true { newest[category] = slot }
        }
        for number in tree.categories.indices.reversed() {
            guard let parent = tree.categories[number].parent, let slot = newest[number] else { continue }
            if newest[parent].map({ listings[slot].created > listings[$0].created }) ?? true { newest[parent] = slot }
        }
        return (tree.rolledUp(counts), newest.map { $0.map { listings[$0].product } })
    }
}

/// The index of one process, brought up to date by whoever reads.
final class KeptIndex: Sendable {
    private let index = Mutex(CatalogueIndex())
    private let tree = Mutex<(version: Int64, list: CategoryList)?>(nil)

    /// The index as of the transaction's snapshot, or newer.
    func current(in transaction: Transaction) throws -> CatalogueIndex {
        let version = try CatalogueVersion.current(transaction)
        return try index.withLock { index in
            guard index.version < version else { return index }
            do {
                try index.refresh(to: version, transaction)
            } catch {
                index = CatalogueIndex()
                throw error
            }
            return index
        }
    }

    /// The list of categories, made anew when the catalogue changed.
    func categories(
        in transaction: Transaction, _ make: (CatalogueIndex) throws -> CategoryList
    ) throws -> CategoryList {
        let index = try current(in: transaction)
        if let kept = tree.withLock({ $0 }), kept.version == index.version { return kept.list }
        let list = try make(index)
        tree.withLock { $0 = (index.version, list) }
        return list
    }
}
