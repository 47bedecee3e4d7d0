import ArgumentParser
import Backups
import Contracts
import Database
import FoundationEssentials
import Kernel

/// `souk restore --until` of a copy that followed a shop on SQLite.
extension Restore {
    func files(until time: Timestamp?, _ settings: Settings) async throws {
        let began = ContinuousClock.now
        let folder = try DataFolder.claim(settings.data)
        defer { folder.release() }
        let (built, checks) = try await BackupPlace.using(from, "--from", settings, isUnencrypted: unencrypted) {
            try await restore(time, LogRepository($0.repository), settings)
        }
        let summary = FilesSummary(
            generation: built.generation.description, until: built.until, databases: built.names.count,
            seconds: (ContinuousClock.now - began).inSeconds, audit: checks)
        if json {
            try Console.print(json: summary)
        } else {
            if let checks { AuditCommand.report(checks) }
            Console.say("the shop is as it was at \(summary.until), with all that was committed before; pictures apart")
        }
        if checks?.contains(where: { !$0.holds }) ?? false { throw ExitCode(1) }
    }

    /// Built beside the shop that is there, which is touched only when all was read.
    private func restore(
        _ time: Timestamp?, _ log: LogRepository, _ settings: Settings
    ) async throws -> (SQLiteCopyRestorer.Built, [AuditCheck]?) {
        if !replace { try await opened(settings) { try await SQLiteCopyRestorer.checkEmpty($0.backed) } }
        let progress = Progress("objects")
        let restorer = SQLiteCopyRestorer(log) { progress.advance(by: $0) }
        let built = try await restorer.build(until: time, in: settings.database.rest + "/restoring")
        progress.finish()
        if let odd = built.names.first(where: { Store(rawValue: $0) == nil }) {
            throw BackupError.newer(backup: built.generation.description, detail: "it has a schema \(odd)")
        }
        try await opened(settings) { try await SQLiteCopyRestorer.mark($0.backed, with: built.generation) }
        try await restorer.install(built, known: Store.allCases.map(\.rawValue), in: settings.database.rest)
        try? FileManager.default.removeItem(atPath: built.folder)  // an empty folder, which harms nobody
        let checks: [AuditCheck]? = try await opened(settings) { databases in
            for store in databases.backed { try await store.database.migrate(store.migrations) }
            // Of that moment: what was on its way then is not late.
            let audit = Audit(databases: databases, clock: ManualClock(built.until))
            let checks = noAudit ? nil : try await audit.checks(acknowledged: nil)
            try await SQLiteCopyRestorer.finish(databases.backed)
            return checks
        }
        return (built, checks)
    }
}

private struct FilesSummary: Codable {
    var engine = "sqlite"
    var generation: String
    /// All that was committed before it is there.
    var until: Timestamp
    var databases: Int
    var seconds: Double
    var audit: [AuditCheck]?
}
