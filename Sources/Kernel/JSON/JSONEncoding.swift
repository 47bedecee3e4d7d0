extension JSON {
    /// Writes the value as JSON text at once, without a tree between: members in the order in which they are encoded
    /// (that of the `CodingKeys` where it is synthesized), `nil` left out unless `encode(to:)` says otherwise.
    ///
    /// Throws `EncodingError` for a number that is not finite or beyond an `Int64`, for a value that encodes nothing,
    /// and for nested containers that are not written one after the other.
    public static func encode<Value: Encodable>(_ value: Value) throws -> [UInt8] {
        let output = JSONOutput()
        try output.write(value)
        if let misuse = output.misuse { throw misuse }
        return output.writer.bytes
    }

    /// The value as a tree. A text that `parse` refuses (deeper than 256 levels, U+0000) is refused here too.
    public init<Value: Encodable>(encoding value: Value) throws {
        var limits = JSONLimits(depth: .max, members: .max, stringBytes: .max, bytes: .max)
        limits.nameBytes = .max
        do {
            self = try JSON.parse(JSON.encode(value), limits: limits)
        } catch let error as JSONError {
            throw EncodingError.invalidValue(value, .init(codingPath: [], debugDescription: error.message))
        }
    }
}

/// The text under way and the containers that are open in it.
///
/// `Codable` never says that a container is done. It is closed when the container around it goes on, or when the value
/// it belongs to has been encoded.
final class JSONOutput {
    struct Level {
        let isArray: Bool
        /// The value that opened it, by number: containers of other values must not write here.
        let owner: UInt32
        var count = 0
        var name = ""
    }

    // Exclusive by construction: one caller at a time, and no access lasts while a value's own code runs. Checking that
    // at run time took a third of the time to encode.
    @exclusivity(unchecked) var writer = JSONWriter()
    @exclusivity(unchecked) private(set) var levels: [Level] = []
    @exclusivity(unchecked) private var values: UInt32 = 0
    /// What went wrong where `Encoder` cannot throw.
    private(set) var misuse: EncodingError?

    func write<Value: Encodable>(_ value: Value) throws {
        if Value.self == JSON.self, let tree = value as? JSON { return writer.value(tree) }
        // An order holds a dozen: this spares each a container.
        if Value.self == Money.self, let money = value as? Money { return writer.money(money) }
        let start = writer.bytes.count
        values &+= 1
        let depth = levels.count
        try value.encode(to: StreamEncoder(output: self, depth: Int32(depth), owner: values, start: start))
        close(to: depth)
        guard writer.bytes.count > start else {
            throw EncodingError.invalidValue(value, context(depth, "expected a value to be encoded, found nothing"))
        }
    }

    /// Opens a container inside the innermost one; its number makes it out from others at the same depth.
    func open(isArray: Bool, owner: UInt32? = nil) -> UInt32 {
        if owner == nil { values &+= 1 }
        let owner = owner ?? values
        writer.byte(isArray ? ASCII.openBracket : ASCII.openBrace)
        levels.append(Level(isArray: isArray, owner: owner))
        return owner
    }

    /// Begins a member or an element of the container at `depth`.
    func next(in depth: Int32, of owner: UInt32, name: String? = nil) throws {
        let depth = Int(depth)
        guard depth < levels.count, levels[depth].owner == owner else {
            throw EncodingError.invalidValue(
                name ?? "", context(depth, "expected nested containers to be written one after the other"))
        }
        close(to: depth + 1)
        if levels[depth].count > 0 { writer.byte(ASCII.comma) }
        levels[depth].count += 1
        guard let name else { return }
        levels[depth].name = name
        writer.string(name)
        writer.byte(ASCII.colon)
    }

    func close(to depth: Int) {
        while let level = levels.last, levels.count > depth {
            writer.byte(level.isArray ? ASCII.closeBracket : ASCII.closeBrace)
            levels.removeLast()
        }
    }

    func integer<Integer: FixedWidthInteger>(_ value: Integer) throws {
        guard Int64(exactly: value) != nil else {
            throw EncodingError.invalidValue(value, context(levels.count, "expected an integer that fits an Int64"))
        }
        writer.integer(value)
    }

    func number<Number: BinaryFloatingPoint & LosslessStringConvertible>(_ value: Number) throws {
        guard value.isFinite else {
            throw EncodingError.invalidValue(value, context(levels.count, "expected a finite number"))
        }
        writer.number(value)
    }

    func misused(_ depth: Int32, _ explanation: String) {
        if misuse == nil { misuse = .invalidValue(explanation, context(Int(depth), explanation)) }
    }

    func path(_ depth: Int) -> [any CodingKey] {
        levels.prefix(depth).map { $0.isArray ? JSONKey(index: max($0.count - 1, 0)) : JSONKey($0.name) }
    }

    private func context(_ depth: Int, _ explanation: String) -> EncodingError.Context {
        let path = path(depth)
        return .init(codingPath: path, debugDescription: "\(JSONPointer.text(path)): \(explanation)")
    }
}

/// What one value writes with: either one scalar or one container (which it may ask for more than once).
/// Three words wide, so that `any Encoder` holds it without allocation.
struct StreamEncoder: Encoder {
    let output: JSONOutput
    /// Containers open around the value.
    let depth: Int32
    let owner: UInt32
    /// Where its text begins.
    let start: Int

    var codingPath: [any CodingKey] { output.path(Int(depth)) }
    var userInfo: [CodingUserInfoKey: Any] { [:] }

    var isUntouched: Bool { output.writer.bytes.count == start }

    func container<Key: CodingKey>(keyedBy type: Key.Type) -> KeyedEncodingContainer<Key> {
        KeyedEncodingContainer(StreamObject<Key>(output: output, depth: depth, owner: container(isArray: false)))
    }

    func unkeyedContainer() -> any UnkeyedEncodingContainer {
        StreamArray(output: output, depth: depth, owner: container(isArray: true))
    }

    func singleValueContainer() -> any SingleValueEncodingContainer { self }

    private func container(isArray: Bool) -> UInt32 {
        if isUntouched { return output.open(isArray: isArray, owner: owner) }
        let level = output.levels.dropFirst(Int(depth)).first
        if level?.owner != owner || level?.isArray != isArray {
            output.misused(depth, "expected one kind of container, or one value, for each value")
        }
        return owner
    }
}

/// A coding key that is not known at compile time.
struct JSONKey: CodingKey {
    let stringValue: String
    let intValue: Int?

    init(_ name: String) {
        stringValue = name
        intValue = nil
    }

    init(index: Int) {
        stringValue = String(index)
        intValue = index
    }

    init(stringValue: String) { self.init(stringValue) }
    init(intValue: Int) { self.init(index: intValue) }
}
