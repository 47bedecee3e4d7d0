import Database
import Foundation
import Kernel
import PostgresPeer
import Testing

@Suite("Database: several at one moment, and rows in bulk")
struct SnapshotTests {
    private func count(_ transaction: Transaction) throws -> Int {
        try transaction.row("SELECT count(*) FROM things")?.int(0) ?? 0
    }

    /// Whoever writes has written to the first before the second, and to the second before the third: so a view in
    /// which a later one is ahead is of no moment, nor is one in which an earlier one is ahead of all under way.
    @Test("a snapshot shows one moment of all, while others write", arguments: DatabaseEngine.withReaders)
    func oneMoment(engine: DatabaseEngine) async throws {
        var databases: [any MeasuredDatabase] = []
        for _ in 0..<3 { databases.append(try await DatabasePlace(engine).openWithThings()) }
        let all = databases
        let writers = 4
        try await withThrowingTaskGroup(of: Void.self) { group in
            for writer in 0..<writers {
                group.addTask {
                    var number = 0
                    while !Task.isCancelled {
                        for database in all { try await database.add("\(writer)-\(number)") }
                        number += 1
                    }
                }
            }
            for _ in 0..<30 {
                let counts = try await Snapshot.read(all) { transactions in
                    let first = try transactions.map { try count($0) }
                    // Still the same, whatever was written meanwhile.
                    let again = try transactions.reversed().map { try count($0) }
                    #expect(again.reversed() == first)
                    return first
                }
                #expect(counts == counts.sorted(by: >))
                #expect(counts[0] - counts[2] <= writers)
            }
            group.cancelAll()
            while let result = await group.nextResult() {
                if case .failure(let error) = result { #expect(error is CancellationError) }
            }
        }
        for database in all { await database.close() }
    }

    @Test("what was acknowledged before is there, and nothing can be written", arguments: DatabaseEngine.withReaders)
    func acknowledged(engine: DatabaseEngine) async throws {
        let database = try await DatabasePlace(engine).openWithThings()
        for number in 0..<20 {
            try await database.add("\(number)")
            let seen = try await Snapshot.read([database]) { try count($0[0]) }
            #expect(seen == number + 1)
        }
        await #expect(throws: DatabaseError.self) {
            try await Snapshot.read([database]) { _ = try $0[0].execute("DELETE FROM things") }
        }
        #expect(try await database.names.count == 20)
        await database.close()
    }

    @Test("databases in memory have no snapshot")
    func inMemory() async throws {
        let database = try await DatabasePlace(.memory).openWithThings()
        await #expect(throws: DatabaseError.self) { try await Snapshot.read([database]) { _ in } }
        await database.close()
    }

    // MARK: - Rows in bulk

    private static let wide = Migration(
        1, "wide",
        sqlite: """
            CREATE TABLE wide (
                id INTEGER PRIMARY KEY AUTOINCREMENT, text TEXT, number INTEGER, part REAL, bytes BLOB
            ) STRICT;
            """,
        postgres: """
            CREATE TABLE wide (
                id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY, text TEXT, number BIGINT,
                part DOUBLE PRECISION, bytes BYTEA
            );
            """)
    private static let columns = ["id", "text", "number", "part", "bytes"]

    private static func rows(_ count: Int) -> [[Value]] {
        let texts = ["", "\\N", "a\tb\nc\rd\\e", "käse🧀", #"\x41"#, "NULL", "'\"$1"]
        return (0..<count).map { number in
            let row: [Value] = [
                .integer(Int64(number + 1)), .text(texts[number % texts.count]), .integer(.min + Int64(number)),
                .real(Double(number) / 3), .blob([0, 255, UInt8(number % 256)]),
            ]
            // Each column is NULL in some.
            return row.enumerated().map { $0 > 0 && number % 7 == $0 ? .null : $1 }
        }
    }

    private static func loader(_ rows: [[Value]]) -> () throws -> [Value]? {
        var left = rows[...]
        return { left.popFirst() }
    }

    @Test("rows come back as they were loaded", arguments: DatabaseEngine.all)
    func load(engine: DatabaseEngine) async throws {
        let database = try await DatabasePlace(engine).open()
        try await database.migrate([Self.wide])
        let rows = Self.rows(5_000)
        let count = try await database.write {
            try $0.load(into: "wide", columns: Self.columns, Self.loader(rows))
        }
        #expect(count == rows.count)
        let names = Self.columns.joined(separator: ", ")
        let back = try await database.read { transaction in
            try transaction.rows("SELECT \(names) FROM wide ORDER BY id").map { row in
                try Self.columns.indices.map { try row.value($0) }
            }
        }
        #expect(back == rows)
        await database.close()
    }

    @Test("a load that fails leaves nothing, and the connection usable", arguments: DatabaseEngine.all)
    func failedLoad(engine: DatabaseEngine) async throws {
        let database = try await DatabasePlace(engine).open()
        try await database.migrate([Self.wide])
        let twice = Self.rows(2_000) + Self.rows(1)
        await #expect(throws: DatabaseError.self) {
            try await database.write { try $0.load(into: "wide", columns: Self.columns, Self.loader(twice)) }
        }
        struct Stop: Error {}
        await #expect(throws: Stop.self) {
            try await database.write { transaction in
                let next = Self.loader(Self.rows(9_000))
                var given = 0
                return try transaction.load(into: "wide", columns: Self.columns) {
                    given += 1
                    if given == 8_000 { throw Stop() }
                    return try next()
                }
            }
        }
        await #expect(throws: DatabaseError.self) {
            try await database.write { try $0.load(into: "nowhere", columns: ["id"], Self.loader([[.integer(1)]])) }
        }
        let left = try await database.write { transaction in
            let none = try transaction.row("SELECT count(*) FROM wide")?.int(0)
            try transaction.load(into: "wide", columns: Self.columns, Self.loader(Self.rows(3)))
            let some = try transaction.row("SELECT count(*) FROM wide")?.int(0)
            return [none, some]
        }
        #expect(left == [0, 3])
        await database.close()
    }
}
