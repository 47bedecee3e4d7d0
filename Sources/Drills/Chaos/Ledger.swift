import Kernel

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

/// What a drill began and has not undone yet, in a small file that is on disk before the first fault: a drill that is
/// killed leaves it behind, and the next one undoes what it says.
///
/// One drill at a time has it. The system frees it when its holder dies, however that happens.
public final class Ledger: Sendable {
    public let path: String
    private let descriptor: Int32
    private let pool = BlockingPool(name: "ledger", threads: 1)

    /// - Parameter folder: made if it is not there.
    /// - Throws: `DrillError` if another drill has it.
    public init(folder: String) throws {
        path = folder + "/chaos.json"
        do {
            try Files.makeFolder(folder)
        } catch {
            throw DrillError("\(folder) cannot hold what a drill began: \(error)")
        }
        descriptor = open(folder + "/chaos.lock", O_WRONLY | O_CREAT | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else {
            throw DrillError("\(folder)/chaos.lock cannot be written: \(String(cString: strerror(errno)))")
        }
        guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
            close(descriptor)
            throw DrillError("another drill is under way in \(folder): wait for its end, or end it")
        }
    }

    deinit { close(descriptor) }

    func write(_ experiment: Experiment, _ configuration: JSONObject) async throws {
        guard var document = experiment.document.objectValue else { return }
        document["configuration"] = .object(configuration)
        let bytes = JSON.object(document).serialized()
        try await pool.run { [path] in try Files.write(bytes, to: path, by: path + ".new", isSynced: true) }
    }

    func strikeOut() async throws {
        _ = try await pool.run { [path] in try Files.remove(path) }
    }

    /// The experiment of a drill that died, with the configuration that it had; nil if there is nothing to undo.
    public func left() async throws -> Experiment? {
        let bytes: [UInt8]
        do {
            bytes = try await pool.run { [path] in try Files.read(path, limit: 2 * Experiment.largestFile) }
        } catch FileError.missing {
            return nil
        }
        return try Experiment(json: bytes, file: path)
    }
}
