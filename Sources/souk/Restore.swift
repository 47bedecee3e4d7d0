import ArgumentParser
import Backups
import Contracts
import Database
import Kernel

struct Restore: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Put a backup back into an empty shop, and audit it.",
        discussion: """
            Onto SQLite or PostgreSQL, whichever the backup was made on: so a shop moves from one to the other. The \
            schemas are brought to this release. Events that were on their way go on from where they were, whatever is \
            in Redis. Exit code 1 if the audit of that moment is not clean.

            A restore that was broken off leaves a shop that nobody serves; run it again.

            Example:
              SOUK_DATABASE=postgres://souk@localhost/souk souk restore --from file:/mnt/backups
            """)

    @OptionGroup var options: DataOptions
    @Option(help: "Where it is: file:FOLDER or s3://BUCKET?region=….") var from: String
    @Option(help: "Which one: its ID, or latest.") var at = "latest"
    @Option(help: "From what `souk backup follow` keeps, as it was at that time (RFC 3339), or latest.")
    var until: String?
    @Option(help: "With --until, of a PostgreSQL server: the data folder to make.") var into: String?
    @Option(help: "With --into: the user who will run the server.") var owner: String?
    @Flag(help: "Delete what the shop has. Only once every part of the backup was found good.") var replace = false
    @Flag(help: "From one that is not encrypted.") var unencrypted = false
    @Flag(help: "Leave the pictures out.") var noObjects = false
    @Flag(help: "Do not audit what was restored.") var noAudit = false
    @Flag(help: "Print the result as JSON.") var json = false

    struct Summary: Codable {
        var id: String
        var taken_at: Timestamp
        var rows: Int
        var pictures: Int
        var seconds: Double
        var audit: [AuditCheck]?
    }

    func run() async throws {
        let settings = try await options.settings()
        if let until {
            let time = try Self.time(until)
            if settings.database.scheme == "sqlite", into == nil { return try await files(until: time, settings) }
            guard let into else {
                throw SettingsError("--into is missing: expected the folder of a new PostgreSQL server")
            }
            return try await server(until: time, into: into, settings)
        }
        let began = ContinuousClock.now
        let folder = settings.database.scheme == "sqlite" ? try DataFolder.claim(settings.data) : nil
        defer { folder?.release() }
        let (manifest, checks) = try await BackupPlace.using(from, "--from", settings, isUnencrypted: unencrypted) {
            place in try await opened(settings) { try await restore(place, $0) }
        }
        let seconds = (ContinuousClock.now - began).inSeconds
        let pictures = noObjects ? 0 : manifest.objects?.count ?? 0
        if json {
            try Console.print(
                json: Summary(
                    id: manifest.id, taken_at: manifest.taken_at, rows: manifest.rows, pictures: pictures,
                    seconds: seconds, audit: checks))
        } else {
            if let checks { AuditCommand.report(checks) }
            Console.say("\(manifest.id) is restored: \(manifest.rows) rows, \(pictures) pictures")
        }
        if checks?.contains(where: { !$0.holds }) ?? false { throw ExitCode(1) }
    }

    func opened<T>(_ settings: Settings, _ work: (Databases) async throws -> T) async throws -> T {
        let databases = try await Databases.open(Set(Store.allCases), for: .restoring, settings)
        do {
            let result = try await work(databases)
            await databases.close()
            return result
        } catch {
            await databases.close()
            throw error
        }
    }

    /// Nil for the latest.
    static func time(_ until: String) throws -> Timestamp? {
        if until == "latest" { return nil }
        guard let time = Timestamp(rfc3339: until) else {
            throw SettingsError("--until is '\(until)', expected a time such as 2026-11-21T10:00:00Z, or latest")
        }
        return time
    }

    private func restore(
        _ place: BackupPlace, _ databases: Databases
    ) async throws -> (manifest: Manifest, answer: [AuditCheck]?) {
        try await checkStopped(databases)
        let (rows, pictures) = (Progress("rows"), Progress("pictures"))
        var options = BackupRestorer.Options()
        options.replaces = replace
        options.hasObjects = !noObjects
        options.onRows = { rows.advance(by: $0) }
        options.onObjects = { pictures.advance(by: $0) }
        return try await BackupRestorer(place.repository, options: options).restore(
            Backup.wanted(at), into: databases.backed, objects: place.objects
        ) { manifest in
            rows.finish()
            if noAudit { return nil }
            // Of that moment: what was on its way then is not late.
            let clock = ManualClock(manifest.taken_at)
            return try await Audit(databases: databases, clock: clock).checks(acknowledged: nil)
        }
    }

    /// A server tells who else is there; a folder is this process's own.
    private func checkStopped(_ databases: Databases) async throws {
        let others = try await databases[.orders].read { transaction in
            guard transaction.dialect == .postgres else { return 0 }
            return try transaction.row(
                """
                SELECT count(*) FROM pg_catalog.pg_stat_activity
                WHERE datname = current_database() AND application_name ~ '^souk [a-z]+$'
                """)?.int(0) ?? 0
        }
        guard others == 0 else {
            throw Failure("the shop is in use by \(others) connections: stop all its processes, then restore")
        }
    }
}
