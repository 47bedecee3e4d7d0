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

                Of PostgreSQL it is the whole server, by streaming replication: the user of SOUK_DATABASE needs the \
                right REPLICATION, and the server keeps its log while this is away. A server with \
                synchronous_standby_names = 'souk_backup' acknowledges nothing that is not in the copy.

                Example:
                  SOUK_DATABASE=postgres://replicator@db/souk souk backup follow --to 's3://souk-log?region=eu-west-1'
                """)

        @OptionGroup var options: DataOptions
        @Option(help: "Where to: file:FOLDER or s3://BUCKET?region=….") var to: String
        @Option(help: "Between two cuts, such as 500ms.") var interval = "1s"
        @Option(help: "PostgreSQL's replication slot.") var slot = "souk_backup"
        @Flag(help: "Without SOUK_BACKUP_KEY: whoever can read the place can read the orders.") var unencrypted = false
        @Flag(help: "Print a line of JSON for each base and cut.") var json = false

        func run() async throws {
            let settings = try await options.settings()
            let pause = try interval(of: interval)
            guard settings.database.scheme != "sqlite" else {
                throw SettingsError("SOUK_DATABASE is a folder, expected postgres://…")
            }
            try await BackupPlace.using(to, "--to", settings, isUnencrypted: unencrypted) { place in
                let url = settings.database.text
                try await FollowServer(url: url, slot: slot, interval: pause, report: FollowReport(isJSON: json))
                    .run(place)
            }
        }

        private func interval(of text: String) throws -> Duration {
            let interval: Duration
            do { interval = try Duration(span: text, of: "--interval") } catch { throw SettingsError("\(error)") }
            guard (.milliseconds(10) ... .seconds(30)).contains(interval) else {
                throw SettingsError("--interval is \(text), expected 10ms to 30s")
            }
            return interval
        }
    }
}
