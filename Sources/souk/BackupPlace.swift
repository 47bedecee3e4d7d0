import ArgumentParser
import Backups
import FoundationEssentials
import Kernel
import Objects
import Wire

/// A folder or a bucket where backups are kept, by the URL that the command line gives.
struct BackupPlace {
    let repository: BackupRepository
    /// The shop's pictures.
    let objects: any ObjectStore

    /// Opens both, runs the work, and ends the connections.
    ///
    /// - Parameters:
    ///   - option: the flag that gave the URL, for messages.
    ///   - isUnencrypted: in the clear, whatever key is set.
    static func using<T>(
        _ url: String, _ option: String, _ settings: Settings, isUnencrypted: Bool,
        _ work: (BackupPlace) async throws -> T
    ) async throws -> T {
        let place = try parse(url, option)
        let key = try isUnencrypted ? nil : key(settings)
        guard !overlap(place, settings.objects) else {
            throw SettingsError("\(option) is where the shop has its pictures, expected a folder or bucket of its own")
        }
        let makeStore = try Shop.objects(place, option, SystemClock())
        let makeObjects = try Shop.objects(settings.objects, "SOUK_OBJECTS", SystemClock())
        let outbound = OutboundHTTP()
        let name = String(url.prefix { $0 != "?" })
        let opened = BackupPlace(
            repository: BackupRepository(makeStore(outbound.send), key: key, name: name),
            objects: makeObjects(outbound.send))
        do {
            let result = try await work(opened)
            try await outbound.shutdown()
            return result
        } catch {
            try? await outbound.shutdown()  // what went wrong first is what is told
            throw error
        }
    }

    private static func parse(_ url: String, _ option: String) throws -> Settings.BackEnd {
        let parts = url.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
        guard parts.count == 2, ["file", "s3"].contains(parts[0]), !parts[1].isEmpty else {
            throw SettingsError("\(option) is '\(url)', expected file:FOLDER or \(S3URL.form)")
        }
        return Settings.BackEnd(scheme: parts[0], rest: parts[1])
    }

    private static func key(_ settings: Settings) throws -> BackupKey {
        do {
            guard let text = settings.backupKey, !text.isEmpty else { throw BackupError.needsKey }
            return try BackupKey(text)
        } catch let error as BackupError {
            throw SettingsError("\(error)")
        }
    }

    /// Whether one lies in the other: then a backup would hold the backups before it.
    private static func overlap(_ one: Settings.BackEnd, _ other: Settings.BackEnd) -> Bool {
        guard one.scheme == other.scheme else { return false }
        func path(_ place: Settings.BackEnd) -> String {
            guard place.scheme == "s3" else { return URL(filePath: place.rest).standardized.path + "/" }
            let parts = place.rest.split(separator: "?", maxSplits: 1).map(String.init)
            let settings = parts.count == 2 ? parts[1].split(separator: "&") : []
            return parts[0] + "/" + (settings.first { $0.hasPrefix("prefix=") }?.dropFirst(7) ?? "")
        }
        return path(one).hasPrefix(path(other)) || path(other).hasPrefix(path(one))
    }
}

extension Databases {
    /// As backups have them.
    var backed: [BackedStore] {
        all.map { BackedStore(name: $0.store.rawValue, database: $0.database, migrations: $0.store.migrations) }
    }
}

extension Store {
    /// All that there are. A shop on files whose payments are somebody else's affair has none for the sandbox.
    static func existing(_ settings: Settings) -> Set<Store> {
        let hasSandbox =
            settings.database.scheme != "sqlite"
            || FileManager.default.fileExists(atPath: Store.sandbox.path(settings))
        return Set(allCases.filter { $0 != .sandbox || hasSandbox })
    }
}
