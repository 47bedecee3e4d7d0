import Database
import Foundation
import PostgresPeer
import Synchronization

/// A schema of one test's own on the tests' server, with handles on it as processes have them.
struct PostgresPlace {
    let url: String
    var schema = PostgresPeer.schema()
    var options = PostgresDatabase.Options()

    init(_ url: String) { self.url = url }

    init() throws { self.init(try PostgresPeer.shared.get().url) }

    func open() async throws -> PostgresDatabase {
        try await PostgresDatabase.open(url: url, schema: schema, options: options)
    }

    /// With a table `numbers`, and a sequence `tries` that no rollback takes back.
    func openWithNumbers() async throws -> PostgresDatabase {
        let database = try await open()
        try await database.migrate([Self.numbers])
        return database
    }

    static let numbers = Migration(
        1, "numbers", sqlite: "",
        postgres: """
            CREATE TABLE numbers (number BIGINT PRIMARY KEY, caller BIGINT NOT NULL);
            CREATE SEQUENCE tries;
            -- Fails with the code given until it was called so often.
            CREATE FUNCTION fail(code TEXT, times BIGINT) RETURNS BIGINT LANGUAGE plpgsql AS $$
            DECLARE try BIGINT := nextval('tries');
            BEGIN
                IF try <= times THEN RAISE EXCEPTION 'failed on purpose' USING ERRCODE = code; END IF;
                RETURN try;
            END $$;
            """)
}

extension Database {
    /// The next number, as orders are numbered.
    @discardableResult
    func number(_ caller: Int) async throws -> Int {
        try await write { transaction in
            try transaction.row(
                """
                INSERT INTO numbers (number, caller) VALUES ((SELECT coalesce(max(number), 0) + 1 FROM numbers), $1)
                RETURNING number
                """, caller)?.int(0) ?? 0
        }
    }

    var numbers: [Int] {
        get async throws {
            try await read { try $0.rows("SELECT number FROM numbers ORDER BY number").map { try $0.int(0) } }
        }
    }
}

/// Stands between a client and a server on the loopback. Armed, it swallows the server's answer to the next COMMIT and
/// hangs up, as a network does.
final class SwallowingProxy: Sendable {
    private struct State {
        var isArmed = false
        /// The commit itself is swallowed, not its answer.
        var isWhole = false
        var isShut = false
        var swallowed = 0
    }
    let port: Int
    private let target: Int
    private let listener: Int32
    private let state = Mutex(State())

    init(to target: Int) {
        self.target = target
        // Writing to whoever has hung up is an error, not this process's end.
        signal(SIGPIPE, SIG_IGN)
        listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var address = Self.loopback(0)
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let listener = listener
        withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
                _ = bind(listener, address, length)
                _ = getsockname(listener, address, &length)
            }
        }
        port = Int(UInt16(bigEndian: address.sin_port))
        listen(listener, 16)
        Thread.detachNewThread { [self] in
            while true {
                let client = accept(listener, nil, nil)
                guard client >= 0 else { return }
                if state.withLock({ $0.isShut }) { close(client) } else { serve(client) }
            }
        }
    }

    /// - Parameter isShut: from then on nobody is let in again.
    func swallowNextCommit(thenShut isShut: Bool = false) {
        state.withLock {
            $0.isArmed = true
            $0.isShut = isShut
        }
    }
    /// The server never sees it, and nobody is let in until `reopen`.
    func swallowNextCommitItself() {
        state.withLock {
            $0.isArmed = true
            $0.isWhole = true
        }
    }
    func reopen() { state.withLock { $0.isShut = false } }
    var swallowed: Int { state.withLock { $0.swallowed } }

    func stop() { shutdown(listener, Int32(SHUT_RDWR)) }

    private func serve(_ client: Int32) {
        let server = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var address = Self.loopback(target)
        _ = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(server, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        let flag = Flag()
        Thread.detachNewThread { [self] in
            Self.copy(client, server) { bytes in
                guard bytes.firstRange(of: Array("COMMIT\0".utf8)) != nil else { return true }
                return state.withLock { state in
                    guard state.isArmed, state.isWhole else {
                        if state.isArmed { flag.value.store(true, ordering: .relaxed) }
                        return true
                    }
                    state.isArmed = false
                    state.isShut = true
                    state.swallowed += 1
                    return false
                }
            }
        }
        Thread.detachNewThread { [self] in
            Self.copy(server, client) { _ in
                guard flag.value.load(ordering: .relaxed) else { return true }
                state.withLock {
                    $0.isArmed = false
                    $0.swallowed += 1
                }
                return false
            }
        }
    }

    private final class Flag: Sendable {
        let value = Atomic(false)
    }

    /// Until one side ends, or `isPassed` refuses; then both are hung up.
    private static func copy(_ from: Int32, _ to: Int32, _ isPassed: ([UInt8]) -> Bool) {
        var buffer = [UInt8](repeating: 0, count: 65_536)
        while true {
            let count = read(from, &buffer, buffer.count)
            guard count > 0, isPassed(Array(buffer[..<count])), write(to, buffer, count) == count else { break }
        }
        shutdown(from, Int32(SHUT_RDWR))
        shutdown(to, Int32(SHUT_RDWR))
    }

    private static func loopback(_ port: Int) -> sockaddr_in {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = UInt16(port).bigEndian
        address.sin_addr.s_addr = inet_addr("127.0.0.1")
        return address
    }
}
