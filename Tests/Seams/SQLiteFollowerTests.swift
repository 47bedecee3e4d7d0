import Foundation
import Kernel
import Synchronization
import Testing

@testable import Database

@Suite struct SQLiteFollowerTests {
    static let names = ["one", "two", "three"]
    let folder = FileManager.default.temporaryDirectory.appending(path: "souk-follower-\(UUID())").path

    func path(_ name: String) -> String { "\(folder)/live/\(name).sqlite" }

    /// One who writes, to all of the databases.
    private struct Writer {
        let connections: [SQLiteConnection]

        init(_ tests: SQLiteFollowerTests, checkpointPages: Int) throws {
            try FileManager.default.createDirectory(atPath: "\(tests.folder)/live", withIntermediateDirectories: true)
            var options = SQLiteDatabase.Options()
            options.synchronous = .normal
            options.checkpointPages = checkpointPages
            connections = try names.map {
                let connection = try SQLiteConnection(path: tests.path($0), role: .writer, options: options)
                // So few that a transaction spills into the log before it ends.
                try connection.executeScript(
                    """
                    PRAGMA cache_size = 10;
                    CREATE TABLE IF NOT EXISTS rows (id INTEGER PRIMARY KEY AUTOINCREMENT, content BLOB);
                    """)
                return connection
            }
        }

        func close() { for connection in connections { connection.close() } }

        /// A transaction of some statements, which may be rolled back.
        func write(_ generator: inout SeededGenerator) throws {
            let connection = connections[Int.random(in: 0..<connections.count, using: &generator)]
            try connection.begin()
            for _ in 0..<Int.random(in: 1...12, using: &generator) {
                let size = Int64.random(in: 0...12_000, using: &generator)
                switch Int.random(in: 0..<6, using: &generator) {
                case 0: _ = try connection.execute("DELETE FROM rows WHERE id % 7 = $1", [.integer(size % 7)])
                case 1:
                    let change = "UPDATE rows SET content = randomblob($1) WHERE id % 5 = $2"
                    _ = try connection.execute(change, [.integer(size), .integer(size % 5)])
                default:
                    _ = try connection.execute("INSERT INTO rows (content) VALUES (randomblob($1))", [.integer(size)])
                }
            }
            if Int.random(in: 0..<5, using: &generator) == 0 { connection.rollback() } else { try connection.commit() }
        }

        func checkpoint(_ generator: inout SeededGenerator) throws {
            let connection = connections[Int.random(in: 0..<connections.count, using: &generator)]
            let mode = ["PASSIVE", "FULL", "RESTART", "TRUNCATE"].randomElement(using: &generator) ?? ""
            connection.setBusyTimeout(.zero)
            _ = try connection.rows("PRAGMA wal_checkpoint(\(mode))", [])
            if Int.random(in: 0..<8, using: &generator) == 0 { try connection.executeScript("VACUUM") }
        }
    }

    private static func rows(_ path: String) throws -> [[Value]] {
        let connection = try SQLiteConnection(path: path, role: .reader, options: SQLiteDatabase.Options())
        defer { connection.close() }
        #expect(try connection.row("PRAGMA integrity_check", [])?.text(0) == "ok")
        return try connection.rows("SELECT id, hex(content) FROM rows ORDER BY id", []).map {
            [.integer(try $0.int64(0)), .text(try $0.text(1))]
        }
    }

    private func state() throws -> [[[Value]]] { try Self.names.map { try Self.rows(path($0)) } }

    private func restored(_ contents: [[UInt8]], _ number: Int) async throws -> [[[Value]]] {
        let folder = "\(folder)/restored-\(number)"
        let files = PageFiles(folder: folder)
        for content in contents { try await files.apply(content) }
        #expect(await files.names == Self.names.sorted())
        try await files.finish()
        return try Self.names.map { try Self.rows("\(folder)/\($0).sqlite") }
    }

    /// Whoever writes, rolls back, moves the log into the file or cuts it off, in whatever order: what is put together
    /// again of the base and what was told since is the state of that moment.
    @Test(arguments: 0..<12) func everyMomentIsPutTogetherAgain(_ seed: Int) async throws {
        defer { try? FileManager.default.removeItem(atPath: folder) }
        var generator = SeededGenerator(seed: UInt64(seed))
        let writer = try Writer(self, checkpointPages: [1, 20, 1_000].randomElement(using: &generator) ?? 1)
        defer { writer.close() }
        for _ in 0..<5 { try writer.write(&generator) }
        let follower = SQLiteFollower(Self.names.map { ($0, path($0)) }, partSize: [5_000, 1 << 20][seed % 2])
        try await follower.open()
        func live(_ generator: inout SeededGenerator) throws {
            for _ in 0..<Int.random(in: 0...3, using: &generator) {
                try writer.write(&generator)
                if Bool.random(using: &generator) { try writer.checkpoint(&generator) }
            }
        }
        var chain: [[UInt8]] = []
        for moment in 0..<16 {
            let beginsBase = moment % 8 == 0
            let restarts = Bool.random(using: &generator)
            _ = try await follower.take(SystemClock(), beginsBase: beginsBase, restartsLogs: restarts)
            let expected = try state()
            // What is committed from now on is of the next moment, and must not disturb this one.
            try live(&generator)
            while let content = try await follower.content() { chain.append(content) }
            if beginsBase {
                chain = []
                while let part = try await follower.basePart() {
                    chain.append(part.content)
                    if Int.random(in: 0..<4, using: &generator) == 0 { try live(&generator) }
                }
            }
            if Bool.random(using: &generator) { await follower.settle() }
            try live(&generator)
            #expect(try await restored(chain, moment) == expected, "moment \(moment)")
        }
        await follower.close()
    }

    private final class Progress: Sendable {
        let state = Mutex((isOver: false, written: 0))
    }

    /// Each number is written to one database after the other: no moment has one that the database before it misses.
    @Test func aMomentIsTheSameInAllDatabases() async throws {
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let first = try Writer(self, checkpointPages: 10)
        let follower = SQLiteFollower(Self.names.reversed().map { ($0, path($0)) }, partSize: 1 << 20)
        try await follower.open()
        let progress = Progress()
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                try await BlockingPool(name: "writer", threads: 1).run {
                    let writer = try Writer(self, checkpointPages: 10)
                    defer { writer.close() }
                    // The bound is for a test that fails.
                    while progress.state.withLock({ !$0.isOver && $0.written < 3_000 }) {
                        for connection in writer.connections {
                            try connection.begin()
                            _ = try connection.execute("INSERT INTO rows (content) VALUES (randomblob(3000))", [])
                            try connection.commit()
                        }
                        progress.state.withLock { $0.written += 1 }
                    }
                }
            }
            defer { progress.state.withLock { $0.isOver = true } }
            var chain: [[UInt8]] = []
            for moment in 0..<12 {
                let before = progress.state.withLock { $0.written }
                _ = try await follower.take(SystemClock(), beginsBase: moment == 0, restartsLogs: true)
                if await follower.wantsRestart { try await follower.checkpoint() }
                while let content = try await follower.content() { chain.append(content) }
                while let part = try await follower.basePart() { chain.append(part.content) }
                let counts = try await restored(chain, moment).map(\.count)
                #expect(counts == counts.sorted(by: >) && counts[0] - counts[2] <= 1, "\(counts)")
                #expect(counts[2] >= before)
            }
            progress.state.withLock { $0.isOver = true }
            try await group.waitForAll()
        }
        first.close()
        await follower.close()
    }

    /// A log that nobody can begin anew would grow for ever.
    @Test func aLargeLogIsBegunAnew() async throws {
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let writer = try Writer(self, checkpointPages: 100)
        defer { writer.close() }
        let follower = SQLiteFollower(Self.names.map { ($0, path($0)) }, partSize: 1 << 20)
        try await follower.open()
        _ = try await follower.take(SystemClock(), beginsBase: true)
        while try await follower.basePart() != nil {}
        var sizes: [Int] = []
        for _ in 0..<12 {
            _ = try writer.connections[0].execute("INSERT INTO rows (content) VALUES (randomblob(8000000))", [])
            _ = try writer.connections[0].execute("DELETE FROM rows", [])
            _ = try await follower.take(SystemClock())
            if await follower.wantsRestart {
                await follower.settle()
                try await follower.checkpoint()
                _ = try await follower.take(SystemClock(), restartsLogs: true)
                #expect(await !follower.wantsRestart)
            }
            sizes.append(try writer.connections[0].size(of: .log))
        }
        #expect(sizes.max() ?? 0 < 2 * FollowedFile.restartSize)
        await follower.close()
    }

    @Test func anotherFileUnderTheNameIsNoticed() async throws {
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let writer = try Writer(self, checkpointPages: 100)
        let follower = SQLiteFollower(Self.names.map { ($0, path($0)) }, partSize: 1 << 20)
        try await follower.open()
        _ = try await follower.take(SystemClock(), beginsBase: true)
        writer.close()
        try FileManager.default.moveItem(atPath: path("two"), toPath: path("old"))
        try FileManager.default.copyItem(atPath: path("old"), toPath: path("two"))
        await #expect(throws: FollowError.replaced(path: path("two"))) { try await follower.take(SystemClock()) }
        await follower.close()
    }

    @Test func contentThatIsNotPagesIsRefused() async throws {
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let files = PageFiles(folder: folder)
        var wrong: [[UInt8]] = [[1], [3, 97], Array("\u{3}../".utf8) + [0, 0, 16, 0, 0, 0, 0, 1, 0, 0, 0, 0]]
        var content = PageContent()
        content.beginSection("one", pageSize: 512, total: 1, count: 1)
        content.append(2, [UInt8](repeating: 0, count: 512))
        wrong.append(content.bytes)
        for bytes in wrong { await #expect(throws: PageContent.Damaged.self) { try await files.apply(bytes) } }
        await files.close()
        #expect(!FileManager.default.fileExists(atPath: folder))
    }
}
