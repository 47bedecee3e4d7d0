import Database
import Testing

@Suite("Database: group commit")
struct DatabaseGroupCommitTests {
    @Test("closures that wait share one commit, up to the limit", arguments: DatabaseEngine.withReaders, [512, 8, 1])
    func sharing(engine: DatabaseEngine, limit: Int) async throws {
        let commits = DatabaseCommits()
        var place = try DatabasePlace(engine)
        place.closuresPerCommit = limit
        place.onCommit = { commits.add($0) }
        let database = try await place.openWithThings()
        try await database.holdUntilWaiting(40) { group in
            for number in 0..<40 { group.addTask { try await database.add("\(number)") } }
        }
        #expect(try await database.names.count == 40)
        let sizes = commits.all.dropFirst()  // the gate's own
        #expect(Array(sizes) == Array(repeating: min(limit, 40), count: 40 / min(limit, 40)))
        await database.close()
    }

    @Test(
        "a closure that throws takes nothing with it, before or after it wrote", arguments: DatabaseEngine.withReaders)
    func isolation(engine: DatabaseEngine) async throws {
        let commits = DatabaseCommits()
        var place = try DatabasePlace(engine)
        place.onCommit = { commits.add($0) }
        let database = try await place.openWithThings()
        try await database.holdUntilWaiting(30) { group in
            for number in 0..<30 {
                group.addTask {
                    switch number % 3 {
                    case 0: try await database.add("kept \(number)")
                    case 1:
                        await #expect(throws: DatabaseTestRefusal(why: "before")) {
                            try await database.write { _ in throw DatabaseTestRefusal(why: "before") }
                        }
                    default:
                        await #expect(throws: DatabaseTestRefusal(why: "after")) {
                            try await database.write { transaction in
                                try transaction.execute(
                                    "INSERT INTO things (name, amount) VALUES ($1, 1)", "lost \(number)")
                                throw DatabaseTestRefusal(why: "after")
                            }
                        }
                    }
                }
            }
        }
        #expect(try await database.names == (0..<10).map { "kept \($0 * 3)" }.sorted())
        #expect(commits.all.dropFirst() == [30])
        await database.close()
    }

    @Test(
        "what is posted is there before what comes after it, and with the commit", arguments: DatabaseEngine.withReaders
    )
    func posting(engine: DatabaseEngine) async throws {
        let database = try await DatabasePlace(engine).openWithThings()
        let seen = try await database.write { transaction in
            for number in 0..<100 {
                try transaction.post("INSERT INTO things (name, amount) VALUES ($1, $2)", "posted \(number)", number)
            }
            let seen = try transaction.row("SELECT count(*) FROM things")?.int(0)
            try transaction.post("UPDATE things SET amount = amount + 1")
            return seen
        }
        #expect(seen == 100)
        try await database.write { try $0.post("UPDATE things SET amount = amount + 1") }
        #expect(try await database.read { try $0.row("SELECT sum(amount) FROM things")?.int(0) } == 4_950 + 200)
        await database.close()
    }

    @Test("what is posted and fails takes its own closure with it and no other", arguments: DatabaseEngine.withReaders)
    func failedPosting(engine: DatabaseEngine) async throws {
        let database = try await DatabasePlace(engine).openWithThings()
        try await database.add("taken")
        try await database.holdUntilWaiting(30) { group in
            for number in 0..<30 {
                group.addTask {
                    let name = number % 10 == 7 ? "taken" : "kept \(number)"
                    do {
                        try await database.write { transaction in
                            try transaction.post("INSERT INTO things (name, amount) VALUES ($1, 1)", name)
                            if number % 2 == 0 { _ = try transaction.row("SELECT count(*) FROM things") }
                            try transaction.post("INSERT INTO things (name, amount) VALUES ($1, 1)", "with \(number)")
                        }
                        #expect(name != "taken")
                    } catch let DatabaseError.constraint(kind, _) {
                        #expect(name == "taken" && kind == .unique)
                    }
                }
            }
        }
        let kept = (0..<30).filter { $0 % 10 != 7 }.flatMap { ["kept \($0)", "with \($0)"] }
        #expect(try await database.names == (kept + ["taken"]).sorted())
        await database.close()
    }

    @Test("a constraint that is checked at the commit fails its own closure alone", arguments: DatabaseEngine.all)
    func deferredConstraint(engine: DatabaseEngine) async throws {
        let database = try await DatabasePlace(engine).open()
        try await database.migrate([
            Migration(
                1, "deferred",
                sqlite: """
                    CREATE TABLE a (id INTEGER PRIMARY KEY);
                    CREATE TABLE b (a INTEGER NOT NULL REFERENCES a (id) DEFERRABLE INITIALLY DEFERRED);
                    INSERT INTO a VALUES (1);
                    """)
        ])
        try await database.holdUntilWaiting(3) { group in
            for key in [1, 2, 1] {
                group.addTask {
                    do {
                        try await database.write { _ = try $0.execute("INSERT INTO b (a) VALUES ($1)", key) }
                        #expect(key == 1)
                    } catch DatabaseError.constraint(.foreignKey, _) {
                        #expect(key == 2)
                    }
                }
            }
        }
        #expect(try await database.read { try $0.rows("SELECT a FROM b").map { try $0.int(0) } } == [1, 1])
        await database.close()
    }

    @Test("a full disk fails whom it concerns, and nothing of theirs is kept")
    func fullDisk() async throws {
        let folder = try DatabaseTestFolder()
        var options = SQLiteDatabase.Options()
        options.maxPages = 40
        let path = folder.file("a.db")
        let database = try await SQLiteDatabase.withThings(path, options: options)
        try await database.add("first")
        let large = [UInt8](repeating: 7, count: 300_000)
        try await database.holdUntilWaiting(9) { group in
            for number in 0..<9 {
                group.addTask {
                    if number % 3 != 1 { return try await database.add("\(number)") }
                    await #expect(throws: DatabaseError.full(database: path)) {
                        try await database.write { transaction in
                            try transaction.execute("INSERT INTO things (name, amount) VALUES ($1, 1)", "n\(number)")
                            try transaction.execute("INSERT INTO parts (thing, note) VALUES ('first', $1)", large)
                        }
                    }
                }
            }
        }
        #expect(try await database.names == ["0", "2", "3", "5", "6", "8", "first"])
        #expect(try await database.read { try $0.rows("SELECT 1 FROM parts").count } == 0)
        await database.close()
    }

    @Test("a closure may catch a statement's failure and go on, alone or among others", arguments: DatabaseEngine.all)
    func caught(engine: DatabaseEngine) async throws {
        let database = try await DatabasePlace(engine).openWithThings()
        try await database.add("taken")
        try await database.holdUntilWaiting(12) { group in
            for number in 0..<12 {
                group.addTask {
                    let found = try await database.write { transaction in
                        try transaction.execute("INSERT INTO things (name, amount) VALUES ($1, 1)", "\(number) a")
                        guard number % 3 > 0 else { return 0 }
                        #expect(throws: DatabaseError.self) {
                            try transaction.execute("INSERT INTO things (name, amount) VALUES ('taken', 1)")
                        }
                        // Some end with it, some go on.
                        guard number % 3 > 1 else { return 1 }
                        try transaction.execute("INSERT INTO things (name, amount) VALUES ($1, 2)", "\(number) b")
                        let added = "SELECT amount FROM things WHERE name = $1"
                        return try transaction.row(added, "\(number) b")?.int(0) ?? 0
                    }
                    #expect(found == number % 3)
                }
            }
        }
        let names = try await database.names
        #expect(names.count == 1 + 12 + 4)
        await database.close()
    }

    @Test("a closure that swallows the loss of its transaction does not go on in half of one")
    func swallowedLoss() async throws {
        let database = try await SQLiteDatabase.withThings(":memory:")
        await #expect(throws: (any Error).self) {
            try await database.write { transaction in
                try transaction.execute("INSERT INTO things (name, amount) VALUES ('a', 1)")
                // ROLLBACK as a conflict's resolution ends the whole transaction.
                _ = try? transaction.execute("INSERT OR ROLLBACK INTO things (name, amount) VALUES ('a', 1)")
                _ = try? transaction.execute("INSERT INTO things (name, amount) VALUES ('b', 1)")
            }
        }
        #expect(try await database.names == [])
        try await database.add("c")
        #expect(try await database.names == ["c"])
        await database.close()
    }

    @Test(
        "beyond the bound new closures are refused; a cancelled one that waits is never run",
        arguments: DatabaseEngine.all)
    func bounds(engine: DatabaseEngine) async throws {
        var place = try DatabasePlace(engine)
        place.queueLimit = 2
        let database = try await place.openWithThings()
        let refusals = DatabaseCommits()
        try await database.hold(until: { !refusals.all.isEmpty }) { group in
            group.addTask { try await database.add("a") }
            group.addTask {
                let cancelled = Task { try await database.add("b") }
                cancelled.cancel()
                await #expect(throws: CancellationError.self) { try await cancelled.value }
            }
            group.addTask {
                while database.waiting < 2 { await Task.yield() }
                let error = await #expect(throws: DatabaseError.self) { try await database.add("c") }
                guard case .overloaded(_, limit: 2) = error else {
                    Issue.record("expected a refusal, found \(String(describing: error))")
                    return
                }
                refusals.add(1)
            }
        }
        #expect(try await database.names == ["a"])
        await database.close()
    }
}
