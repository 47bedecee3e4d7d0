public import Kernel

/// Does activities for real: HTTP by what it is given, programs of this machine.
public struct ChaosProviders: Sendable {
    /// Of an answer's body and of a program's output, each.
    static let largestOutput = 1 << 20
    /// Seconds, for an answer, where the experiment says nothing.
    static let usualTimeout = 30.0
    private let http: Outbound
    private let environment: [String: String]
    private let ledger: Ledger?

    /// - Parameters:
    ///   - environment: of programs, in place of this process's.
    ///   - ledger: whose lock programs share.
    public init(http: @escaping Outbound, environment: [String: String], ledger: Ledger?) {
        self.http = http
        self.environment = environment
        self.ledger = ledger
    }

    public func perform(_ provider: Provider) async throws -> JSON {
        switch provider {
        case .http(let http): try await ask(http)
        case .process(let process):
            try await Program(
                process.command, environment: environment, timeout: process.timeout, lock: ledger?.descriptor
            ).run()
        }
    }

    private func ask(_ provider: Provider.HTTP) async throws -> JSON {
        var request = OutboundRequest(
            provider.method, provider.url,
            timeout: .seconds(provider.timeout?.number ?? Self.usualTimeout), largestAnswer: Self.largestOutput)
        request.headers = provider.headers.map { ($0.key, $0.value.stringValue ?? "\($0.value)") }
        if let arguments = provider.arguments, !arguments.isNull {
            if provider.method == .get {
                request.url += (request.url.contains("?") ? "&" : "?") + Self.form(arguments)
            } else if Self.isJSON(request.headers) {
                request.body = arguments.serialized()
            } else {
                request.headers.append(("Content-Type", "application/x-www-form-urlencoded"))
                request.body = Array(Self.form(arguments).utf8)
            }
        }
        let answer: OutboundAnswer
        do {
            answer = try await http(request)
        } catch {
            try Task.checkCancellation()
            throw DrillError("\(provider.url) does not answer: \(error)")
        }
        let text = JSON.string(String(decoding: answer.body, as: UTF8.self))
        let isJSON = answer.headers["content-type"] == "application/json"
        return [
            "status": .integer(Int64(answer.status)),
            "headers": .object(
                JSONObject(answer.headers.sorted { $0.key < $1.key }.map { ($0.key, .string($0.value)) })),
            "body": isJSON ? (try? JSON.parse(answer.body)) ?? text : text,
        ]
    }

    private static func isJSON(_ headers: [(name: String, value: String)]) -> Bool {
        headers.contains { $0.name.lowercased() == "content-type" && $0.value.contains("json") }
    }

    private static func form(_ arguments: JSON) -> String {
        guard let object = arguments.objectValue else { return arguments.stringValue ?? "\(arguments)" }
        return object.map { name, value in
            "\(encoded(name))=\(encoded(value.stringValue ?? "\(value)"))"
        }.joined(separator: "&")
    }

    private static func encoded(_ text: String) -> String {
        let digits = Array("0123456789ABCDEF")
        return text.utf8.map { byte in
            let isPlain = (byte | 0x20) >= 0x61 && (byte | 0x20) <= 0x7A || (0x30...0x39).contains(byte)
            if isPlain || [0x2D, 0x2E, 0x5F, 0x7E].contains(byte) { return String(UnicodeScalar(byte)) }
            return "%\(digits[Int(byte >> 4)])\(digits[Int(byte & 15)])"
        }.joined()
    }
}

extension Provider {
    /// A program whose arguments are a list, with more at its end.
    public func adding(_ words: [String]) -> Provider {
        guard case .process(var process) = self else { return self }
        process.arguments = .array((process.arguments?.arrayValue ?? []) + words.map { .string($0) })
        return .process(process)
    }
}

extension Provider.Process {
    /// The program and its arguments, as the toolkit reads them: a list without empty ones, an object's names and
    /// values, or one text for a shell.
    public var command: [String] {
        func word(_ value: JSON) -> String? {
            let text = value.isNull ? "" : value.stringValue ?? "\(value)"
            return text.isEmpty ? nil : text
        }
        switch arguments {
        case .string(let text): return ["sh", "-c", "\(path) \(text)"]
        case .array(let elements): return [path] + elements.compactMap(word)
        case .object(let object): return [path] + object.flatMap { [$0.key, word($0.value)].compactMap { $0 } }
        default: return [path]
        }
    }
}
