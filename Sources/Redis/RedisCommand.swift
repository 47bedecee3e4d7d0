/// One command, as it goes over the wire.
public struct RedisCommand: Sendable {
    let bytes: [UInt8]

    public init(_ name: String, _ arguments: any RedisArgument...) { self.init(name, arguments) }

    public init(_ name: String, _ arguments: [any RedisArgument]) {
        var bytes = Array("*\(arguments.count + 1)\r\n".utf8)
        name.append(to: &bytes)
        for argument in arguments { argument.append(to: &bytes) }
        self.bytes = bytes
    }

    /// Runs a Lua script: all of it or, where it cannot begin, nothing, and no other command in between. Redis keeps it
    /// compiled by its text.
    public static func script(
        _ text: String, keys: [String], _ arguments: [any RedisArgument] = []
    ) -> RedisCommand {
        RedisCommand("EVAL", [text, keys.count] + keys as [any RedisArgument] + arguments)
    }
}

/// What a command can carry. Redis knows bytes only: numbers go as decimal digits.
public protocol RedisArgument: Sendable {
    func append(to bytes: inout [UInt8])
}

extension [UInt8]: RedisArgument {
    public func append(to bytes: inout [UInt8]) { bytes.appendBulk(self, count: count) }
}

extension String: RedisArgument {
    public func append(to bytes: inout [UInt8]) { bytes.appendBulk(utf8, count: utf8.count) }
}

extension Int: RedisArgument {
    public func append(to bytes: inout [UInt8]) { String(self).append(to: &bytes) }
}

extension Int64: RedisArgument {
    public func append(to bytes: inout [UInt8]) { String(self).append(to: &bytes) }
}

extension Double: RedisArgument {
    public func append(to bytes: inout [UInt8]) { String(self).append(to: &bytes) }
}

extension [UInt8] {
    fileprivate mutating func appendBulk(_ content: some Sequence<UInt8>, count: Int) {
        append(UInt8(ascii: "$"))
        append(contentsOf: String(count).utf8)
        append(contentsOf: [13, 10])
        append(contentsOf: content)
        append(contentsOf: [13, 10])
    }
}
