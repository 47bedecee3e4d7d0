import CPostgreSQL

/// The types of PostgreSQL that the engine speaks of, by their numbers in its catalogue.
enum PostgresType {
    static let unknown: Oid = 0
    static let boolean: Oid = 16
    static let bytes: Oid = 17
    static let int8: Oid = 20
    static let int2: Oid = 21
    static let int4: Oid = 23
    static let oid: Oid = 26
    static let float4: Oid = 700
    static let float8: Oid = 701
    static let numeric: Oid = 1700

    /// What a value is announced as. A text is what its context takes it for, a NULL too.
    static func of(_ value: Value) -> Oid {
        switch value {
        case .null, .text: unknown
        case .integer: int8
        case .real: float8
        case .blob: bytes
        }
    }

    /// Whether a statement that was prepared for `type` takes the value.
    static func takes(_ type: Oid, _ value: Value) -> Bool {
        switch value {
        case .null: true
        case .text: type != int8 && type != float8 && type != bytes
        default: type == of(value)
        }
    }
}

/// Arguments as libpq takes them: integers, reals and bytes in binary, texts as such; in buffers that are used again.
struct PostgresArguments: ~Copyable {
    private(set) var types: [Oid] = []
    private var lengths: [Int32] = []
    private var formats: [Int32] = []
    /// The first is nobody's: also an empty blob needs an address, without one it would be NULL.
    private var bytes: [UInt8] = []
    /// Where in `bytes` each begins; -1 for NULL.
    private var starts: [Int] = []

    private static let text: Int32 = 0
    private static let binary: Int32 = 1
    /// A value of the usual size leaves the buffer as large as this.
    private static let keptCapacity = 64 * 1024

    var count: Int { starts.count }

    /// - Throws: `constraint` for a text with U+0000, which PostgreSQL does not store.
    mutating func set(_ values: [Value], sql: String) throws {
        types.removeAll(keepingCapacity: true)
        lengths.removeAll(keepingCapacity: true)
        formats.removeAll(keepingCapacity: true)
        starts.removeAll(keepingCapacity: true)
        bytes.removeAll(keepingCapacity: bytes.capacity <= Self.keptCapacity)
        bytes.append(0)
        for value in values {
            types.append(PostgresType.of(value))
            let start = bytes.count
            starts.append(value == .null ? -1 : start)
            switch value {
            case .null: break
            case .integer(let integer): append(UInt64(bitPattern: integer))
            case .real(let real): append(real.bitPattern)
            case .text(let text):
                guard !text.utf8.contains(0) else {
                    throw DatabaseError.constraint(kind: .dataType, detail: "a text with U+0000")
                }
                bytes.append(contentsOf: text.utf8)
                bytes.append(0)
            case .blob(let blob): bytes.append(contentsOf: blob)
            }
            lengths.append(Int32(clamping: bytes.count - start))
            if case .text = value { formats.append(Self.text) } else { formats.append(Self.binary) }
        }
    }

    /// In the network's order.
    private mutating func append(_ bits: UInt64) {
        withUnsafeBytes(of: bits.bigEndian) { bytes.append(contentsOf: $0) }
    }

    func withPointers<T>(_ body: (LibPQ.Texts?, LibPQ.Numbers?, LibPQ.Numbers?) -> T) -> T {
        bytes.withUnsafeBytes { content in
            let pointers = starts.map { start in
                start < 0 ? nil : content.baseAddress.map { ($0 + start).assumingMemoryBound(to: CChar.self) }
            }
            return pointers.withUnsafeBufferPointer { values in
                lengths.withUnsafeBufferPointer { lengths in
                    formats.withUnsafeBufferPointer { formats in
                        body(values.baseAddress, lengths.baseAddress, formats.baseAddress)
                    }
                }
            }
        }
    }
}
