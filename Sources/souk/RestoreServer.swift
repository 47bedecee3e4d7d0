import ArgumentParser
import Backups
import Kernel

/// `souk restore --until --into` of a copy that followed a PostgreSQL server.
struct RestoreServer {
    let from: String
    let until: String
    let into: String?
    let owner: String?
    let isJSON: Bool

    private struct Summary: Codable {
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

    init(from: String, until: String, into: String?, owner: String?, isJSON: Bool) {
        self.from = from
        self.until = until
        self.into = into
        self.owner = owner
        self.isJSON = isJSON
    }

    func run(_ settings: Settings, isUnencrypted: Bool) async throws {
        let (time, owner) = (try Self.time(until), try fileOwner())
        let began = ContinuousClock.now
        let (restored, folder) = try await BackupPlace.using(from, "--from", settings, isUnencrypted: isUnencrypted) {
            let reader = try await LogRepository($0.repository).open(until: time)
            guard let into else {
                throw SettingsError("--into is missing: expected the folder of a new PostgreSQL server")
            }
            let progress = Progress("bytes")
            let restorer = PostgresRestorer(into: into, owner: owner) { progress.advance(by: $0) }
            let restored = try await restorer.restore(reader)
            progress.finish()
            return (restored, into)
        }
        if isJSON {
            return try Console.print(
                json: Summary(
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

    /// Nil for the latest.
    static func time(_ until: String) throws -> Timestamp? {
        if until == "latest" { return nil }
        guard let time = Timestamp(rfc3339: until) else {
            throw SettingsError("--until is '\(until)', expected a time such as 2026-11-21T10:00:00Z, or latest")
        }
        return time
    }

    private func fileOwner() throws -> FileOwner? {
        guard let owner else { return nil }
        guard let found = FileOwner(named: owner) else {
            throw SettingsError("--owner is '\(owner)', expected a user of this machine")
        }
        return found
    }
}
