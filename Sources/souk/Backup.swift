import ArgumentParser
import Backups
import Kernel

struct Backup: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Make a backup of the whole shop, list and verify those there are.",
        discussion: """
            All rows of all services as they were at one moment, and the pictures, encrypted with SOUK_BACKUP_KEY, \
            in a folder or a bucket. The shop may run meanwhile. `souk restore` puts it back, on SQLite or on \
            PostgreSQL, whichever it was made on.

            Example:
              export SOUK_BACKUP_KEY=$(openssl rand -base64 32)
              souk backup --to file:/mnt/backups --keep 7d,4w,12m
            """,
        subcommands: [Make.self, Follow.self, List.self, Verify.self], defaultSubcommand: Make.self)

    struct Make: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Make a backup; what `souk backup` does without a further word.",
            discussion: """
                It is there when this ends with exit code 0, and not before.

                Example:
                  souk backup --to 's3://souk-backups?region=eu-west-1'
                """)

        @OptionGroup var options: DataOptions
        @Option(help: "Where to: file:FOLDER or s3://BUCKET?region=….") var to: String
        @Option(help: "What to keep, as 7d,4w,12m: the rest is removed. Without it, nothing is.") var keep: String?
        @Flag(help: "Without SOUK_BACKUP_KEY: whoever can read the place can read the orders.") var unencrypted = false
        @Flag(help: "Leave the pictures out.") var noObjects = false
        @Flag(help: "Do not read back what was written.") var noVerify = false
        @Flag(help: "Print the result as JSON.") var json = false

        struct Summary: Codable {
            var id: String
            var rows: Int
            var parts: Int
            /// As they are kept.
            var bytes: Int
            var pictures: Int
            var seconds: Double
            /// Backups that `--keep` did not keep.
            var removed: [String]
        }

        func run() async throws {
            let policy = try keep.map(policy)
            let settings = try await options.settings()
            let began = ContinuousClock.now
            let summary = try await BackupPlace.using(to, "--to", settings, isUnencrypted: unencrypted) { place in
                let manifest = try await make(settings, place)
                let removed = try await policy.asyncMap {
                    try await place.repository.prune($0, now: SystemClock().now()).backups.map(\.description)
                }
                return Summary(
                    id: manifest.id, rows: manifest.rows, parts: manifest.parts.count, bytes: manifest.bytes,
                    pictures: manifest.objects?.count ?? 0, seconds: (ContinuousClock.now - began).inSeconds,
                    removed: removed ?? [])
            }
            if json { return try Console.print(json: summary) }
            if unencrypted { Console.complain("note: the backup is not encrypted") }
            Console.say(
                "\(summary.id): \(summary.rows) rows in \(summary.parts) parts of \(Backup.megabytes(summary.bytes)), "
                    + "\(summary.pictures) pictures")
            if !summary.removed.isEmpty { Console.say("removed: \(summary.removed.joined(separator: ", "))") }
        }

        private func make(_ settings: Settings, _ place: BackupPlace) async throws -> Manifest {
            let databases = try await Databases.open(Store.existing(settings), for: .looking, settings)
            let (rows, pictures) = (Progress("rows"), Progress("pictures"))
            var options = BackupMaker.Options()
            options.isVerified = !noVerify
            options.onRows = { rows.advance(by: $0) }
            options.onObjects = { pictures.advance(by: $0) }
            let maker = BackupMaker(
                place.repository, release: Souk.version, clock: SystemClock(), options: options)
            do {
                let manifest = try await maker.make(databases.backed, objects: noObjects ? nil : place.objects)
                await databases.close()
                rows.finish()
                return manifest
            } catch {
                await databases.close()
                throw error
            }
        }

        private func policy(_ text: String) throws -> KeepPolicy {
            do { return try KeepPolicy(text) } catch { throw SettingsError("--keep: \(error)") }
        }
    }

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "List the backups, and the continuous copies after them, the oldest first.",
            discussion: """
                Without a key too: what is shown is what they say of themselves.

                Example:
                  souk backup list --from file:/mnt/backups
                """)

        @OptionGroup var options: DataOptions
        @Option(help: "Where they are: file:FOLDER or s3://BUCKET?region=….") var from: String
        @Flag(help: "Print the result as JSON.") var json = false

        struct Line: Codable {
            var id: String
            /// Only these can be restored.
            var complete: Bool
            var release: String?
            var engine: String?
            var rows: Int?
            var bytes: Int?
            var pictures: Int?
            var encrypted: Bool?
            /// Of a continuous copy: up to when it can be restored.
            var until: Timestamp?
        }

        func run() async throws {
            let settings = try await options.settings()
            let (entries, generations) = try await BackupPlace.using(from, "--from", settings, isUnencrypted: true) {
                (try await $0.repository.list(), try await LogRepository($0.repository).list())
            }
            var lines = entries.map { entry in
                let manifest = entry.manifest
                return Line(
                    id: entry.id.description, complete: entry.isComplete, release: manifest?.release,
                    engine: manifest?.engine, rows: manifest?.rows, bytes: manifest?.bytes,
                    pictures: manifest?.objects?.count, encrypted: manifest.map { $0.encryption != nil })
            }
            lines += generations.map { generation in
                Line(
                    id: generation.id.description, complete: generation.isComplete,
                    release: generation.manifest?.release, engine: generation.manifest?.engine,
                    bytes: generation.manifest?.bytes, encrypted: generation.manifest.map { $0.encryption != nil },
                    until: generation.until)
            }
            if json { return try Console.print(json: lines) }
            for line in lines {
                if let until = line.until, line.complete {
                    Console.say(
                        "\(line.id)  continuous until \(until), \(line.engine ?? ""), "
                            + (line.encrypted == true ? "encrypted" : "not encrypted"))
                    continue
                }
                guard let rows = line.rows, let bytes = line.bytes else {
                    Console.say("\(line.id)  not complete")
                    continue
                }
                Console.say(
                    "\(line.id)  \(rows) rows, \(Backup.megabytes(bytes)), \(line.pictures ?? 0) pictures, "
                        + "\(line.engine ?? ""), \(line.encrypted == true ? "encrypted" : "not encrypted")")
            }
        }
    }

    struct Verify: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Read a backup to its end, as a restore would: rows and pictures.",
            discussion: """
                Exit code 1 if anything is missing, damaged, or made with another key.

                Example:
                  souk backup verify --from file:/mnt/backups
                """)

        @OptionGroup var options: DataOptions
        @Argument(help: "Which one; the latest if not given.") var id: String?
        @Option(help: "Where it is: file:FOLDER or s3://BUCKET?region=….") var from: String
        @Option(help: "Of what `souk backup follow` keeps, up to that time (RFC 3339), or latest.") var until: String?
        @Flag(help: "Of one that is not encrypted.") var unencrypted = false
        @Flag(help: "Leave the pictures out.") var noObjects = false
        @Flag(help: "Print the result as JSON.") var json = false

        struct Summary: Codable {
            var id: String
            var rows: Int
            var parts: Int
            var pictures: Int
        }

        /// Of a continuous copy.
        struct Copy: Codable {
            var id: String
            var until: Timestamp
            var objects: Int
        }

        func run() async throws {
            let settings = try await options.settings()
            let progress = Progress("verify")
            if let until {
                let time = try Restore.time(until)
                let reader = try await BackupPlace.using(from, "--from", settings, isUnencrypted: unencrypted) {
                    let reader = try await LogRepository($0.repository).open(until: time)
                    try await reader.verify { progress.advance(by: $0) }
                    return reader
                }
                progress.finish()
                let copy = Copy(id: reader.id.description, until: reader.until, objects: reader.objects)
                if json { return try Console.print(json: copy) }
                return Console.say("\(copy.id) is whole until \(copy.until): \(copy.objects) objects")
            }
            let manifest = try await BackupPlace.using(from, "--from", settings, isUnencrypted: unencrypted) {
                let verifier = BackupVerifier($0.repository) { progress.advance(by: $0) }
                return try await verifier.verify(Backup.wanted(id), hasObjects: !noObjects)
            }
            progress.finish()
            let pictures = noObjects ? 0 : manifest.objects?.count ?? 0
            if json {
                return try Console.print(
                    json: Summary(
                        id: manifest.id, rows: manifest.rows, parts: manifest.parts.count, pictures: pictures))
            }
            Console.say("\(manifest.id) is whole: \(manifest.rows) rows, \(pictures) pictures")
        }
    }

    /// Nil for the latest.
    static func wanted(_ id: String?) -> String? { id == "latest" ? nil : id }

    static func megabytes(_ bytes: Int) -> String {
        "\(bytes / 1_000_000).\(bytes / 100_000 % 10) MB"
    }
}

extension Optional {
    fileprivate func asyncMap<T>(_ work: (Wrapped) async throws -> T) async rethrows -> T? {
        guard let wrapped = self else { return nil }
        return try await work(wrapped)
    }
}
