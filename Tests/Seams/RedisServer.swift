import Foundation
import Logging
import Redis
import Synchronization
import Testing

/// A Redis server of one test's own, gone with the test.
final class RedisServer: Sendable {
    static let program = ["/usr/bin/redis-server", "/usr/local/bin/redis-server", "/opt/homebrew/bin/redis-server"]
        .first { FileManager.default.isExecutableFile(atPath: $0) }
    static let isInstalled = program != nil
    static let reason: Comment = "redis-server is not installed: apt-get install redis-server"

    struct CannotStart: Error {}

    let port: Int
    private let folder: String
    private let arguments: [String]
    private let password: String?
    private let process = Mutex<Int32>(0)

    /// Returns when it answers. With `isDurable` every write is on disk before it is answered.
    private init(password: String?, isDurable: Bool) async throws {
        port = try FreePort.find()
        folder = FileManager.default.temporaryDirectory.path + "/souk-redis-" + UUID().uuidString
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        var arguments = ["--port", "\(port)", "--bind", "127.0.0.1", "--dir", folder, "--save", "", "--loglevel"]
        arguments += ["warning", "--logfile", folder + "/log"]
        if isDurable { arguments += ["--appendonly", "yes", "--appendfsync", "always"] }
        if let password { arguments += ["--requirepass", password] }
        self.arguments = arguments
        self.password = password
        try await start()
    }

    /// On a port of its own: one that another process took meanwhile is given up for the next.
    static func start(password: String? = nil, isDurable: Bool = false) async throws -> RedisServer {
        for _ in 0..<4 {
            if let server = try? await RedisServer(password: password, isDurable: isDurable) { return server }
        }
        return try await RedisServer(password: password, isDurable: isDurable)
    }

    deinit {
        kill()
        try? FileManager.default.removeItem(atPath: folder)
    }

    var url: RedisURL {
        get throws { try RedisURL("redis://\(password.map { ":\($0)@" } ?? "")127.0.0.1:\(port)") }
    }

    func client(_ options: RedisClient.Options = .patient) throws -> RedisClient {
        RedisClient(try url, options: options, logger: .silent)
    }

    /// On the same port, after it was killed.
    func start() async throws {
        guard let program = Self.program else { throw CannotStart() }
        var pid = pid_t()
        let texts = ([program] + arguments).map { strdup($0) }
        defer { for text in texts { free(text) } }
        guard posix_spawn(&pid, program, nil, nil, texts + [nil], environ) == 0 else { throw CannotStart() }
        process.withLock { $0 = pid }
        // A connection that fails is tried again by the client. Another server on the port is not this one.
        let client = try client()
        let (own, info) = ("process_id:\(pid)\r\n", RedisCommand("INFO", "server"))
        while (try? await client.send(info).text().contains(own)) != true {
            guard waitpid(pid, nil, WNOHANG) == 0 else { throw CannotStart() }
            await Task.yield()
        }
        await client.close()
    }

    /// Nothing is finished or written.
    func kill() {
        let pid = process.withLock { pid in
            defer { pid = 0 }
            return pid
        }
        guard pid > 0 else { return }
        _ = Foundation.kill(pid, SIGKILL)
        waitpid(pid, nil, 0)
    }

    /// It accepts connections and answers nothing until `resume`.
    func pause() { process.withLock { _ = Foundation.kill($0, SIGSTOP) } }
    func resume() { process.withLock { _ = Foundation.kill($0, SIGCONT) } }
}

enum FreePort {
    /// Below those that the system gives to outgoing connections, each once in this process.
    private static let next = Atomic<Int>(20_000 + Int(getpid()) * 37 % 10_000)

    /// A loopback port that nobody listened on a moment ago.
    static func find() throws -> Int {
        let (descriptor, port) = try listen()
        close(descriptor)
        return port
    }

    static func listen() throws -> (descriptor: Int32, port: Int) {
        for _ in 0..<100 {
            let port = 20_000 + next.wrappingAdd(1, ordering: .relaxed).newValue % 12_000
            let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
            var address = sockaddr_in()
            address.sin_family = sa_family_t(AF_INET)
            address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
            address.sin_port = UInt16(port).bigEndian
            let length = socklen_t(MemoryLayout<sockaddr_in>.size)
            let isListening = withUnsafePointer(to: &address) { pointer in
                pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
                    bind(descriptor, address, length) == 0 && Foundation.listen(descriptor, 16) == 0
                }
            }
            if isListening { return (descriptor, port) }
            close(descriptor)
        }
        throw RedisServer.CannotStart()
    }
}

/// Answers whatever comes, after the greeting that the client sends: somebody who is no Redis.
final class FakeRedis: Sendable {
    let port: Int
    private let descriptor: Int32
    private let open = OpenConnections()

    /// Closes each connection once, so that nobody closes what has got its number since.
    private final class OpenConnections: Sendable {
        private let all = Mutex<Set<Int32>>([])
        func insert(_ connection: Int32) { all.withLock { _ = $0.insert(connection) } }
        func close(_ connection: Int32) {
            all.withLock { if $0.remove(connection) != nil { _ = Foundation.close(connection) } }
        }
        func shutDown() { all.withLock { for connection in $0 { shutdown(connection, Int32(SHUT_RDWR)) } } }
    }

    /// - Parameters:
    ///   - answers: one for each thing that arrives on a connection; the last one again and again.
    ///   - hangsUp: closes the connection behind the last one.
    init(answers: [String], hangsUp: Bool = false) throws {
        (descriptor, port) = try FreePort.listen()
        let (descriptor, open) = (descriptor, open)
        Thread.detachNewThread {
            while true {
                let connection = accept(descriptor, nil, nil)
                guard connection >= 0 else { break }
                open.insert(connection)
                Thread.detachNewThread {
                    Self.serve(connection, answers, hangsUp)
                    open.close(connection)
                }
            }
            close(descriptor)
        }
    }

    deinit {
        shutdown(descriptor, Int32(SHUT_RDWR))
        open.shutDown()
    }

    var url: RedisURL { get throws { try RedisURL("redis://127.0.0.1:\(port)") } }

    private static func serve(_ connection: Int32, _ answers: [String], _ hangsUp: Bool) {
        var buffer = [UInt8](repeating: 0, count: 4_096)
        var turn = 0
        while recv(connection, &buffer, buffer.count, 0) > 0 {
            let answer = Array(answers[min(turn, answers.count - 1)].utf8)
            _ = send(connection, answer, answer.count, Int32(MSG_NOSIGNAL))
            turn += 1
            if hangsUp, turn >= answers.count { break }
        }
    }
}

extension RedisClient.Options {
    /// For tests that time says nothing about.
    static var patient: Self {
        var options = Self()
        options.answerTimeout = .seconds(60)
        options.connectTimeout = .seconds(60)
        return options
    }

    /// For servers that do not answer. One connection.
    static var quick: Self {
        var options = Self()
        options.connections = 1
        options.answerTimeout = .seconds(1)
        options.connectTimeout = .seconds(1)
        return options
    }
}

extension Logger {
    static let silent = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
}

/// Goes on as soon as it is so.
func until(_ isSo: @Sendable () async throws -> Bool) async rethrows {
    while try await !isSo() { await Task.yield() }
}

/// A number that tasks share.
final class Tally: Sendable {
    private let number = Atomic<Int>(0)
    var count: Int { number.load(ordering: .acquiring) }
    func add() { number.add(1, ordering: .acquiringAndReleasing) }
}
