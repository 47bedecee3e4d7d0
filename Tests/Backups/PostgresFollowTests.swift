import Database
import Foundation
import Kernel
import PostgresPeer
import Synchronization
import Testing

@testable import Backups

/// A follower at work, and what it has told.
final class Following: Sendable {
    let repository: LogRepository
    private let url: String
    private let isStopped = Mutex(false)
    private let told = Mutex<[PostgresFollower.Event]>([])
    private struct Waiting {
        var continuations: [CheckedContinuation<Void, Never>] = []
        var isOver = false
    }
    private let waiting = Mutex(Waiting())

    struct Ended: Error {}

    init(_ url: String, _ store: FlakyObjects) {
        self.url = url
        repository = LogRepository(BackupRepository(store, key: FormatTests.key, name: "memory"))
    }

    var events: [PostgresFollower.Event] { told.withLock { $0 } }
    var trouble: [String] { events.compactMap { if case .trouble(let text) = $0 { text } else { nil } } }
    var generations: [BackupID] { events.compactMap { if case .base(let id, _, _) = $0 { id } else { nil } } }
    var resumed: [BackupID] { events.compactMap { if case .resumed(let id) = $0 { id } else { nil } } }

    /// Follows while the work is done.
    func run(_ work: @escaping @Sendable () async throws -> Void) async throws {
        isStopped.withLock { $0 = false }
        waiting.withLock { $0.isOver = false }
        var options = PostgresFollower.Options()
        options.interval = .milliseconds(20)
        let follower = PostgresFollower(repository, url: url, release: "1", clock: SystemClock(), options: options) {
            event in
            self.told.withLock { $0.append(event) }
            self.wake(isOver: false)
        }
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                defer { self.wake(isOver: true) }
                try await follower.run { self.isStopped.withLock { $0 } }
            }
            group.addTask {
                defer { self.isStopped.withLock { $0 = true } }
                try await work()
            }
            try await group.waitForAll()
        }
    }

    /// The first cut that has all that was committed until now.
    @discardableResult
    func cut() async throws -> Timestamp {
        let now = SystemClock().now()
        return try await until { events in
            events.lazy.compactMap { if case .cut(let until, _) = $0, until > now { until } else { nil } }.first
        }
    }

    func until<T>(_ find: ([PostgresFollower.Event]) -> T?) async throws -> T {
        while true {
            let count = events.count
            if let found = find(events) { return found }
            if waiting.withLock(\.isOver) { throw Ended() }
            await withCheckedContinuation { continuation in
                let isNow = waiting.withLock { waiting in
                    if waiting.isOver || events.count > count { return true }
                    waiting.continuations.append(continuation)
                    return false
                }
                if isNow { continuation.resume() }
            }
        }
    }

    private func wake(isOver: Bool) {
        let all = waiting.withLock { waiting in
            waiting.isOver = isOver
            defer { waiting.continuations = [] }
            return waiting.continuations
        }
        for continuation in all { continuation.resume() }
    }
}

/// What was committed before a moment is back after everything else is gone.
@Suite(
    "A PostgreSQL server that is followed", .enabled(if: PostgresPeer.isInstalled, "apt-get install postgresql"),
    .timeLimit(.minutes(5)))
struct PostgresFollowTests {
    let store = FlakyObjects()
    static let numbers = Migration(
        1, "numbers", sqlite: "", postgres: "CREATE TABLE numbers (number BIGINT PRIMARY KEY, text TEXT NOT NULL)")

    static func shop(_ server: PostgresPeer) async throws -> PostgresDatabase {
        let database = try await PostgresDatabase.open(url: server.url, schema: "shop")
        try await database.migrate([numbers])
        return database
    }

    static func write(_ range: ClosedRange<Int>, to database: PostgresDatabase) async throws {
        for number in range {
            try await database.write { transaction in
                _ = try transaction.execute(
                    "INSERT INTO numbers VALUES ($1, $2)", number, String(repeating: "x", count: number % 900))
            }
        }
    }

    /// In one transaction, of several objects.
    static func writeMuch(to database: PostgresDatabase) async throws {
        try await database.write { transaction in
            _ = try transaction.execute(
                "INSERT INTO numbers SELECT n, repeat(md5(n::text), 50) FROM generate_series(1, 20000) n")
        }
    }

    /// All that is there is lost, and comes from the copy.
    static func restore(_ server: PostgresPeer, _ following: Following, until: Timestamp?) async throws -> [Int] {
        let owner = PostgresPeer.owner.flatMap(FileOwner.init(named:))
        let reader = try await following.repository.open(until: until)
        let restored = try await PostgresRestorer(into: server.dataFolder, owner: owner).restore(reader)
        #expect(restored.until <= until ?? restored.until)
        try server.start()
        return try await numbers(server)
    }

    static func numbers(_ server: PostgresPeer) async throws -> [Int] {
        let database = try await PostgresDatabase.open(url: server.url, schema: "shop")
        let numbers = try await database.read { try $0.rows("SELECT number FROM numbers ORDER BY number") }
        await database.close()
        return try numbers.map { try $0.int(0) }
    }

    @Test("after kill -9 and the loss of its folder it is back, as it was at any cut")
    func lost() async throws {
        let server = try PostgresPeer()
        let following = Following(server.url, store)
        let moments = Mutex<[Timestamp]>([])
        let database = try await Self.shop(server)
        try await Self.write(1...10, to: database)
        try await following.run {
            _ = try await following.until { $0.contains { if case .base = $0 { true } else { false } } ? true : nil }
            for start in [11, 101, 201] {
                try await Self.write(start...start + 89, to: database)
                let moment = try await following.cut()
                moments.withLock { $0.append(moment) }
            }
            try server.destroy()
        }
        await database.close()
        let times = moments.withLock { $0 }
        let expected = [Array(1...100), Array(1...100) + Array(101...190), Array(1...190) + Array(201...290)]
        #expect(try await Self.restore(server, following, until: nil) == expected[2])
        for (index, moment) in times.enumerated() {
            try server.destroy()
            #expect(try await Self.restore(server, following, until: moment) == expected[index])
        }
        // It takes orders again, and can be followed anew.
        let again = try await Self.shop(server)
        try await Self.write(1_000...1_001, to: again)
        await again.close()
        try await following.run { try await following.cut() }
        #expect(following.generations.count == 2)
        try server.destroy()
        #expect(try await Self.restore(server, following, until: nil) == expected[2] + [1_000, 1_001])
        await #expect(throws: BackupError.notEmptyFolder(path: server.dataFolder)) {
            _ = try await Self.restore(server, following, until: nil)
        }
        let early = try #require(following.generations.first?.time) - .seconds(60)
        await #expect(throws: BackupError.noLog(until: early, place: "memory")) {
            _ = try await following.repository.open(until: early)
        }
    }

    @Test("it goes on in the same copy after the server, the store or the follower were away")
    func away() async throws {
        let server = try PostgresPeer()
        let following = Following(server.url, store)
        let store = store
        let database = try await Self.shop(server)
        try await following.run {
            try await following.cut()
            try await Self.write(1...50, to: database)
            try server.kill9()
            try server.start()
            try await Self.write(51...100, to: database)
            try await following.cut()
            store.refuse(2)
            try await Self.write(101...150, to: database)
            try await following.cut()
        }
        #expect(following.trouble.contains { $0.contains("went away") })
        #expect(following.trouble.contains { $0.contains("Refused") })
        try await Self.write(151...200, to: database)
        try await following.run { try await following.cut() }
        await database.close()
        #expect(following.generations.count == 1 && following.resumed == following.generations)
        try server.destroy()
        #expect(try await Self.restore(server, following, until: nil) == Array(1...200))
    }

    @Test("a slot that is gone means a new copy, since the log between is lost")
    func slotGone() async throws {
        let server = try PostgresPeer()
        let following = Following(server.url, store)
        let database = try await Self.shop(server)
        try await following.run { try await following.cut() }
        try await Self.write(1...10, to: database)
        try await database.write { _ = try $0.row("SELECT pg_drop_replication_slot('souk_backup')::text") }
        try await following.run { try await following.cut() }
        await database.close()
        #expect(following.generations.count == 2 && following.resumed.isEmpty)
        try server.destroy()
        #expect(try await Self.restore(server, following, until: nil) == Array(1...10))
    }

    @Test("a transaction that is larger than an object is there wholly or not at all")
    func large() async throws {
        let server = try PostgresPeer()
        let following = Following(server.url, store)
        let database = try await Self.shop(server)
        try await following.run {
            try await following.cut()
            try await Self.writeMuch(to: database)
            try await following.cut()
        }
        await database.close()
        let more = store.keys.filter { $0.hasSuffix("-more") }
        #expect(!more.isEmpty)
        try server.destroy()
        #expect(try await Self.restore(server, following, until: nil) == Array(1...20_000))
    }

    @Test("one that was broken off goes on behind what is kept of it, though nothing may be deleted")
    func brokenOff() async throws {
        let server = try PostgresPeer()
        let following = Following(server.url, store)
        let database = try await Self.shop(server)
        store.refuseDeletion()
        try await following.run { try await following.cut() }
        store.breakOff()
        await #expect(throws: FlakyObjects.Refused.self) {
            try await following.run {
                try await Self.writeMuch(to: database)
                // Which is told of.
                _ = try await following.until { _ in following.trouble.first }
            }
        }
        await database.close()
        #expect(store.keys.last { $0.contains("/cuts/") }?.hasSuffix("-more") == true)
        store.goOn()
        try await following.run { try await following.cut() }
        #expect(following.generations.count == 1 && following.resumed.count == 2)
        try server.destroy()
        #expect(try await Self.restore(server, following, until: nil) == Array(1...20_000))
    }

    @Test("as a synchronous standby it has whatever was acknowledged")
    func synchronous() async throws {
        let server = try PostgresPeer()
        let following = Following(server.url, store)
        let database = try await Self.shop(server)
        try await following.run {
            try await following.cut()
            let file = server.dataFolder + "/postgresql.auto.conf"
            let handle = try #require(FileHandle(forWritingAtPath: file))
            try handle.seekToEnd()
            try handle.write(contentsOf: Data("synchronous_standby_names = 'souk_backup'\n".utf8))
            try handle.close()
            try await database.write { _ = try $0.row("SELECT pg_reload_conf()::text") }
            while try await database.read({ transaction in
                try transaction.row("SELECT setting FROM pg_settings WHERE name = 'synchronous_standby_names'")?.text(0)
            }) != "souk_backup" {}
            try await Self.write(1...40, to: database)
            // Without a further cut.
            try server.destroy()
        }
        await database.close()
        #expect(try await Self.restore(server, following, until: nil) == Array(1...40))
    }

    @Test("what was changed in the store is refused, and says how far it can be restored")
    func damage() async throws {
        let server = try PostgresPeer()
        let following = Following(server.url, store)
        let database = try await Self.shop(server)
        try await following.run {
            try await following.cut()
            // One transaction is one cut.
            try await database.write { transaction in
                _ = try transaction.execute("INSERT INTO numbers SELECT n, 'x' FROM generate_series(1, 10) n")
            }
            try await following.cut()
        }
        await database.close()
        try server.destroy()
        let last = try #require(store.keys.last { $0.contains("/cuts/") })
        let whole = store.bytes(last)
        store.change(last) { $0.dropLast() + [$0[$0.count - 1] ^ 1] }
        let folder = server.dataFolder
        let error = await #expect(throws: BackupError.self) {
            _ = try await PostgresRestorer(into: folder).restore(try await following.repository.open(until: nil))
        }
        guard case .brokenLog(let key, _, let reach) = error else {
            Issue.record("expected a broken log, found \(String(describing: error))")
            return
        }
        #expect(key == last)
        // No server starts on what is left.
        #expect(!FileManager.default.fileExists(atPath: folder + "/recovery.signal"))
        try FileManager.default.removeItem(atPath: folder)
        store.change(last) { _ in whole }
        #expect(try await Self.restore(server, following, until: nil) == Array(1...10))
        try server.destroy()
        #expect(try await Self.restore(server, following, until: reach).isEmpty)
    }
}
