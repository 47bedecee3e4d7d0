import Database
import Foundation
import PostgresPeer
import Synchronization

/// A folder of its own for one test, gone with the test.
final class DatabaseTestFolder: Sendable {
    let path: String

    init() throws {
        path = FileManager.default.temporaryDirectory.path + "/souk-database-" + UUID().uuidString
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    func file(_ name: String) -> String { path + "/" + name }
}

/// What commits carried, in their order.
final class DatabaseCommits: Sendable {
    private let counts = Mutex<[Int]>([])
    var all: [Int] { counts.withLock { $0 } }
    func add(_ count: Int) { counts.withLock { $0.append(count) } }
}

struct DatabaseTestRefusal: Error, Equatable {
    let why: String
}

/// The engines that every suite of the seam runs over.
enum DatabaseEngine: String, Sendable, CaseIterable {
    case memory = "SQLite in memory"
    case file = "SQLite"
    case postgres = "PostgreSQL"

    /// PostgreSQL only where it is installed; `PostgresTests` says so where it is not.
    static let all = allCases.filter { $0 != .postgres || PostgresPeer.isInstalled }
    /// Those that read while they write.
    static let withReaders = all.filter { $0 != .memory }
}

/// What the suites look at beside the protocol.
protocol MeasuredDatabase: Database {
    var waiting: Int { get }
}
extension SQLiteDatabase: MeasuredDatabase {}
extension PostgresDatabase: MeasuredDatabase {}

/// A database of one test's own, opened as often as it likes.
struct DatabasePlace {
    let engine: DatabaseEngine
    var closuresPerCommit = 512
    var queueLimit = 8_192
    var onCommit: (@Sendable (Int) -> Void)?
    private let folder: DatabaseTestFolder
    private let schema = PostgresPeer.schema()

    init(_ engine: DatabaseEngine) throws {
        self.engine = engine
        folder = try DatabaseTestFolder()
    }

    func open() async throws -> any MeasuredDatabase {
        // The folder lives as long as the database does.
        let told: @Sendable (Int) -> Void = { [folder, onCommit] count in
            withExtendedLifetime(folder) { onCommit?(count) }
        }
        switch engine {
        case .memory, .file:
            var options = SQLiteDatabase.Options()
            options.closuresPerCommit = closuresPerCommit
            options.queueLimit = queueLimit
            options.onCommit = told
            let path = engine == .memory ? SQLiteDatabase.inMemory : folder.file("a.db")
            return try await SQLiteDatabase.open(path: path, options: options)
        case .postgres:
            var options = PostgresDatabase.Options()
            options.closuresPerCommit = closuresPerCommit
            options.queueLimit = queueLimit
            options.onCommit = told
            return try await PostgresDatabase.open(
                url: PostgresPeer.shared.get().url, schema: schema, options: options)
        }
    }

    /// With the tables below.
    func openWithThings() async throws -> any MeasuredDatabase {
        let database = try await open()
        try await database.migrate([SQLiteDatabase.things])
        return database
    }
}

extension SQLiteDatabase {
    static let things = Migration(
        1, "things",
        sqlite: """
            CREATE TABLE things (
                name TEXT PRIMARY KEY, amount INTEGER NOT NULL CONSTRAINT enough CHECK (amount >= 0)
            ) STRICT;
            CREATE TABLE parts (thing TEXT NOT NULL REFERENCES things (name), note BLOB);
            """,
        postgres: """
            CREATE TABLE things (
                name TEXT COLLATE "C" PRIMARY KEY, amount BIGINT NOT NULL CONSTRAINT enough CHECK (amount >= 0)
            );
            CREATE TABLE parts (thing TEXT COLLATE "C" NOT NULL REFERENCES things (name), note BYTEA);
            """)

    /// An open database with the tables above.
    static func withThings(_ path: String, options: Options = Options()) async throws -> SQLiteDatabase {
        let database = try await SQLiteDatabase.open(path: path, options: options)
        try await database.migrate([things])
        return database
    }
}

extension Database {
    func add(_ name: String, _ amount: Int = 1) async throws {
        try await write { _ = try $0.execute("INSERT INTO things (name, amount) VALUES ($1, $2)", name, amount) }
    }

    var names: [String] {
        get async throws {
            try await read { try $0.rows("SELECT name FROM things ORDER BY name").map { try $0.text(0) } }
        }
    }

}

extension MeasuredDatabase {
    /// Keeps the writer busy until `count` closures wait behind it; they then come to one commit.
    func holdUntilWaiting(_ count: Int, _ submit: (inout ThrowingTaskGroup<Void, any Error>) -> Void) async throws {
        try await hold(until: { waiting >= count }, submit)
    }

    func hold(
        until isReady: () -> Bool, _ submit: (inout ThrowingTaskGroup<Void, any Error>) -> Void
    ) async throws {
        let gate = DispatchSemaphore(value: 0)
        let entered = AsyncStream<Void>.makeStream()
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                try await self.write { _ in
                    entered.continuation.yield()
                    gate.wait()
                }
            }
            for await _ in entered.stream { break }
            submit(&group)
            while !isReady() { await Task.yield() }
            gate.signal()
            try await group.waitForAll()
        }
    }
}

/// A seeded generator: the same numbers every time.
struct DatabaseTestRandom: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }
}
