/// An answer of Redis. Read as what the command gives; another shape throws `RedisError.unexpected`.
public indirect enum RedisValue: Sendable, Equatable {
    case null
    case integer(Int64)
    /// A string, or a status such as `OK`.
    case bytes([UInt8])
    case array([RedisValue])
    /// Inside an array only: as an answer it is thrown.
    case error(String)

    public var isNull: Bool { self == .null }

    public func integer() throws(RedisError) -> Int64 {
        switch self {
        case .integer(let integer): return integer
        case .bytes(let bytes):
            guard let integer = Int64(String(decoding: bytes, as: UTF8.self)) else { throw unexpected("an integer") }
            return integer
        default: throw unexpected("an integer")
        }
    }

    public func bytes() throws(RedisError) -> [UInt8] {
        guard case .bytes(let bytes) = self else { throw unexpected("a string") }
        return bytes
    }

    public func text() throws(RedisError) -> String { String(decoding: try bytes(), as: UTF8.self) }

    public func array() throws(RedisError) -> [RedisValue] {
        guard case .array(let values) = self else { throw unexpected("an array") }
        return values
    }

    private func unexpected(_ expected: String) -> RedisError {
        let found =
            switch self {
            case .null: "nothing"
            case .integer: "an integer"
            case .bytes(let bytes): "a string of \(bytes.count) bytes"
            case .array(let values): "an array of \(values.count)"
            case .error(let text): "the error \(text)"
            }
        return .unexpected("\(found) instead of \(expected)")
    }
}
