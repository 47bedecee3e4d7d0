import Database
import Foundation
import Kernel
import PostgresPeer
import Synchronization
import Testing

/// Nothing acknowledged is lost and nothing refused is kept, whatever becomes of the connection or the server.
@Suite("Database: PostgreSQL fails", .enabled(if: PostgresPeer.isInstalled, "apt-get install postgresql"))
struct PostgresFailureTests {
    @Test(
        "a serialization failure and a deadlock run the whole closure again, also where it caught them",
        arguments: ["40001", "40P01"])
    func tryAgain(code: String) async throws {
        let place = try PostgresPlace()
        let database = try await place.openWithNumbers()
        let runs = RunCount()
        let tries = try await database.write { transaction in
            runs.add()
            try transaction.execute("INSERT INTO numbers (number, caller) VALUES (1, 1)")
            return (try? transaction.row("SELECT fail($1, 3)", code)?.int(0)) ?? -1
        }
        #expect(tries == 4)
        #expect(runs.count == 4)
        #expect(try await database.numbers == [1])
        await database.close()
    }

    @Test("it is given up after some times, and nothing is kept")
    func giveUp() async throws {
        let database = try await PostgresPlace().openWithNumbers()
        let error = await #expect(throws: DatabaseError.self) {
            try await database.write { transaction in
                try transaction.execute("INSERT INTO numbers (number, caller) VALUES (1, 1)")
                _ = try transaction.row("SELECT fail('40001', 1000)")
            }
        }
        guard case .busy = error else {
            Issue.record("expected busy, found \(String(describing: error))")
            return
        }
        #expect(try await database.numbers == [])
        #expect(try await database.number(1) == 1)
        await database.close()
    }

    @Test("two that wait for each other both come through")
    func deadlock() async throws {
        let place = try PostgresPlace()
        let database = try await place.openWithNumbers()
        try await database.write { _ = try $0.execute("INSERT INTO numbers VALUES (1, 0), (2, 0)") }
        // Of two schemas, so that they do not take turns.
        var elsewhere = place
        elsewhere.schema = PostgresPeer.schema()
        let other = try await elsewhere.open()
        let barrier = Barrier()
        @Sendable func add(_ first: Int, _ second: Int) -> @Sendable (Transaction) throws -> Void {
            let (table, hasMet) = ("\"\(place.schema)\".numbers", Once())
            return { transaction in
                try transaction.execute("UPDATE \(table) SET caller = caller + 1 WHERE number = $1", first)
                if hasMet.isFirst { barrier.meet() }
                try transaction.execute("UPDATE \(table) SET caller = caller + 1 WHERE number = $1", second)
            }
        }
        async let one: Void = database.write(add(1, 2))
        async let two: Void = other.write(add(2, 1))
        _ = try await (one, two)
        let sums = try await database.read { try $0.rows("SELECT caller FROM numbers").map { try $0.int(0) } }
        #expect(sums == [2, 2])
        await database.close()
        await other.close()
    }

    @Test("a backend that is ended in the middle costs its closures a second run, and nothing else")
    func ended() async throws {
        let database = try await PostgresPlace().openWithNumbers()
        let isFirst = Once()
        let end = "SELECT pg_terminate_backend(pg_backend_pid())"
        try await withThrowingTaskGroup(of: Void.self) { group in
            for caller in 0..<20 {
                group.addTask {
                    try await database.write { transaction in
                        try transaction.execute("INSERT INTO numbers (number, caller) VALUES ($1, 1)", caller)
                        if caller == 7, isFirst.isFirst { _ = try? transaction.row(end) }
                    }
                }
            }
            try await group.waitForAll()
        }
        #expect(try await database.numbers == Array(0..<20))
        let isFirstRead = Once()
        #expect(
            try await database.read { transaction in
                if isFirstRead.isFirst { _ = try? transaction.row(end) }
                return try transaction.row("SELECT count(*) FROM numbers")?.int(0)
            } == 20)
        await database.close()
    }

    @Test("a connection that is found ended while much is sent costs its closure a second run")
    func endedWhileMuchIsSent() async throws {
        let peer = try PostgresPeer.shared.get()
        let place = PostgresPlace(peer.url)
        let (database, other) = (try await place.openWithNumbers(), try await place.open())
        try await database.write { _ = try $0.execute("CREATE TABLE letters (number BIGINT, body TEXT)") }
        for round in 1...10 {
            try await other.write { transaction in
                _ = try transaction.rows(
                    """
                    SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                    WHERE application_name = 'souk ' || current_schema() AND pid != pg_backend_pid()
                    """)
            }
            let count = try await database.write { transaction in
                for number in 1...40 {
                    let body = String(repeating: "a", count: 100_000)
                    try transaction.post("INSERT INTO letters VALUES ($1, $2)", number, body)
                }
                return try transaction.row("SELECT count(*) FROM letters")?.int(0)
            }
            #expect(count == 40 * round)
        }
        await database.close()
        await other.close()
    }

    @Test("a commit whose answer is lost is asked about, and counts once; where nobody can be asked it is unknown")
    func lostAnswer() async throws {
        let peer = try PostgresPeer.shared.get()
        let proxy = SwallowingProxy(to: peer.port)
        defer { proxy.stop() }
        var place = PostgresPlace(peer.url.replacing(":\(peer.port)/", with: ":\(proxy.port)/"))
        place.options.patience = .milliseconds(300)
        let database = try await place.openWithNumbers()
        let runs = RunCount()
        proxy.swallowNextCommit()
        try await database.write { transaction in
            runs.add()
            try transaction.execute("INSERT INTO numbers (number, caller) VALUES (1, 1)")
        }
        #expect(proxy.swallowed == 1)
        #expect(runs.count == 1)
        #expect(try await database.numbers == [1])

        proxy.swallowNextCommit(thenShut: true)
        await #expect(throws: OutcomeUnknown.self) { try await database.number(2) }
        let away = await #expect(throws: DatabaseError.self) { try await database.number(3) }
        guard case .unavailable = away else {
            Issue.record("expected unavailable, found \(String(describing: away))")
            return
        }
        // It was kept, as it happens.
        var direct = PostgresPlace(peer.url)
        direct.schema = place.schema
        let witness = try await direct.open()
        #expect(try await witness.numbers == [1, 2])
        await database.close()
        await witness.close()
    }

    /// The server forgets the identifiers of transactions that it had not written to its disk, and gives them to
    /// others.
    @Test("a commit that a killed server never saw is not taken for one that others made since")
    func lostCommitOfAKilledServer() async throws {
        let peer = try PostgresPeer(["wal_writer_delay=10000"])
        let proxy = SwallowingProxy(to: peer.port)
        defer { proxy.stop() }
        var place = PostgresPlace(peer.url.replacing(":\(peer.port)/", with: ":\(proxy.port)/"))
        place.options.patience = .seconds(30)
        let database = try await place.openWithNumbers()
        var direct = PostgresPlace(peer.url)
        direct.schema = place.schema
        proxy.swallowNextCommitItself()
        async let number = database.number(0)
        while proxy.swallowed == 0 { await Task.yield() }
        try peer.kill9()
        try peer.start()
        let others = try await direct.open()
        for caller in 1...20 { _ = try await others.number(caller) }
        proxy.reopen()
        #expect(try await number == 21)
        #expect(try await others.numbers == Array(1...21))
        await database.close()
        await others.close()
        try peer.stop()
    }

    @Test("kill -9 of the server: what was acknowledged is there, whole; what was refused is not")
    func killed() async throws {
        let peer = try PostgresPeer(["max_connections=40"])
        var place = PostgresPlace(peer.url)
        place.options.patience = .seconds(30)
        place.options.closuresPerCommit = 8
        let handles = [try await place.openWithNumbers(), try await place.open()]
        let isOver = Once()
        let (kept, refused) = try await withThrowingTaskGroup(of: (kept: [Int], refused: [Int]).self) { group in
            for caller in 0..<16 {
                group.addTask {
                    var (kept, refused): ([Int], [Int]) = ([], [])
                    for round in 0... {
                        if isOver.isPast { break }
                        let number = caller * 1_000_000 + 2 * round
                        do {
                            try await handles[caller % 2].write { transaction in
                                try transaction.execute("INSERT INTO numbers VALUES ($1, $2)", number, caller)
                                if round % 7 == 6 { throw DatabaseTestRefusal(why: "now and then") }
                                try transaction.execute("INSERT INTO numbers VALUES ($1, $2)", number + 1, caller)
                            }
                            kept.append(number)
                        } catch is OutcomeUnknown {
                        } catch {
                            refused.append(number)
                        }
                    }
                    return (kept, refused)
                }
            }
            group.addTask {
                for round in 1...3 {
                    while try await handles[1].numbers.count < round * 300 { await Task.yield() }
                    try peer.kill9()
                    try peer.start()
                }
                while try await handles[1].numbers.count < 1_300 { await Task.yield() }
                _ = isOver.isFirst
                return ([], [])
            }
            return try await group.reduce(into: ([Int](), [Int]())) { all, some in
                all.0 += some.kept
                all.1 += some.refused
            }
        }
        let stored = Set(try await handles[0].numbers)
        #expect(kept.allSatisfy { stored.contains($0) && stored.contains($0 + 1) })
        #expect(refused.allSatisfy { !stored.contains($0) && !stored.contains($0 + 1) })
        #expect(stored.allSatisfy { stored.contains($0 ^ 1) })
        #expect(kept.count >= 600)
        for handle in handles { await handle.close() }
    }

    @Test("a server that goes away for good is said to be away, and is found again when it is back")
    func away() async throws {
        let peer = try PostgresPeer(["fsync=off", "max_connections=20"])
        var place = PostgresPlace(peer.url)
        place.options.patience = .milliseconds(200)
        let database = try await place.openWithNumbers()
        try await database.number(1)
        try peer.stop()
        for _ in 0..<2 {
            for error in [
                await #expect(throws: DatabaseError.self, performing: { try await database.number(2) }),
                await #expect(throws: DatabaseError.self, performing: { try await database.check() }),
            ] {
                guard case .unavailable = error else {
                    Issue.record("expected unavailable, found \(String(describing: error))")
                    return
                }
            }
        }
        try peer.start()
        try await database.check()
        #expect(try await database.number(2) == 2)
        await database.close()
    }
}

/// True once.
private final class Once: Sendable {
    private let isUsed = Atomic(false)
    var isFirst: Bool { !isUsed.exchange(true, ordering: .relaxed) }
    var isPast: Bool { isUsed.load(ordering: .relaxed) }
}

private final class RunCount: Sendable {
    private let number = Atomic(0)
    var count: Int { number.load(ordering: .relaxed) }
    func add() { number.add(1, ordering: .relaxed) }
}

/// Two threads go on when both are there.
private final class Barrier: Sendable {
    private let (one, two) = (DispatchSemaphore(value: 0), DispatchSemaphore(value: 0))
    private let isFirst = Once()

    func meet() {
        if isFirst.isFirst {
            two.signal()
            one.wait()
        } else {
            one.signal()
            two.wait()
        }
    }
}
