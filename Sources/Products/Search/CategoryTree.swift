import Database

/// The categories in memory, numbered from 0 so that a parent comes before its children.
struct CategoryTree: Sendable {
    struct Category: Sendable {
        let id: Int64
        let handle: String
        let title: String
        /// Its number.
        let parent: Int?
    }
    private(set) var categories: [Category] = []
    private(set) var numbers: [Int64: Int] = [:]
    private var byHandle: [String: Int] = [:]
    /// Parents before their children, siblings by title.
    private(set) var order: [Int] = []

    /// Reads those that are new: a category never changes.
    mutating func refresh(_ transaction: Transaction) throws {
        let new = try transaction.rows(
            "SELECT id, handle, title, parent FROM categories WHERE id > $1 ORDER BY id", categories.last?.id ?? 0)
        guard !new.isEmpty else { return }
        for row in new {
            let category = Category(
                id: try row.int64(0), handle: try row.text(1), title: try row.text(2),
                parent: numbers[try row.int64(3)])
            numbers[category.id] = categories.count
            byHandle[category.handle] = categories.count
            categories.append(category)
        }
        var children: [Int: [Int]] = [:]
        for (number, category) in categories.enumerated() {
            children[category.parent ?? -1, default: []].append(number)
        }
        order = []
        func walk(_ parent: Int) {
            let titles = (children[parent] ?? []).map { (number: $0, title: Words.sortForm(categories[$0].title)) }
            for child in titles.sorted(by: { ($0.title, $0.number) < ($1.title, $1.number) }) {
                order.append(child.number)
                walk(child.number)
            }
        }
        walk(-1)
    }

    /// For each number, whether it is that category or below it; nil for an unknown handle.
    func members(of handle: String) -> [Bool]? {
        guard let target = byHandle[handle] else { return nil }
        var isMember = [Bool](repeating: false, count: categories.count)
        for (number, category) in categories.enumerated() {
            isMember[number] = number == target || category.parent.map { isMember[$0] } ?? false
        }
        return isMember
    }

    /// Adds each category's count to those above it.
    func rolledUp(_ counts: [Int]) -> [Int] {
        var counts = counts
        for number in categories.indices.reversed() {
            if let parent = categories[number].parent { counts[parent] += counts[number] }
        }
        return counts
    }
}
