import Contracts
import Kernel

/// Where a page ended: the sort key of its last product. Opaque to clients, harmless if made up, and good only for the
/// query that it came from.
struct Cursor: Equatable {
    var fingerprint: UInt64
    var key: UInt64
    var product: Int64

    private static let count = 25
    private static let form: UInt8 = 1

    var text: String {
        var bytes = [Self.form]
        for value in [fingerprint, key, UInt64(bitPattern: product)] {
            for byte in 1...8 { bytes.append(UInt8(truncatingIfNeeded: value >> UInt64(64 - 8 * byte))) }
        }
        return Base64URL.encode(bytes)
    }

    init(fingerprint: UInt64, key: UInt64, product: Int64) {
        self.fingerprint = fingerprint
        self.key = key
        self.product = product
    }

    /// - Throws: `invalid`, naming `/after`.
    init(_ text: String, for fingerprint: UInt64) throws(Problem) {
        guard let bytes = Base64URL.decode(text), bytes.count == Self.count, bytes[0] == Self.form else {
            throw Problem.invalid("/after", "expected the cursor `next` of a page of this search")
        }
        func value(_ start: Int) -> UInt64 { bytes[start..<start + 8].reduce(0) { $0 << 8 | UInt64($1) } }
        self.init(fingerprint: value(1), key: value(9), product: Int64(bitPattern: value(17)))
        guard self.fingerprint == fingerprint else {
            throw Problem.invalid("/after", "this cursor is of another search or order: begin again without it")
        }
    }

    /// FNV-1a over what makes a query, its page aside.
    static func fingerprint(_ query: ProductQuery, words: [String], sort: ProductSort, status: String) -> UInt64 {
        var hash: UInt64 = 0xCBF2_9CE4_8422_2325
        func add(_ part: String) {
            for byte in part.utf8 { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01B3 }
            hash = (hash ^ 0xFF) &* 0x100_0000_01B3  // no byte of UTF-8: parts cannot run together
        }
        for word in words { add(word) }
        for part in [query.category, query.vendor] { add(part.map { "=" + $0 } ?? "") }
        for part in [query.price_min, query.price_max] { add(part.map(String.init) ?? "") }
        for part in [query.available, query.on_sale] { add(part.map { $0 ? "1" : "0" } ?? "") }
        add(sort.rawValue)
        add(status)
        return hash
    }
}

/// RFC 4648, section 5, without padding.
enum Base64URL {
    private static let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_".utf8)
    private static let values: [UInt8] = {
        var table = [UInt8](repeating: 0xFF, count: 256)
        for (value, byte) in alphabet.enumerated() { table[Int(byte)] = UInt8(value) }
        return table
    }()

    static func encode(_ bytes: [UInt8]) -> String {
        var text: [UInt8] = []
        var (buffer, bits) = (UInt32(0), 0)
        for byte in bytes {
            buffer = buffer << 8 | UInt32(byte)
            bits += 8
            while bits >= 6 {
                bits -= 6
                text.append(alphabet[Int(buffer >> UInt32(bits)) & 63])
            }
        }
        if bits > 0 { text.append(alphabet[Int(buffer << UInt32(6 - bits)) & 63]) }
        return String(decoding: text, as: UTF8.self)
    }

    static func decode(_ text: String) -> [UInt8]? {
        var bytes: [UInt8] = []
        var (buffer, bits) = (UInt32(0), 0)
        for byte in text.utf8 {
            let value = values[Int(byte)]
            guard value != 0xFF else { return nil }
            buffer = buffer << 6 | UInt32(value)
            bits += 6
            if bits >= 8 {
                bits -= 8
                bytes.append(UInt8(truncatingIfNeeded: buffer >> UInt32(bits)))
            }
        }
        return text.utf8.count % 4 == 1 ? nil : bytes
    }
}
