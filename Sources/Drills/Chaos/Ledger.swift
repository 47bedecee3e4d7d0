public import Kernel

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
/// One drill at a time has it, with the programs that it runs: they share the lock, so that it is free when the last of
/// them has ended, and a fault that a killed drill was about to do does not come after its undoing.
public final class Ledger: Sendable {
    public let path: String
    /// Of the lock.
    let descriptor: Int32
    private let pool = BlockingPool(name: "ledger", threads: 1)

    /// How long the programs of a drill that died may take to their end.
    private static let patience = Duration.seconds(30)

    /// - Parameter folder: made if it is not there.
    /// - Throws: `DrillError` if another drill has it.
    public static func take(folder: String, clock: any WallClock = SystemClock()) async throws -> Ledger {
        do {
            try Files.makeFolder(folder)
        } catch {
            throw DrillError("\(folder) cannot hold what a drill began: \(error)")
        }
        let ledger = try Ledger(folder)
        let deadline = clock.now() + patience
        while !ledger.lock() {
            guard !ledger.isHolderAlive else {
                throw DrillError("another drill is under way in \(folder): wait for its end, or end it")
            }
            // A fault that it was about to do would come after its undoing.
            if clock.now() > deadline { break }
            try await clock.sleep(for: .milliseconds(50))
        }
        ledger.noteHolder()
        return ledger
    }

    private init(_ folder: String) throws {
        path = folder + "/chaos.json"
        descriptor = open(folder + "/chaos.lock", O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else {
            throw DrillError("\(folder)/chaos.lock cannot be written: \(String(cString: strerror(errno)))")
        }
    }

    private func lock() -> Bool { flock(descriptor, LOCK_EX | LOCK_NB) == 0 }

    private var isHolderAlive: Bool {
        var buffer = [UInt8](repeating: 0, count: 20)
        let count = pread(descriptor, &buffer, buffer.count, 0)
        guard count > 0, let pid = pid_t(String(decoding: buffer.prefix(count), as: UTF8.self)) else { return true }
        return kill(pid, 0) == 0 || errno == EPERM
    }

    private func noteHolder() {
        let text = Array("\(getpid())".utf8)
        _ = ftruncate(descriptor, 0)
        _ = pwrite(descriptor, text, text.count, 0)
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
