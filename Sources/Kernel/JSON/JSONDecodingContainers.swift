// One short line for each type that `Codable` names: synthesized code calls these, which spares the generic way.

/// A type that stands for itself in JSON.
protocol JSONScalar {
    static var expected: JSONExpectation { get }
    /// nil where the value is of another kind or out of range.
    static func read(_ value: JSON) -> Self?
}

extension String: JSONScalar {
    static var expected: JSONExpectation { .string }

    @inline(__always)
    static func read(_ value: JSON) -> String? { value.stringValue }
}

extension Bool: JSONScalar {
    static var expected: JSONExpectation { .boolean }

    @inline(__always)
    static func read(_ value: JSON) -> Bool? { value.boolValue }
}

extension Double: JSONScalar {
    static var expected: JSONExpectation { .number }

    @inline(__always)
    static func read(_ value: JSON) -> Double? { value.numberValue }
}

extension Float: JSONScalar {
    static var expected: JSONExpectation { .number }

    @inline(__always)
    static func read(_ value: JSON) -> Float? {
        guard let number = value.numberValue else { return nil }
        let nearest = Float(number)
        return nearest.isFinite ? nearest : nil
    }
}

extension FixedWidthInteger {
    static var expected: JSONExpectation { .integer(Self.self) }

    @inline(__always)
    static func read(_ value: JSON) -> Self? { value.exactInteger(as: Self.self) }
}

extension Int: JSONScalar {}
extension Int8: JSONScalar {}
extension Int16: JSONScalar {}
extension Int32: JSONScalar {}
extension Int64: JSONScalar {}
extension UInt: JSONScalar {}
extension UInt8: JSONScalar {}
extension UInt16: JSONScalar {}
extension UInt32: JSONScalar {}
extension UInt64: JSONScalar {}

/// The members of an object.
struct TreeObject<Key: CodingKey>: KeyedDecodingContainerProtocol {
    let decoder: TreeDecoder
    let object: JSONObject

    var codingPath: [any CodingKey] { decoder.codingPath }
    var allKeys: [Key] { object.members.compactMap { Key(stringValue: $0.key) } }

    @inline(__always)
    private func find(_ name: String) -> JSON? {
        guard let position = object.position(of: name, from: decoder.cursor) else { return nil }
        decoder.cursor = position
        return object.members[position].value
    }

    @inline(__always)
    private func scalar<Scalar: JSONScalar>(_ key: Key) throws -> Scalar {
        let name = key.stringValue
        guard let value = find(name) else { throw decoder.missing(Scalar.expected, at: .name(name)) }
        guard let scalar = Scalar.read(value) else { throw decoder.mismatch(Scalar.expected, value, at: .name(name)) }
        return scalar
    }

    private func child(_ key: Key, _ expected: JSONExpectation = .value) throws -> TreeDecoder {
        let name = key.stringValue
        guard let value = find(name) else { throw decoder.missing(expected, at: .name(name)) }
        return TreeDecoder(value, at: .name(name), of: decoder)
    }

    func contains(_ key: Key) -> Bool { find(key.stringValue) != nil }

    func decodeNil(forKey key: Key) throws -> Bool {
        guard let value = find(key.stringValue) else { throw decoder.missing(.value, at: .name(key.stringValue)) }
        if case .null = value { return true }
        return false
    }

    func decode<Value: Decodable>(_ type: Value.Type, forKey key: Key) throws -> Value { try child(key).decoded(type) }
    func decode(_ type: Bool.Type, forKey key: Key) throws -> Bool { try scalar(key) }
    func decode(_ type: String.Type, forKey key: Key) throws -> String { try scalar(key) }
    func decode(_ type: Double.Type, forKey key: Key) throws -> Double { try scalar(key) }
    func decode(_ type: Float.Type, forKey key: Key) throws -> Float { try scalar(key) }
    func decode(_ type: Int.Type, forKey key: Key) throws -> Int { try scalar(key) }
    func decode(_ type: Int8.Type, forKey key: Key) throws -> Int8 { try scalar(key) }
    func decode(_ type: Int16.Type, forKey key: Key) throws -> Int16 { try scalar(key) }
    func decode(_ type: Int32.Type, forKey key: Key) throws -> Int32 { try scalar(key) }
    func decode(_ type: Int64.Type, forKey key: Key) throws -> Int64 { try scalar(key) }
    func decode(_ type: UInt.Type, forKey key: Key) throws -> UInt { try scalar(key) }
    func decode(_ type: UInt8.Type, forKey key: Key) throws -> UInt8 { try scalar(key) }
    func decode(_ type: UInt16.Type, forKey key: Key) throws -> UInt16 { try scalar(key) }
    func decode(_ type: UInt32.Type, forKey key: Key) throws -> UInt32 { try scalar(key) }
    func decode(_ type: UInt64.Type, forKey key: Key) throws -> UInt64 { try scalar(key) }

    func nestedContainer<Nested: CodingKey>(
        keyedBy type: Nested.Type, forKey key: Key
    ) throws -> KeyedDecodingContainer<Nested> {
        try child(key, .object).container(keyedBy: type)
    }

    func nestedUnkeyedContainer(forKey key: Key) throws -> any UnkeyedDecodingContainer {
        try child(key, .array).unkeyedContainer()
    }

    func superDecoder() throws -> any Decoder { throw decoder.unsupported("superDecoder()") }
    func superDecoder(forKey key: Key) throws -> any Decoder { throw decoder.unsupported("superDecoder(forKey:)") }
}

/// The elements of an array. Three words wide, so that `any UnkeyedDecodingContainer` holds it without allocation.
struct TreeArray: UnkeyedDecodingContainer {
    let decoder: TreeDecoder
    let elements: [JSON]
    private(set) var currentIndex = 0

    init(decoder: TreeDecoder, elements: [JSON]) {
        self.decoder = decoder
        self.elements = elements
    }

    var codingPath: [any CodingKey] { decoder.codingPath }
    var count: Int? { elements.count }
    var isAtEnd: Bool { currentIndex == elements.count }

    private func current(_ expected: JSONExpectation = .element) throws -> JSON {
        guard !isAtEnd else { throw decoder.missing(expected, at: .index(currentIndex)) }
        return elements[currentIndex]
    }

    @inline(__always)
    private mutating func scalar<Scalar: JSONScalar>() throws -> Scalar {
        let value = try current(Scalar.expected)
        guard let scalar = Scalar.read(value) else {
            throw decoder.mismatch(Scalar.expected, value, at: .index(currentIndex))
        }
        currentIndex += 1
        return scalar
    }

    private func child(_ expected: JSONExpectation = .element) throws -> TreeDecoder {
        TreeDecoder(try current(expected), at: .index(currentIndex), of: decoder)
    }

    mutating func decodeNil() throws -> Bool {
        guard case .null = try current() else { return false }
        currentIndex += 1
        return true
    }

    mutating func decode<Value: Decodable>(_ type: Value.Type) throws -> Value {
        let value = try child().decoded(type)
        currentIndex += 1
        return value
    }

    mutating func decode(_ type: Bool.Type) throws -> Bool { try scalar() }
    mutating func decode(_ type: String.Type) throws -> String { try scalar() }
    mutating func decode(_ type: Double.Type) throws -> Double { try scalar() }
    mutating func decode(_ type: Float.Type) throws -> Float { try scalar() }
    mutating func decode(_ type: Int.Type) throws -> Int { try scalar() }
    mutating func decode(_ type: Int8.Type) throws -> Int8 { try scalar() }
    mutating func decode(_ type: Int16.Type) throws -> Int16 { try scalar() }
    mutating func decode(_ type: Int32.Type) throws -> Int32 { try scalar() }
    mutating func decode(_ type: Int64.Type) throws -> Int64 { try scalar() }
    mutating func decode(_ type: UInt.Type) throws -> UInt { try scalar() }
    mutating func decode(_ type: UInt8.Type) throws -> UInt8 { try scalar() }
    mutating func decode(_ type: UInt16.Type) throws -> UInt16 { try scalar() }
    mutating func decode(_ type: UInt32.Type) throws -> UInt32 { try scalar() }
    mutating func decode(_ type: UInt64.Type) throws -> UInt64 { try scalar() }

    mutating func nestedContainer<Nested: CodingKey>(
        keyedBy type: Nested.Type
    ) throws -> KeyedDecodingContainer<Nested> {
        let container = try child(.object).container(keyedBy: type)
        currentIndex += 1
        return container
    }

    mutating func nestedUnkeyedContainer() throws -> any UnkeyedDecodingContainer {
        let container = try child(.array).unkeyedContainer()
        currentIndex += 1
        return container
    }

    mutating func superDecoder() throws -> any Decoder { throw decoder.unsupported("superDecoder()") }
}

/// One scalar.
extension TreeDecoder: SingleValueDecodingContainer {
    @inline(__always)
    private func scalar<Scalar: JSONScalar>() throws -> Scalar {
        guard let scalar = Scalar.read(value) else { throw mismatch(Scalar.expected, value) }
        return scalar
    }

    func decodeNil() -> Bool {
        if case .null = value { return true }
        return false
    }

    func decode<Value: Decodable>(_ type: Value.Type) throws -> Value { try decoded(type) }
    func decode(_ type: Bool.Type) throws -> Bool { try scalar() }
    func decode(_ type: String.Type) throws -> String { try scalar() }
    func decode(_ type: Double.Type) throws -> Double { try scalar() }
    func decode(_ type: Float.Type) throws -> Float { try scalar() }
    func decode(_ type: Int.Type) throws -> Int { try scalar() }
    func decode(_ type: Int8.Type) throws -> Int8 { try scalar() }
    func decode(_ type: Int16.Type) throws -> Int16 { try scalar() }
    func decode(_ type: Int32.Type) throws -> Int32 { try scalar() }
    func decode(_ type: Int64.Type) throws -> Int64 { try scalar() }
    func decode(_ type: UInt.Type) throws -> UInt { try scalar() }
    func decode(_ type: UInt8.Type) throws -> UInt8 { try scalar() }
    func decode(_ type: UInt16.Type) throws -> UInt16 { try scalar() }
    func decode(_ type: UInt32.Type) throws -> UInt32 { try scalar() }
    func decode(_ type: UInt64.Type) throws -> UInt64 { try scalar() }
}
