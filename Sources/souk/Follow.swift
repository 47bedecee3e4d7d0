import ArgumentParser
import Backups
import Drills
import Kernel

extension Backup {
    struct Follow: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Keep a copy that follows the shop, until it is stopped.",
            discussion: """
                First a base, then every interval what was committed since: `souk restore --until` puts the shop back \
                as it was at any of these moments. It runs beside the shop, and ends on SIGTERM after a last cut.

                Of files it is all services at the same moment. While the place is away, their logs are kept, and \
                grow; each start begins with a new base.

                Of PostgreSQL it is the whole server, by streaming replication: the user of SOUK_DATABASE needs the \
                right REPLICATION, and the server keeps its log while this is away. A server with \
                synchronous_standby_names = 'souk_backup' acknowledges nothing that is not in the copy.

                Example:
                  souk backup follow --to file:/mnt/backups --keep 7d,4w
                  SOUK_DATABASE=postgres://replicator@db/souk souk backup follow --to 's3://souk-log?region=eu-west-1'
                """)

        @OptionGroup var options: DataOptions
        @Option(help: "Where to: file:FOLDER or s3://BUCKET?region=….") var to: String
        @Option(help: "Between two cuts, such as 500ms.") var interval = "1s"
        @Option(help: "Of files: from one base to the next. A restore reads all cuts since.") var baseEvery = "24h"
        @Option(help: "Of files: what to keep, as 7d,4w: all moments of seven days. Without it, everything.")
        var keep: String?
        @Option(help: "PostgreSQL's replication slot.") var slot = "souk_backup"
        @Flag(help: "Without SOUK_BACKUP_KEY: whoever can read the place can read the orders.") var unencrypted = false
        @Flag(help: "Print a line of JSON for each base and cut.") var json = false

        func run() async throws {
            let settings = try await options.settings()
            let pause = try span(interval, "--interval", .milliseconds(10) ... .seconds(30), "10ms to 30s")
            let report = FollowReport(isJSON: json)
            if settings.database.scheme == "sqlite" {
                var copy = SQLiteCopy.Options()
                copy.interval = pause
                copy.baseEvery = try span(baseEvery, "--base-every", .seconds(60) ... .seconds(2_592_000), "1m to 720h")
                do { copy.keep = try keep.map { try KeepPolicy($0) } } catch { throw SettingsError("--keep: \(error)") }
                return try await FollowFiles(settings: settings, options: copy, report: report).run(to, unencrypted)
            }
            try await BackupPlace.using(to, "--to", settings, isUnencrypted: unencrypted) { place in
                let url = settings.database.text
                try await FollowServer(url: url, slot: slot, interval: pause, report: report)
                    .run(place)
            }
        }

        private func span(
            _ text: String, _ flag: String, _ range: ClosedRange<Duration>, _ words: String
        ) throws -> Duration {
            let span: Duration
            do { span = try Duration(span: text, of: flag) } catch { throw SettingsError("\(error)") }
            guard range.contains(span) else { throw SettingsError("\(flag) is \(text), expected \(words)") }
            return span
        }
    }
}
