import Contracts
import Database
import Drills

/// Whether what the shop acknowledges is on the disk first: what the server does with a commit is a setting of the
/// server, which rows cannot show.
///
/// SQLite has nothing to ask: how it commits is a setting of Souk's own connections, and those of `souk serve` are
/// always fully synchronous.
enum Durability {
    /// Nil for SQLite.
    static func check(_ databases: Databases) async throws -> AuditCheck? {
        var check = AuditCheck(Score.durabilityCheck, "what is acknowledged is on the disk before")
        // The sandbox gateway stands for somebody else's, and is not the shop's promise.
        for (store, database) in databases.all where database.dialect == .postgres && store != .sandbox {
            // Seen by a connection that is set up as those are that write.
            let settings = try await database.read { transaction in
                try ["fsync", "full_page_writes", "synchronous_commit"].map { name in
                    (name, try transaction.row("SELECT current_setting($1)", name)?.text(0) ?? "unknown")
                }
            }
            for (name, value) in settings {
                check.check(value != "off" && value != "unknown", "\(name) is \(value) for \(store.rawValue)")
            }
        }
        return check.checked > 0 ? check : nil
    }
}
