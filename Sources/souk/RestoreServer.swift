import ArgumentParser
import Backups
import Kernel

/// `souk restore --until --into` of a copy that followed a PostgreSQL server.
extension Restore {
    func server(until time: Timestamp?, into folder: String, _ settings: Settings) async throws {
        let owner = try fileOwner()
        let began = ContinuousClock.now
        let restored = try await BackupPlace.using(from, "--from", settings, isUnencrypted: unencrypted) {
            let reader = try await LogRepository($0.repository).open(until: time)
            let progress = Progress("bytes")
            let restorer = PostgresRestorer(into: folder, owner: owner) { progress.advance(by: $0) }
            let restored = try await restorer.restore(reader)
            progress.finish()
            return restored
        }
        if json {
            return try Console.print(
                json: ServerSummary(
                    generation: restored.generation.description, until: restored.until, bytes: restored.bytes,
                    into: folder, version: restored.version, seconds: (ContinuousClock.now - began).inSeconds))
        }
        Console.say(
            """
            \(folder) is a server's folder with all that was committed before \(restored.until). Start it with \
            PostgreSQL \(restored.version), as a user who owns it:
              pg_ctl -D \(folder) start && until pg_isready; do sleep 1; done
            then run `souk audit` on it. \(folder)/\(PostgresRestorer.logFolder) may be deleted afterwards.
            """)
    }

    private func fileOwner() throws -> FileOwner? {
        guard let owner else { return nil }
        guard let found = FileOwner(named: owner) else {
            throw SettingsError("--owner is '\(owner)', expected a user of this machine")
        }
        return found
    }
}

private struct ServerSummary: Codable {
    var engine = "postgres"
    var generation: String
    /// All that was committed before it is there.
    var until: Timestamp
    /// Of the server's files and log.
    var bytes: Int
    var into: String
    /// PostgreSQL's version that starts it.
    var version: Int
    var seconds: Double
}
