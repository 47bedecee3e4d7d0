import Database
import Foundation
import Kernel
import PostgresPeer
import Testing

@Suite("Database: PostgreSQL", .enabled(if: PostgresPeer.isInstalled, "apt-get install postgresql"))
struct PostgresTests {
    // MARK: What it is opened with

    @Test(
        "a URL that is wrong is refused by the setting's name, and its password is not shown",
        arguments: [
            ("mysql://souk:s3cret@127.0.0.1/souk", "expected postgres://"),
            ("postgres://souk:s3cret@127.0.0.1/souk?sslmode=never", "sslmode: expected one of disable"),
            ("postgres://souk:s3cret@127.0.0.1/souk?sslmod=require", "unknown setting sslmod"),
            ("postgres://souk:s3cret@127.0.0.1/souk?pooler=maybe", "pooler: expected session or transaction"),
            ("postgres://souk:s3cret@127.0.0.1:70000/souk", "port: expected 1 to 65535"),
            ("postgres://souk:s3cret@127.0.0.1/", "the database's name is missing"),
            ("postgres://souk:s3cret@127.0.0.1/souk?connect_timeout=soon", "connect_timeout: expected seconds"),
            ("postgres://souk:s3cret%zz@127.0.0.1/souk", "expected postgres://"),
            ("postgres://souk:what?s3cret@127.0.0.1/souk", "a ? in a password is written %3F"),
        ])
    func wrongURLs(url: String, reason: String) async throws {
        let error = await #expect(throws: DatabaseError.self) {
            try await PostgresDatabase.open(url: url, schema: "orders")
        }
        let text = "\(try #require(error))"
        #expect(text.contains(reason))
        #expect(!text.contains("s3cret"))
    }

    @Test("a server that refuses says why, without the password")
    func refused() async throws {
        let peer = try PostgresPeer.shared.get()
        let cases = [
            (peer.url(database: "souk", password: "wr0ng"), "password authentication failed"),
            (peer.url(database: "none"), "does not exist"),
            ("postgres://souk@127.0.0.1:\(peer.port)/souk", "password"),
            ("postgres://souk:wr0ng@127.0.0.1:1/souk", "refused"),
            (peer.url + "?sslmode=require", "SSL"),
        ]
        for (url, reason) in cases {
            let error = await #expect(throws: DatabaseError.self) {
                try await PostgresDatabase.open(url: url, schema: "orders")
            }
            guard case .cannotOpen(let name, let said) = error else {
                Issue.record("expected cannotOpen, found \(String(describing: error))")
                continue
            }
            #expect(said.contains(reason))
            #expect(name.hasPrefix("orders at postgres://souk@127.0.0.1:"))
            #expect(!said.contains("wr0ng") && !said.contains("p@ss"))
        }
        let dumped = String(reflecting: try await PostgresPlace().open())
        #expect(!dumped.contains("p@ss"))
        for schema in ["", "Orders", "orders;", "1st", String(repeating: "a", count: 64)] {
            await #expect(throws: DatabaseError.self) { try await PostgresDatabase.open(url: peer.url, schema: schema) }
        }
    }

    @Test("a server without a free connection refuses to open; one that is open waits and then says so")
    func outOfConnections() async throws {
        let peer = try PostgresPeer(["fsync=off", "max_connections=5", "superuser_reserved_connections=0"])
        var place = PostgresPlace(peer.url)
        place.options.patience = .milliseconds(50)
        place.options.readers = 1
        let late = try await place.open()
        var others: [PostgresDatabase] = []
        for _ in 0..<3 {
            let other = try await place.open()
            try await other.write { _ = try $0.row("SELECT 1") }
            try await other.check()
            others.append(other)
            if others.count == 2 { break }
        }
        let last = try await place.open()
        try await last.check()
        let refused = await #expect(throws: DatabaseError.self) { try await place.open() }
        #expect("\(try #require(refused))".contains("too many clients"))
        let error = await #expect(throws: DatabaseError.self) { try await late.check() }
        guard case .unavailable(_, let reason) = error else {
            Issue.record("expected unavailable, found \(String(describing: error))")
            return
        }
        #expect(reason.contains("too many clients"))
        await last.close()
        try await late.check()
        for database in others + [late] { await database.close() }
    }

    @Test("eight at once make the schema and its tables once")
    func eightAtOnce() async throws {
        let place = try PostgresPlace()
        try await withThrowingTaskGroup(of: Void.self) { group in
            for caller in 0..<8 {
                group.addTask {
                    let database = try await place.openWithNumbers()
                    try await database.number(caller)
                    await database.close()
                }
            }
            try await group.waitForAll()
        }
        let database = try await place.open()
        #expect(try await database.numbers == Array(1...8))
        await database.close()
    }

    // MARK: Values

    @Test("what PostgreSQL has types for comes as SQLite would give it")
    func types() async throws {
        let database = try await PostgresPlace().open()
        let row = try await database.read { transaction in
            try transaction.row(
                """
                SELECT sum(n), 1.25::numeric, true, 2::smallint, 'NaN'::float8, '\\x00ff'::bytea, '{"a": 1}'::jsonb,
                    NULL::bigint, ''::text, ''::bytea, count(*), avg(CASE WHEN n < 0 THEN 1 ELSE 2 END)
                FROM (VALUES (9223372036854775807), (-1)) AS v (n)
                """)
        }
        let values = try (0..<12).map { try #require(row).value($0) }
        #expect(values[0] == .integer(.max - 1))
        #expect(values[1] == .real(1.25))
        #expect(values[2] == .integer(1))
        #expect(values[3] == .integer(2))
        if case .real(let real) = values[4] { #expect(real.isNaN) } else { Issue.record("expected NaN") }
        #expect(values[5] == .blob([0, 255]))
        #expect(values[6] == .text(#"{"a": 1}"#))
        #expect(values[7...] == [.null, .text(""), .blob([]), .integer(2), .real(1.5)])
        await database.close()
    }

    @Test("one statement takes values and NULLs by turns; a text with U+0000 is refused; statements are forgotten")
    func arguments() async throws {
        let database = try await DatabasePlace(.postgres).openWithThings()
        let note: [UInt8] = [1, 2]
        let notes = try await database.write { transaction in
            try transaction.execute("INSERT INTO things (name, amount) VALUES ('a', 1)")
            for value: [UInt8]? in [nil, note, nil, []] {
                try transaction.execute("INSERT INTO parts (thing, note) VALUES ('a', $1)", value)
            }
            #expect(throws: DatabaseError.constraint(kind: .dataType, detail: "a text with U+0000")) {
                try transaction.execute("UPDATE things SET name = $1", "a\0b")
            }
            for number in 0..<600 { #expect(try transaction.row("SELECT \(number)")?.int(0) == number) }
            let count = try transaction.row("SELECT count(*) FROM pg_prepared_statements")?.int(0) ?? 0
            #expect((1...257).contains(count))
            return try transaction.rows("SELECT note FROM parts ORDER BY note NULLS FIRST")
                .map { try $0.optionalBlob(0) }
        }
        #expect(notes == [nil, nil, [], note])
        for argument: Value in [.null, .integer(7), .text("7"), .real(7.5)] {
            #expect(try await database.read { try $0.row("SELECT $1", argument)?.value(0) } == argument)
        }
        await database.close()
    }

    @Test("behind a pooler nothing is kept in a connection")
    func pooler() async throws {
        var place = PostgresPlace(try PostgresPeer.shared.get().url + "?pooler=transaction&application_name=pooled")
        place.options.statementTimeout = .milliseconds(200)
        let database = try await place.openWithNumbers()
        for caller in 1...3 { #expect(try await database.number(caller) == caller) }
        #expect(try await database.numbers == [1, 2, 3])
        let left = try await database.read { transaction in
            try transaction.row(
                "SELECT (SELECT count(*) FROM pg_prepared_statements), current_setting('application_name')")
        }
        #expect(try left?.int(0) == 0)
        #expect(try left?.text(1) == "pooled")
        await #expect(throws: DatabaseError.self) { try await database.read { try $0.row("SELECT pg_sleep(10)") } }
        try await database.migrate([PostgresPlace.numbers])
        await database.close()
    }

    // MARK: Many at once

    @Test("handles of many processes write as one after another: numbers have no gap, none is given twice")
    func serial() async throws {
        let place = try PostgresPlace()
        let handles = try await withThrowingTaskGroup(of: PostgresDatabase.self) { group in
            for _ in 0..<6 { group.addTask { try await place.openWithNumbers() } }
            return try await group.reduce(into: []) { $0.append($1) }
        }
        try await withThrowingTaskGroup(of: Void.self) { group in
            for caller in 0..<120 { group.addTask { try await handles[caller % 6].number(caller) } }
            // Who reads in their order meanwhile goes past none.
            group.addTask {
                var last = 0
                while last < 120 {
                    let after = last
                    let new = try await handles[0].read { transaction in
                        try transaction.rows("SELECT number FROM numbers WHERE number > $1 ORDER BY number", after)
                            .map { try $0.int(0) }
                    }
                    #expect(new == Array((last + 1)..<(last + 1 + new.count)))
                    last += new.count
                }
            }
            try await group.waitForAll()
        }
        #expect(try await handles[1].numbers == Array(1...120))
        for handle in handles { await handle.close() }
    }

    @Test("a statement that takes too long ends with an error of its own, and takes nobody with it")
    func timeouts() async throws {
        var place = try PostgresPlace()
        place.options.statementTimeout = .milliseconds(300)
        place.options.lockTimeout = .milliseconds(100)
        let database = try await place.openWithNumbers()
        let slow = "SELECT pg_sleep(30)"
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                let error = await #expect(throws: DatabaseError.self) { try await database.write { try $0.row(slow) } }
                guard case .timedOut(_, slow) = error else {
                    Issue.record("expected timedOut, found \(String(describing: error))")
                    return
                }
            }
            for caller in 0..<5 { group.addTask { try await database.number(caller) } }
            try await group.waitForAll()
        }
        #expect(try await database.numbers == Array(1...5))

        // Another process has the turn, and keeps it.
        let other = try await place.open()
        let (entered, gate) = (AsyncStream<Void>.makeStream(), DispatchSemaphore(value: 0))
        async let held: Void = other.write { transaction in
            _ = try transaction.row("SELECT 1")
            entered.continuation.yield()
            gate.wait()
        }
        for await _ in entered.stream { break }
        let error = await #expect(throws: DatabaseError.self) { try await database.number(9) }
        gate.signal()
        try await held
        guard case .busy = error else {
            Issue.record("expected busy, found \(String(describing: error))")
            return
        }
        #expect(try await database.number(9) == 6)
        await other.close()
        await database.close()
    }

    @Test("stale reads come from the primary while the replica is away; a backup is not offered")
    func replica() async throws {
        var place = try PostgresPlace()
        place.options.replica = "postgres://souk@127.0.0.1:1/souk"
        let database = try await place.openWithNumbers()
        try await database.number(1)
        let count = try await database.readStale { try $0.row("SELECT count(*) FROM numbers")?.int(0) }
        #expect(count == 1)
        let error = await #expect(throws: DatabaseError.self) { try await database.backup(to: "/none/b.db") }
        #expect("\(try #require(error))".contains("pg_dump"))
        await database.close()
        let closed = await #expect(throws: DatabaseError.self) { try await database.number(2) }
        guard case .closed = closed else {
            Issue.record("expected closed, found \(String(describing: closed))")
            return
        }
    }
}
