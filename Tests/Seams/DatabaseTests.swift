import Database
import Foundation
import Kernel
import Testing

@Suite("Database: statements, rows, transactions")
struct DatabaseTests {
    @Test("every kind of value comes back as it went in", arguments: DatabaseEngine.all)
    func values(engine: DatabaseEngine) async throws {
        let database = try await DatabasePlace(engine).open()
        // PostgreSQL stores no U+0000.
        let text = engine == .postgres ? "käse🧀" : "käse\0🧀"
        let time = Timestamp(year: 2026, month: 1, day: 1)
        let id = ID<UserKind>(at: time)
        let long = String(repeating: "longer than the argument buffer ", count: 10_000)
        let bytes: [UInt8] = [0, 255, 1]
        let row = try await database.read { transaction in
            try transaction.row(
                "SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12", 42, Int64.min, 1.5, text, true, bytes,
                String?.none, time, id, long, "", [UInt8]())
        }
        let found = try #require(row)
        #expect(try found.int(0) == 42)
        #expect(try found.int64(1) == .min)
        #expect(try found.double(2) == 1.5)
        #expect(try found.text(3) == text)
        #expect(try found.bool(4))
        #expect(try found.blob(5) == bytes)
        #expect(try found.optionalText(6) == nil)
        #expect(try found.timestamp(7) == time)
        #expect(try found.id(8) == id)
        #expect(try found.text(9) == long)
        #expect(try found.text(10) == "")
        #expect(try found.blob(11) == [])
        #expect(found.count == 12)
        await database.close()
    }

    @Test(
        "a column read as another type, a NULL or one that is not there is an error that says so",
        arguments: DatabaseEngine.all)
    func wrongColumns(engine: DatabaseEngine) async throws {
        let database = try await DatabasePlace(engine).open()
        let sql = "SELECT 1, 'a', NULL"
        let row = try #require(try await database.read { try $0.row(sql) })
        #expect(throws: DatabaseError.column(index: 0, expected: "text", found: "integer", sql: sql)) {
            try row.text(0)
        }
        #expect(throws: DatabaseError.column(index: 1, expected: "integer", found: "text", sql: sql)) { try row.int(1) }
        #expect(throws: DatabaseError.column(index: 2, expected: "text", found: "NULL", sql: sql)) { try row.text(2) }
        #expect(throws: DatabaseError.self) { try row.int(3) }
        #expect(throws: DatabaseError.self) { try row.optionalInt(1) }
        await database.close()
    }

    @Test("placeholders are numbered: in any order, and the same one twice", arguments: DatabaseEngine.all)
    func placeholders(engine: DatabaseEngine) async throws {
        let database = try await DatabasePlace(engine).open()
        let row = try await database.read { try $0.row("SELECT $2, $1, $2", "a", "b") }
        #expect(try [0, 1, 2].map { try row?.text($0) } == ["b", "a", "b"])
        await #expect(throws: DatabaseError.self) { try await database.read { try $0.row("SELECT $1, $2", "a") } }
        await #expect(throws: DatabaseError.self) { try await database.read { try $0.row("SELECT ?", "a") } }
        await database.close()
    }

    @Test("what is not one plain statement is refused", arguments: DatabaseEngine.all)
    func refusedStatements(engine: DatabaseEngine) async throws {
        let database = try await DatabasePlace(engine).openWithThings()
        for sql in ["", "SELECT 1; SELECT 2", "COMMIT", " savepoint x", "SELEC 1", "SELECT \"no such column\""] {
            await #expect(throws: DatabaseError.self, "\(sql)") { try await database.write { try $0.execute(sql) } }
        }
        #expect(try await database.names == [])
        await database.close()
    }

    @Test("execute counts the rows it changed", arguments: DatabaseEngine.all)
    func changes(engine: DatabaseEngine) async throws {
        let database = try await DatabasePlace(engine).openWithThings()
        let counts = try await database.write { transaction in
            [
                try transaction.execute("INSERT INTO things (name, amount) VALUES ('a', 1), ('b', 2)"),
                try transaction.execute("UPDATE things SET amount = 3 WHERE name = $1", "none"),
                try transaction.execute("SELECT name FROM things"),
                try transaction.execute("CREATE TABLE more (x INTEGER)"),
                try transaction.execute("DELETE FROM things"),
            ]
        }
        #expect(counts == [2, 0, 0, 0, 2])
        let names = try await database.write { transaction in
            try transaction.rows("INSERT INTO things (name, amount) VALUES ('c', 1), ('d', 2) RETURNING name")
                .map { try $0.text(0) }
        }
        #expect(names == ["c", "d"])
        await database.close()
    }

    @Test("constraints say which kind, and which one", arguments: DatabaseEngine.all)
    func constraints(engine: DatabaseEngine) async throws {
        let database = try await DatabasePlace(engine).openWithThings()
        try await database.add("a")
        let isServer = engine == .postgres
        let expected: [(String, DatabaseError.Constraint, String)] = [
            ("INSERT INTO things (name, amount) VALUES ('a', 1)", .unique, "things.name"),
            ("INSERT INTO things (name, amount) VALUES ('b', -1)", .check, "enough"),
            ("INSERT INTO things (name) VALUES ('b')", .notNull, "things.amount"),
            ("INSERT INTO things (name, amount) VALUES ('b', 'many')", .dataType, isServer ? "many" : "things.amount"),
            ("INSERT INTO parts (thing) VALUES ('b')", .foreignKey, isServer ? "parts_thing_fkey" : "FOREIGN KEY"),
        ]
        for (sql, kind, name) in expected {
            let error = await #expect(throws: DatabaseError.self) { try await database.write { try $0.execute(sql) } }
            guard case .constraint(let found, let detail) = error else {
                Issue.record("expected a constraint, found \(String(describing: error))")
                continue
            }
            #expect(found == kind)
            #expect(detail.contains(name))
        }
        #expect(try await database.names == ["a"])
        await database.close()
    }

    @Test("forEach streams, and its body may run further statements, the same one too", arguments: DatabaseEngine.all)
    func streaming(engine: DatabaseEngine) async throws {
        let database = try await DatabasePlace(engine).openWithThings()
        let sum = try await database.write { transaction in
            for number in 0..<5_000 {
                try transaction.execute("INSERT INTO things (name, amount) VALUES ($1, $2)", "thing \(number)", number)
            }
            var sum = 0
            let sql = "SELECT name, amount FROM things WHERE amount >= $1"
            try transaction.forEach(sql, [4_990]) { row in
                let amount = try row.int(1)
                try transaction.execute("INSERT INTO parts (thing) VALUES ($1)", row.text(0))
                try transaction.forEach(sql, [.integer(Int64(amount))]) { sum += try $0.int(1) }
            }
            return sum
        }
        #expect(sum == (4_990..<5_000).reduce(0) { sum, first in sum + (first..<5_000).reduce(0, +) })
        await database.close()
    }

    @Test("a read is a snapshot, and cannot write", arguments: DatabaseEngine.all)
    func reads(engine: DatabaseEngine) async throws {
        let database = try await DatabasePlace(engine).openWithThings()
        try await database.add("a")
        await #expect(throws: DatabaseError.self) { try await database.read { try $0.execute("DELETE FROM things") } }
        if engine != .memory {
            let (started, ended) = (DispatchSemaphore(value: 0), DispatchSemaphore(value: 0))
            async let counts = database.read { transaction in
                let before = try transaction.rows("SELECT name FROM things").count
                started.signal()
                ended.wait()
                return [before, try transaction.rows("SELECT name FROM things").count]
            }
            try await database.write { transaction in
                started.wait()
                _ = try transaction.execute("INSERT INTO things (name, amount) VALUES ('b', 1)")
            }
            ended.signal()
            #expect(try await counts == [1, 1])
            #expect(try await database.names == ["a", "b"])
        } else {
            #expect(try await database.names == ["a"])
        }
        await database.close()
    }

    @Test("a closed database says so; closing finishes what waits")
    func closing() async throws {
        let folder = try DatabaseTestFolder()
        let database = try await SQLiteDatabase.withThings(folder.file("a.db"))
        try await withThrowingTaskGroup(of: Void.self) { group in
            for number in 0..<100 { group.addTask { try await database.add("\(number)") } }
            try await group.waitForAll()
        }
        await database.close()
        await database.close()
        let closed = DatabaseError.closed(database: folder.file("a.db"))
        await #expect(throws: closed) { try await database.add("late") }
        await #expect(throws: closed) { try await database.names }
        await #expect(throws: closed) { try await database.check() }
        await #expect(throws: closed) { try await database.backup(to: folder.file("b.db")) }
        #expect(!FileManager.default.fileExists(atPath: folder.file("a.db-wal")))
        let again = try await SQLiteDatabase.openReadOnly(path: folder.file("a.db"))
        #expect(try await again.names.count == 100)
        await again.close()
    }

    @Test("another reader sees a live database, and cannot write to it")
    func readOnly() async throws {
        let folder = try DatabaseTestFolder()
        let path = folder.file("a.db")
        let missing = await #expect(throws: DatabaseError.self) { try await SQLiteDatabase.openReadOnly(path: path) }
        #expect("\(try #require(missing))".contains("No such file"))
        let database = try await SQLiteDatabase.withThings(path)
        let reader = try await SQLiteDatabase.openReadOnly(path: path)
        try await database.add("a")
        #expect(try await reader.names == ["a"])
        await #expect(throws: DatabaseError.readOnly(database: path)) { try await reader.add("b") }
        await reader.close()
        await database.close()
    }

    @Test("a file that is no database, and a folder that is not there, are named")
    func notADatabase() async throws {
        let folder = try DatabaseTestFolder()
        let path = folder.file("a.db")
        try Data(String(repeating: "handle,title\n", count: 1_000).utf8).write(to: URL(fileURLWithPath: path))
        await #expect(throws: DatabaseError.notADatabase(path: path)) { try await SQLiteDatabase.open(path: path) }
        await #expect(throws: DatabaseError.notADatabase(path: path)) {
            try await SQLiteDatabase.openReadOnly(path: path)
        }
        await #expect(throws: DatabaseError.self) { try await SQLiteDatabase.open(path: folder.file("none/a.db")) }
    }

    @Test("full-text search is there, kept by triggers")
    func fullText() async throws {
        let database = try await SQLiteDatabase.open(path: ":memory:")
        try await database.migrate([
            Migration(
                1, "search",
                sqlite: """
                    CREATE TABLE p (id INTEGER PRIMARY KEY, title TEXT NOT NULL);
                    CREATE VIRTUAL TABLE f USING fts5 (title, content = 'p', content_rowid = 'id');
                    CREATE TRIGGER added AFTER INSERT ON p BEGIN
                        INSERT INTO f (rowid, title) VALUES (new.id, new.title);
                    END;
                    """)
        ])
        let found = try await database.write { transaction in
            try transaction.execute("INSERT INTO p (title) VALUES ('Red wool hat'), ('Blue cotton scarf')")
            return try transaction.row("SELECT title FROM f WHERE f MATCH $1 ORDER BY rank", "wo*")?.text(0)
        }
        #expect(found == "Red wool hat")
        await database.close()
    }

    @Test("a backup is a whole database; an existing file is never overwritten")
    func backup() async throws {
        let folder = try DatabaseTestFolder()
        let database = try await SQLiteDatabase.withThings(folder.file("a.db"))
        try await database.add("a")
        try await withThrowingTaskGroup(of: Void.self) { group in
            for number in 0..<200 { group.addTask { try await database.add("busy \(number)") } }
            group.addTask { try await database.backup(to: folder.file("b.db")) }
            try await group.waitForAll()
        }
        await #expect(throws: DatabaseError.alreadyExists(path: folder.file("b.db"))) {
            try await database.backup(to: folder.file("b.db"))
        }
        let copy = try await SQLiteDatabase.open(path: folder.file("b.db"))
        try await copy.migrate([SQLiteDatabase.things])
        #expect(try await copy.names.contains("a"))
        #expect(try await copy.read { try $0.row("PRAGMA integrity_check")?.text(0) } == "ok")
        await copy.close()
        await database.close()
    }

    @Test("a commit waits for the disk")
    func durableSettings() async throws {
        let folder = try DatabaseTestFolder()
        let database = try await SQLiteDatabase.open(path: folder.file("a.db"))
        let settings = try await database.write { transaction in
            try ["synchronous", "foreign_keys"].map { try transaction.row("PRAGMA \($0)")?.int(0) }
        }
        #expect(settings == [2, 1])
        #expect(try await database.read { try $0.row("PRAGMA journal_mode")?.text(0) } == "wal")
        await database.close()
    }

    @Test("one process has the data folder; the second is told which one")
    func dataFolder() throws {
        let folder = try DatabaseTestFolder()
        let path = folder.file("deep/var")
        let first = try DataFolder.claim(path)
        #expect(throws: DatabaseError.locked(folder: path, by: getpid())) { try DataFolder.claim(path) }
        first.release()
        try DataFolder.claim(path).release()
    }
}
