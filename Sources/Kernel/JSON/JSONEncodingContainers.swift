// One short line for each type that `Codable` names: synthesized code calls these, which spares the generic way.

/// The members of an object under way.
struct StreamObject<Key: CodingKey>: KeyedEncodingContainerProtocol {
    let output: JSONOutput
    let depth: Int32
    let owner: UInt32

    var codingPath: [any CodingKey] { output.path(Int(depth)) }

    @inline(__always)
    private func begin(_ key: Key) throws { try output.next(in: depth, of: owner, name: key.stringValue) }

    private func integer<Integer: FixedWidthInteger>(_ value: Integer, _ key: Key) throws {
        try begin(key)
        try output.integer(value)
    }

    private func number<Number: BinaryFloatingPoint & LosslessStringConvertible>(_ value: Number, _ key: Key) throws {
        try begin(key)
        try output.number(value)
    }

    func encodeNil(forKey key: Key) throws {
        try begin(key)
        output.writer.null()
    }

    func encode(_ value: Bool, forKey key: Key) throws {
        try begin(key)
        output.writer.boolean(value)
    }

    func encode(_ value: String, forKey key: Key) throws {
        try begin(key)
        output.writer.string(value)
    }

    func encode<Value: Encodable>(_ value: Value, forKey key: Key) throws {
        try begin(key)
        try output.write(value)
    }

    func encode(_ value: Double, forKey key: Key) throws { try number(value, key) }
    func encode(_ value: Float, forKey key: Key) throws { try number(value, key) }
    func encode(_ value: Int, forKey key: Key) throws { try integer(value, key) }
    func encode(_ value: Int8, forKey key: Key) throws { try integer(value, key) }
    func encode(_ value: Int16, forKey key: Key) throws { try integer(value, key) }
    func encode(_ value: Int32, forKey key: Key) throws { try integer(value, key) }
    func encode(_ value: Int64, forKey key: Key) throws { try integer(value, key) }
    func encode(_ value: UInt, forKey key: Key) throws { try integer(value, key) }
    func encode(_ value: UInt8, forKey key: Key) throws { try integer(value, key) }
    func encode(_ value: UInt16, forKey key: Key) throws { try integer(value, key) }
    func encode(_ value: UInt32, forKey key: Key) throws { try integer(value, key) }
    func encode(_ value: UInt64, forKey key: Key) throws { try integer(value, key) }

    func nestedContainer<Nested: CodingKey>(
        keyedBy type: Nested.Type, forKey key: Key
    ) -> KeyedEncodingContainer<Nested> {
        let owner = nested(key, isArray: false)
        return KeyedEncodingContainer(StreamObject<Nested>(output: output, depth: depth + 1, owner: owner))
    }

    func nestedUnkeyedContainer(forKey key: Key) -> any UnkeyedEncodingContainer {
        StreamArray(output: output, depth: depth + 1, owner: nested(key, isArray: true))
    }

    private func nested(_ key: Key, isArray: Bool) -> UInt32 {
        do {
            try begin(key)
        } catch {
            output.misused(depth, "expected nested containers to be written one after the other")
        }
        return output.open(isArray: isArray)
    }

    func superEncoder() -> any Encoder {
        output.misused(depth, "superEncoder() is not supported: encode the superclass's members beside its own")
        return StreamEncoder(output: output, depth: depth, owner: owner, start: 0)
    }

    func superEncoder(forKey key: Key) -> any Encoder { superEncoder() }
}

/// The elements of an array under way.
struct StreamArray: UnkeyedEncodingContainer {
    let output: JSONOutput
    let depth: Int32
    let owner: UInt32

    var codingPath: [any CodingKey] { output.path(Int(depth)) }

    var count: Int {
        let level = output.levels.dropFirst(Int(depth)).first
        return level?.owner == owner ? level?.count ?? 0 : 0
    }

    private func begin() throws { try output.next(in: depth, of: owner) }

    private func integer<Integer: FixedWidthInteger>(_ value: Integer) throws {
        try begin()
        try output.integer(value)
    }

    private func number<Number: BinaryFloatingPoint & LosslessStringConvertible>(_ value: Number) throws {
        try begin()
        try output.number(value)
    }

    func encodeNil() throws {
        try begin()
        output.writer.null()
    }

    func encode(_ value: Bool) throws {
        try begin()
        output.writer.boolean(value)
    }

    func encode(_ value: String) throws {
        try begin()
        output.writer.string(value)
    }

    func encode<Value: Encodable>(_ value: Value) throws {
        try begin()
        try output.write(value)
    }

    func encode(_ value: Double) throws { try number(value) }
    func encode(_ value: Float) throws { try number(value) }
    func encode(_ value: Int) throws { try integer(value) }
    func encode(_ value: Int8) throws { try integer(value) }
    func encode(_ value: Int16) throws { try integer(value) }
    func encode(_ value: Int32) throws { try integer(value) }
    func encode(_ value: Int64) throws { try integer(value) }
    func encode(_ value: UInt) throws { try integer(value) }
    func encode(_ value: UInt8) throws { try integer(value) }
    func encode(_ value: UInt16) throws { try integer(value) }
    func encode(_ value: UInt32) throws { try integer(value) }
    func encode(_ value: UInt64) throws { try integer(value) }

    func nestedContainer<Nested: CodingKey>(keyedBy type: Nested.Type) -> KeyedEncodingContainer<Nested> {
        KeyedEncodingContainer(StreamObject<Nested>(output: output, depth: depth + 1, owner: nested(isArray: false)))
    }

    func nestedUnkeyedContainer() -> any UnkeyedEncodingContainer {
        StreamArray(output: output, depth: depth + 1, owner: nested(isArray: true))
    }

    private func nested(isArray: Bool) -> UInt32 {
        do {
            try begin()
        } catch {
            output.misused(depth, "expected nested containers to be written one after the other")
        }
        return output.open(isArray: isArray)
    }

    func superEncoder() -> any Encoder {
        output.misused(depth, "superEncoder() is not supported: encode the superclass's members beside its own")
        return StreamEncoder(output: output, depth: depth, owner: owner, start: 0)
    }
}

/// One scalar.
extension StreamEncoder: SingleValueEncodingContainer {
    private func begin() throws {
        guard isUntouched else {
            throw EncodingError.invalidValue(
                "", .init(codingPath: codingPath, debugDescription: "expected one value in a single value container"))
        }
    }

    private func integer<Integer: FixedWidthInteger>(_ value: Integer) throws {
        try begin()
        try output.integer(value)
    }

    private func number<Number: BinaryFloatingPoint & LosslessStringConvertible>(_ value: Number) throws {
        try begin()
        try output.number(value)
    }

    func encodeNil() throws {
        try begin()
        output.writer.null()
    }

    func encode(_ value: Bool) throws {
        try begin()
        output.writer.boolean(value)
    }

    func encode(_ value: String) throws {
        try begin()
        output.writer.string(value)
    }

    func encode<Value: Encodable>(_ value: Value) throws {
        try begin()
        try output.write(value)
    }

    func encode(_ value: Double) throws { try number(value) }
    func encode(_ value: Float) throws { try number(value) }
    func encode(_ value: Int) throws { try integer(value) }
    func encode(_ value: Int8) throws { try integer(value) }
    func encode(_ value: Int16) throws { try integer(value) }
    func encode(_ value: Int32) throws { try integer(value) }
    func encode(_ value: Int64) throws { try integer(value) }
    func encode(_ value: UInt) throws { try integer(value) }
    func encode(_ value: UInt8) throws { try integer(value) }
    func encode(_ value: UInt16) throws { try integer(value) }
    func encode(_ value: UInt32) throws { try integer(value) }
    func encode(_ value: UInt64) throws { try integer(value) }
}
