public import Kernel

/// One line of `souk audit`: a promise, and what the stored data says of it.
public struct AuditCheck: Sendable, Codable {
    /// `stock.never-below-zero`.
    public var name: String
    /// The promise in words.
    public var promise: String
    /// How many rows were looked at.
    public var checked: Int
    /// What breaks it: the first 20, each naming its row.
    public var violations: [String]
    public var violationCount: Int
    /// When it was looked at, where that is told.
    public var at: Timestamp?

    public var holds: Bool { violationCount == 0 }

    public init(_ name: String, _ promise: String) {
        self.name = name
        self.promise = promise
        checked = 0
        violations = []
        violationCount = 0
    }

    public mutating func check(_ holds: Bool, _ violation: @autoclosure () -> String) {
        checked += 1
        guard !holds else { return }
        violationCount += 1
        if violations.count < 20 { violations.append(violation()) }
    }
}
