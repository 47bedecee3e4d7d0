public import Kernel

/// What a column or a parameter holds, the same in both dialects.
public enum Value: Sendable, Hashable {
    case null
    case integer(Int64)
    case real(Double)
    case text(String)
    case blob([UInt8])

    /// The storage class, as messages name it.
    var kind: String {
        switch self {
        case .null: "NULL"
        case .integer: "integer"
        case .real: "real"
        case .text: "text"
        case .blob: "blob"
        }
    }
}

extension Value: ExpressibleByIntegerLiteral, ExpressibleByFloatLiteral, ExpressibleByBooleanLiteral,
    ExpressibleByStringLiteral, ExpressibleByNilLiteral
{
    public init(integerLiteral value: Int64) { self = .integer(value) }
    public init(floatLiteral value: Double) { self = .real(value) }
    public init(booleanLiteral value: Bool) { self = .integer(value ? 1 : 0) }
    public init(stringLiteral value: String) { self = .text(value) }
    public init(nilLiteral: ()) { self = .null }
}

/// What can be bound to a placeholder.
public protocol ValueConvertible {
    var value: Value { get }
}

extension Value: ValueConvertible {
    public var value: Value { self }
}

extension String: ValueConvertible {
    public var value: Value { .text(self) }
}

extension Int: ValueConvertible {
    public var value: Value { .integer(Int64(self)) }
}

extension Int64: ValueConvertible {
    public var value: Value { .integer(self) }
}

extension Double: ValueConvertible {
    public var value: Value { .real(self) }
}

/// 0 or 1.
extension Bool: ValueConvertible {
    public var value: Value { .integer(self ? 1 : 0) }
}

extension [UInt8]: ValueConvertible {
    public var value: Value { .blob(self) }
}

extension Optional: ValueConvertible where Wrapped: ValueConvertible {
    public var value: Value { self?.value ?? .null }
}

/// Microseconds since 1970.
extension Timestamp: ValueConvertible {
    public var value: Value { .integer(microseconds) }
}

/// The TypeID's text.
extension ID: ValueConvertible {
    public var value: Value { .text(description) }
}
