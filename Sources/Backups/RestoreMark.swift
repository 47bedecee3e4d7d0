public import Database

/// Says in each of a shop's databases that a restore has begun and has not ended: the first thing that it writes and
/// the last that it takes away. Nobody serves, audits or backs up what bears it; another restore begins anew.
public enum RestoreMark {
    static let table = "unfinished_restore"

    /// Which backup was being restored; nil where none was.
    public static func find(in transaction: Transaction) throws -> String? {
        let isThere =
            switch transaction.dialect {
            case .sqlite: "SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = '\(table)'"
            case .postgres: "SELECT 1 WHERE to_regclass('\(table)') IS NOT NULL"
            }
        guard try transaction.row(isThere) != nil else { return nil }
        return try transaction.row("SELECT backup FROM \(table)")?.text(0) ?? ""
    }

    static func set(_ backup: String, in transaction: Transaction) throws {
        try transaction.execute("CREATE TABLE IF NOT EXISTS \(table) (backup TEXT NOT NULL)")
        try transaction.execute("DELETE FROM \(table)")
        try transaction.execute("INSERT INTO \(table) (backup) VALUES ($1)", backup)
    }

    static func remove(in transaction: Transaction) throws { try transaction.execute("DROP TABLE \(table)") }
}
