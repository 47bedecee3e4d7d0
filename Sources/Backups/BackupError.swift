public import Kernel

/// What is wrong with a backup, a key, or the shop that is to be restored. Each says what to do where something can be
/// done.
public enum BackupError: Error, Sendable, Equatable {
    /// `name` is the setting.
    case invalidKey(name: String)
    case needsKey
    /// It was made with another key, as far as the manifest tells.
    case wrongKey(backup: String)
    case notEncrypted(backup: String)
    case noBackup(wanted: String, place: String)
    case damagedManifest(backup: String, detail: String)
    case missingPart(key: String)
    case damagedPart(key: String, detail: String)
    /// Rows that do not read as they were written.
    case damagedRows
    case compression
    /// The release that made it knew more than this one.
    case newer(backup: String, detail: String)
    case unlikeSchema(store: String, detail: String)
    case notEmpty(table: String)
    case invalidPolicy(String)
    case exists(backup: String)
    case missingObjects(count: Int, first: String)
    /// A continuous copy cannot be followed beyond this. `reach` is the last good moment.
    case brokenLog(key: String, detail: String, reach: Timestamp)
    /// Of a server: another one's, or the log between is gone.
    case cannotGoOn(backup: String)
    case notEmptyFolder(path: String)
    case noLog(until: Timestamp?, place: String)
    /// Of a continuous copy.
    case otherEngine(String, generation: String)
    case amidstRestore(until: Timestamp, backup: String)
}

extension BackupError: CustomStringConvertible {
    public var description: String {
        switch self {
        case .invalidKey(let name):
            "\(name) is not a key: expected 32 bytes or more in base64 or hexadecimal, as `openssl rand -base64 32` "
                + "makes them"
        case .needsKey:
            "SOUK_BACKUP_KEY is not set, expected 32 bytes in base64 or hexadecimal (`openssl rand -base64 32`): "
                + "without it only --unencrypted ones can be made and read"
        case .wrongKey(let backup):
            "the backup \(backup) was made with another key than SOUK_BACKUP_KEY"
        case .notEncrypted(let backup):
            "the backup \(backup) is not encrypted, so anybody may have changed it: give --unencrypted to trust it"
        case .noBackup(let wanted, let place):
            "there is no complete backup \(wanted.isEmpty ? "" : "\(wanted) ")in \(place): `souk backup list` shows "
                + "what there is"
        case .damagedManifest(let backup, let detail): "the manifest of the backup \(backup) is damaged: \(detail)"
        case .missingPart(let key): "\(key) is missing: take another backup"
        case .damagedPart(let key, let detail): "\(key) is damaged (\(detail)): take another backup"
        case .damagedRows: "its rows do not read as they were written"
        case .compression: "it cannot be unpacked"
        case .newer(let backup, let detail):
            "the backup \(backup) was made by a newer release (\(detail)): restore it with that release"
        case .unlikeSchema(let store, let detail): "the schema \(store) is not as the backup has it: \(detail)"
        case .notEmpty(let table):
            "the shop is not empty: \(table) has rows. Restore into another one, or stop it and give --replace, which "
                + "deletes all that is there"
        case .invalidPolicy(let text):
            "'\(text.prefix(40))' says not what to keep: expected numbers with d, w, m or y, such as 7d,4w,12m"
        case .exists(let backup): "a backup \(backup) has been begun already: try again"
        case .missingObjects(let count, let first):
            "\(count) pictures are not there any more or damaged (the first: \(first)): --no-objects restores without"
        case .brokenLog(let key, let detail, let reach):
            "\(key) is \(detail): this continuous copy can be restored --until \(reach) at the latest"
        case .cannotGoOn(let backup): "the server does not have the log that the continuous copy \(backup) goes on with"
        case .notEmptyFolder(let path): "\(path) is not empty: a server is restored into a folder of its own"
        case .noLog(let until?, let place):
            "no continuous copy in \(place) goes back to \(until): `souk backup list` shows what there is"
        case .otherEngine(let engine, let generation):
            "the continuous copy \(generation) is of \(engine) and can only be restored there"
        case .amidstRestore(let until, let backup):
            "at \(until) the shop was being restored from \(backup): restore it --until another time"
        case .noLog(nil, let place):
            "there is no complete continuous copy in \(place): `souk backup list` shows what there is"
        }
    }
}
