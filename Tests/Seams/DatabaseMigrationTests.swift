import Database
import Testing

@Suite("Database: migrations")
struct DatabaseMigrationTests {
    private let first = Migration(1, "first", sqlite: "CREATE TABLE a (x INTEGER); INSERT INTO a VALUES (1);")
    private let second = Migration(
        2, "second", sqlite: "ALTER TABLE a ADD COLUMN y TEXT; INSERT INTO a VALUES (2, 'b');")

    @Test("many connections at once apply each exactly once", arguments: DatabaseEngine.withReaders)
    func concurrently(engine: DatabaseEngine) async throws {
        let place = try DatabasePlace(engine)
        try await withThrowingTaskGroup(of: Void.self) { group in
            for _ in 0..<8 {
                group.addTask {
                    let database = try await place.open()
                    try await database.migrate([first, second])
                    #expect(try await database.read { try $0.rows("SELECT x FROM a").count } == 2)
                    await database.close()
                }
            }
            try await group.waitForAll()
        }
        let database = try await place.open()
        let rows = try await database.read { transaction in
            try transaction.rows("SELECT number, name, checksum, applied_at FROM schema_migrations ORDER BY number")
        }
        #expect(try rows.map { try $0.int(0) } == [1, 2])
        #expect(try rows.map { try $0.text(1) } == ["first", "second"])
        await database.close()
    }

    @Test(
        "a newer schema, an edited migration and a gap are refused with a message that says what to do",
        arguments: DatabaseEngine.all)
    func refusals(engine: DatabaseEngine) async throws {
        let database = try await DatabasePlace(engine).open()
        try await database.migrate([first])
        try await database.migrate([first, second])
        let newer = await #expect(throws: DatabaseError.self) { try await database.migrate([first]) }
        guard case .newerSchema(let name, found: 2, known: 1) = newer else {
            Issue.record("expected a newer schema, found \(String(describing: newer))")
            return
        }
        await #expect(throws: DatabaseError.migrationChanged(database: name, number: 1, name: "first")) {
            try await database.migrate([Migration(1, "first", sqlite: "CREATE TABLE b (x)"), second])
        }
        await #expect(throws: DatabaseError.migrationNumbers(expected: 3, found: 4)) {
            try await database.migrate([first, second, Migration(4, "fourth", sqlite: "SELECT 1")])
        }
        let message = "\(DatabaseError.newerSchema(database: name, found: 7, known: 5))"
        #expect(message.contains("written by a newer release (schema 7, this release knows 5)"))
        await database.close()
    }

    @Test("one that fails leaves nothing of itself, and those before it stand", arguments: DatabaseEngine.all)
    func failure(engine: DatabaseEngine) async throws {
        let database = try await DatabasePlace(engine).open()
        let broken = Migration(2, "broken", sqlite: "CREATE TABLE b (x INTEGER); INSERT INTO none VALUES (1);")
        let error = await #expect(throws: DatabaseError.self) { try await database.migrate([first, broken]) }
        #expect("\(try #require(error))".contains("migration 2 (broken)"))
        let tables = try await database.read { transaction in
            try transaction.rows(
                transaction.dialect == .sqlite
                    ? "SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name"
                    : "SELECT tablename FROM pg_tables WHERE schemaname = current_schema() ORDER BY tablename"
            ).map { try $0.text(0) }
        }
        #expect(tables.filter { $0 != "commits" } == ["a", "schema_migrations"])
        try await database.migrate([first, second])
        await database.close()
    }

    @Test("a table may be built anew under its references, as long as none is left broken")
    func rebuilding() async throws {
        let database = try await SQLiteDatabase.withThings(":memory:")
        try await database.write { transaction in
            try transaction.execute("INSERT INTO things (name, amount) VALUES ('a', 1)")
            try transaction.execute("INSERT INTO parts (thing) VALUES ('a')")
        }
        let rebuild = Migration(
            2, "rebuild",
            sqlite: """
                CREATE TABLE new (name TEXT PRIMARY KEY, amount INTEGER NOT NULL, extra TEXT) STRICT;
                INSERT INTO new (name, amount) SELECT name, amount FROM things;
                DROP TABLE things;
                ALTER TABLE new RENAME TO things;
                """)
        try await database.migrate([SQLiteDatabase.things, rebuild])
        await #expect(throws: DatabaseError.self) {
            try await database.migrate([
                SQLiteDatabase.things, rebuild, Migration(3, "loses", sqlite: "DELETE FROM things"),
            ])
        }
        #expect(try await database.names == ["a"])
        await #expect(throws: DatabaseError.self) {
            try await database.write { _ = try $0.execute("INSERT INTO parts (thing) VALUES ('none')") }
        }
        await database.close()
    }
}
