import Drills
import FoundationEssentials
import Kernel
import Synchronization

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

/// A drill's folder, and the programs that run in it.
final class RecoveryPlace: Sendable {
    let folder: String
    private let environment: [String: String]
    private let children = Mutex<[Child]>([])

    /// A new folder in that one.
    init(in parent: String) throws {
        folder = "\(parent)/souk-recover-\(Secrets.madeUp(8))"
        let manager = FileManager.default
        do {
            try manager.createDirectory(atPath: folder + "/logs", withIntermediateDirectories: true)
            // PostgreSQL does not run as root: its user has to come to its own folder.
            try manager.setAttributes([.posixPermissions: 0o711], ofItemAtPath: folder)
            try manager.setAttributes([.posixPermissions: 0o700], ofItemAtPath: folder + "/logs")
        } catch {
            throw Failure("\(folder) cannot be made: \(error)")
        }
        // The user's own shop is nothing to this one.
        var environment = ProcessInfo.processInfo.environment.filter { !$0.key.hasPrefix("SOUK_") }
        environment["SOUK_BACKUP_KEY"] = Array(Secrets.madeUp(32).utf8).base64
        environment["SOUK_STAFF_PASSWORD"] = Secrets.madeUp(24)
        environment["SOUK_LOG_LEVEL"] = "warning"
        self.environment = environment
    }

    /// Runs beside the drill until it is ended.
    func start(_ name: String, _ command: [String], _ settings: [String: String] = [:]) throws -> Child {
        let child = try Child(
            name, command, environment: environment.merging(settings) { $1 }, folder: folder + "/logs")
        children.withLock { $0.append(child) }
        return child
    }

    /// To its end.
    ///
    /// - Returns: what it said on standard output.
    /// - Throws: `Failure` with its last words, unless its exit code is one of `codes`.
    @discardableResult
    func run(
        _ name: String, _ command: [String], _ settings: [String: String] = [:], codes: Set<Int32> = [0]
    ) async throws -> String {
        let child = try start(name, command, settings)
        let code = await withTaskCancellationHandler {
            await child.ended()
        } onCancel: {
            child.kill()
        }
        try Task.checkCancellation()
        guard codes.contains(code) else {
            throw Failure("\(name) ended with exit code \(code): \(lastWords(of: child))")
        }
        return try text(child.output)
    }

    func souk(
        _ name: String, _ arguments: [String], _ settings: [String: String] = [:], codes: Set<Int32> = [0]
    ) async throws -> String {
        try await run(name, [Self.program] + arguments, settings, codes: codes)
    }

    func startSouk(_ name: String, _ arguments: [String], _ settings: [String: String] = [:]) throws -> Child {
        try start(name, [Self.program] + arguments, settings)
    }

    func text(_ file: String) throws -> String {
        do {
            return String(decoding: try Files.read(file, limit: 1 << 26), as: UTF8.self)
        } catch {
            throw Failure("\(error)")
        }
    }

    func lastWords(of child: Child) -> String {
        let lines = (try? text(child.log))?.split(separator: "\n") ?? []
        return lines.suffix(3).joined(separator: " | ")
    }

    /// Until the check holds.
    ///
    /// - Throws: `Failure` if the program has ended, or the time is over.
    func wait(for what: String, of child: Child, _ check: () async throws -> Bool) async throws {
        let deadline = ContinuousClock.now + .seconds(600)
        while try await !check() {
            guard !child.hasEnded else {
                throw Failure("\(child.name) ended before \(what): \(lastWords(of: child))")
            }
            guard ContinuousClock.now < deadline else { throw Failure("\(child.name) took too long: \(what)") }
            try await Task.sleep(for: .milliseconds(20))
        }
    }

    func endAll() async {
        let all = children.withLock { $0 }
        for child in all.reversed() {
            child.kill()
            _ = await child.ended()
        }
    }

    func remove() async throws { try await remove(folder) }

    func remove(_ path: String) async throws {
        let pool = BlockingPool(name: "remove", threads: 1)
        try await pool.run { try FileManager.default.removeItem(atPath: path) }
    }

    /// This very program.
    private static let program: String = {
        let link = "/proc/self/exe"
        return (try? FileManager.default.destinationOfSymbolicLink(atPath: link)) ?? CommandLine.arguments[0]
    }()

    /// One that nobody listens on at the moment.
    static func freePort() throws -> Int {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        defer { close(descriptor) }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let isBound = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(descriptor, $0, length) == 0 && getsockname(descriptor, $0, &length) == 0
            }
        }
        guard isBound else { throw Failure("there is no free port on this machine") }
        return Int(UInt16(bigEndian: address.sin_port))
    }
}
