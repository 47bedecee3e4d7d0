import Database
import Synchronization
import Testing

@Suite("Database: closures behave as if run one after another")
struct DatabasePropertyTests {
    /// A transfer between accounts that may be refused before it writes, after it wrote, or by a constraint.
    private struct Transfer: Sendable {
        let id: Int
        let from: Int
        let to: Int
        let amount: Int
        let checksFirst: Bool
        let survivesDuplicate: Bool
    }

    private static let accounts = 4
    private static let opening = 100

    /// What the closure does, written a second time without a database.
    private static func model(_ transfer: Transfer, _ balances: inout [Int]) -> Int? {
        guard balances[transfer.from] >= transfer.amount else { return nil }
        balances[transfer.from] -= transfer.amount
        balances[transfer.to] += transfer.amount
        return balances[transfer.from]
    }

    private static func perform(_ transfer: Transfer, _ transaction: Transaction) throws -> Int {
        func balance(_ account: Int) throws -> Int {
            try transaction.row("SELECT balance FROM accounts WHERE id = $1", account)?.int(0) ?? -1
        }
        if transfer.checksFirst, try balance(transfer.from) < transfer.amount {
            throw DatabaseTestRefusal(why: "funds")
        }
        try transaction.execute(
            "UPDATE accounts SET balance = balance + $2 WHERE id = $1", transfer.to, transfer.amount)
        if transfer.survivesDuplicate {
            #expect(throws: DatabaseError.self) {
                try transaction.execute("INSERT INTO accounts (id, balance) VALUES ($1, 1)", transfer.to)
            }
        }
        // The check refuses an overdraft, after the first account was credited.
        try transaction.execute(
            "UPDATE accounts SET balance = balance - $2 WHERE id = $1", transfer.from, transfer.amount)
        try transaction.execute("INSERT INTO log (transfer) VALUES ($1)", transfer.id)
        return try balance(transfer.from)
    }

    @Test(
        "whatever fails in between, the results are those of the successful ones in their order",
        arguments: DatabaseEngine.all, 1...6)
    func sequential(engine: DatabaseEngine, seed: Int) async throws {
        var random = DatabaseTestRandom(state: UInt64(seed))
        var place = try DatabasePlace(engine)
        place.closuresPerCommit = [1, 3, 64, 512][seed % 4]
        let database = try await place.open()
        try await database.migrate([
            Migration(
                1, "accounts",
                sqlite: """
                    CREATE TABLE accounts (id INTEGER PRIMARY KEY, balance INTEGER NOT NULL CHECK (balance >= 0));
                    CREATE TABLE log (number INTEGER PRIMARY KEY, transfer INTEGER NOT NULL UNIQUE);
                    INSERT INTO accounts VALUES (0, 100), (1, 100), (2, 100), (3, 100);
                    """,
                postgres: """
                    CREATE TABLE accounts (id BIGINT PRIMARY KEY, balance BIGINT NOT NULL CHECK (balance >= 0));
                    CREATE TABLE log (
                        number BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY, transfer BIGINT NOT NULL UNIQUE
                    );
                    INSERT INTO accounts VALUES (0, 100), (1, 100), (2, 100), (3, 100);
                    """)
        ])
        let transfers = (0..<400).map { id in
            let from = Int.random(in: 0..<Self.accounts, using: &random)
            let to = (from + Int.random(in: 1..<Self.accounts, using: &random)) % Self.accounts
            return Transfer(
                id: id, from: from, to: to, amount: Int.random(in: 1...150, using: &random),
                checksFirst: Bool.random(using: &random), survivesDuplicate: Bool.random(using: &random))
        }
        let results = try await withThrowingTaskGroup(of: [(Int, Int?)].self) { group in
            for caller in 0..<20 {
                group.addTask {
                    var results: [(Int, Int?)] = []
                    for transfer in transfers where transfer.id % 20 == caller {
                        do {
                            let left = try await database.write { try Self.perform(transfer, $0) }
                            results.append((transfer.id, left))
                        } catch DatabaseError.constraint(.check, _) {
                            results.append((transfer.id, nil))
                        } catch is DatabaseTestRefusal {
                            results.append((transfer.id, nil))
                        }
                    }
                    return results
                }
            }
            return try await group.reduce(into: [Int: Int?]()) { all, some in
                for (id, left) in some { all[id] = .some(left) }
            }
        }
        let order = try await database.read {
            try $0.rows("SELECT transfer FROM log ORDER BY number").map { try $0.int(0) }
        }
        #expect(Set(order) == Set(results.compactMap { $0.value == nil ? nil : $0.key }))
        var balances = Array(repeating: Self.opening, count: Self.accounts)
        for id in order { #expect(Self.model(transfers[id], &balances) == results[id]) }
        let stored = try await database.read {
            try $0.rows("SELECT balance FROM accounts ORDER BY id").map { try $0.int(0) }
        }
        #expect(stored == balances)
        await database.close()
    }
}
