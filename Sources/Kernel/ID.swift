/// The kind of thing an identifier names: gives its TypeID prefix, and keeps an order's from being passed as a user's.
public protocol Identified: Sendable {
    /// Lower-case letters and underscores, at most 63: `order` in `order_01h455vb4pex5vsknk084sn02q`.
    static var idPrefix: String { get }
}

/// A TypeID 0.3: a prefix and a UUIDv7 in Crockford's base32. 74 of its bits are random, so that it cannot be guessed;
/// the leading 48 are milliseconds, so that new rows land next to each other in an index.
public struct ID<Kind: Identified>: Hashable, Sendable {
    private let high: UInt64
    private let low: UInt64

    private init(high: UInt64, low: UInt64) {
        self.high = high
        self.low = low
    }

    /// A new identifier, made at `time`.
    public init(at time: Timestamp) {
        var generator = SystemRandomNumberGenerator()
        self.init(at: time, using: &generator)
    }

    /// A new identifier with the randomness given: a seeded generator makes the same ones every time.
    public init(at time: Timestamp, using generator: inout some RandomNumberGenerator) {
        let milliseconds = UInt64(max(0, time.microseconds / 1_000)) & 0xFFFF_FFFF_FFFF
        let random: UInt64 = generator.next()
        high = milliseconds << 16 | 0x7000 | random & 0x0FFF
        low = 0x8000_0000_0000_0000 | generator.next() & 0x3FFF_FFFF_FFFF_FFFF
    }

    /// Reads the text form; nil unless prefix, alphabet, length and range are right.
    public init?(_ text: String) {
        let bytes = text.utf8
        let prefix = Kind.idPrefix.utf8
        guard bytes.count == prefix.count + 27, bytes.starts(with: prefix) else { return nil }
        var rest = bytes.dropFirst(prefix.count)
        guard rest.popFirst() == UInt8(ascii: "_"), let first = rest.first, first <= UInt8(ascii: "7") else {
            return nil
        }
        var high: UInt64 = 0
        var low: UInt64 = 0
        for byte in rest {
            let digit = byte < 128 ? Base32.values[Int(byte)] : 0xFF
            guard digit != 0xFF else { return nil }
            high = high << 5 | low >> 59
            low = low << 5 | UInt64(digit)
        }
        self.init(high: high, low: low)
    }

    /// The milliseconds inside: when it was made.
    public var time: Timestamp { Timestamp(microseconds: Int64(high >> 16) * 1_000) }
}

enum Base32 {
    /// Crockford's alphabet in lower case, as TypeID fixes it: no i, l, o, u.
    static let alphabet = Array("0123456789abcdefghjkmnpqrstvwxyz".utf8)
    static let values: [UInt8] = {
        var table = [UInt8](repeating: 0xFF, count: 128)
        for (value, byte) in alphabet.enumerated() { table[Int(byte)] = UInt8(value) }
        return table
    }()
}

extension ID: CustomStringConvertible {
    public var description: String {
        let prefix = Kind.idPrefix
        let count = prefix.utf8.count + 27
        return String(unsafeUninitializedCapacity: count) { buffer in
            var index = 0
            for byte in prefix.utf8 {
                buffer[index] = byte
                index += 1
            }
            buffer[index] = UInt8(ascii: "_")
            var high = self.high
            var low = self.low
            for position in stride(from: count - 1, to: index, by: -1) {
                buffer[position] = Base32.alphabet[Int(low & 31)]
                low = low >> 5 | high << 59
                high >>= 5
            }
            return count
        }
    }
}

extension ID: Comparable {
    public static func < (left: ID, right: ID) -> Bool {
        left.high == right.high ? left.low < right.low : left.high < right.high
    }
}

extension ID: Codable {
    public init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        let text = try container.decode(String.self)
        guard let id = ID(text) else {
            throw DecodingError.dataCorruptedError(
                in: container,
                debugDescription: "expected an identifier such as \(Kind.idPrefix)_01h455vb4pex5vsknk084sn02q")
        }
        self = id
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(description)
    }
}
