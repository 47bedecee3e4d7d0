import Foundation
import Synchronization

/// A PostgreSQL server of the tests' own, on a free port of the loopback, with its data in a temporary folder. It is
/// stopped when it is let go, and when this process ends, however that ends.
public final class PostgresPeer: Sendable {
    public static let user = "souk"
    public static let password = "p@ss word/?%"
    public static let database = "souk"
    /// Why suites that need it are disabled.
    public static let missing = "PostgreSQL's server is not installed (Debian: apt-get install postgresql)"
    public static let isInstalled = programs != nil

    /// The one that most tests share: it does not wait for the disk.
    public static let shared = Result { try PostgresPeer(["fsync=off", "max_connections=800"]) }

    public let port: Int
    private let folder: String
    private let settings: [String]
    private let watchdog: pid_t
    /// While it is open, the watchdog knows that this process lives.
    private let life: Int32

    public struct Failure: Error, CustomStringConvertible {
        public let description: String
    }

    /// Returns when it answers.
    public init(_ settings: [String] = []) throws {
        guard let programs = Self.programs else { throw Failure(description: Self.missing) }
        port = try Self.freePort()
        folder = NSTemporaryDirectory() + "souk-postgres-" + UUID().uuidString
        self.settings =
            settings + [
                "listen_addresses=127.0.0.1", "port=\(port)", "unix_socket_directories=", "shared_buffers=32MB",
                "jit=off", "log_min_messages=fatal",
            ]
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        let passwordFile = folder + "/password"
        try Self.password.write(toFile: passwordFile, atomically: true, encoding: .utf8)
        if getuid() == 0 { try Self.run(["chown", "-R", "postgres", folder]) }
        // A server whose own order of texts is a dictionary's, so that a query that needs another has to say so.
        try Self.run(
            Self.unprivileged + [
                programs + "/initdb", "--pgdata", folder + "/data", "--username", Self.user, "--pwfile", passwordFile,
                "--auth", "scram-sha-256", "--encoding", "UTF8", "--locale-provider", "icu", "--icu-locale", "en-US",
                "--locale", "C.UTF-8", "--no-sync",
            ])
        var ends: [Int32] = [0, 0]
        guard pipe(&ends) == 0, fcntl(ends[1], F_SETFD, FD_CLOEXEC) == 0 else { throw Failure(description: "no pipe") }
        life = ends[1]
        let stop = #"cat > /dev/null; "$0/pg_ctl" --pgdata "$1/data" --mode immediate stop; rm -rf "$1""#
        watchdog = try Self.spawn(Self.unprivileged + ["sh", "-c", stop, programs, folder], input: ends[0])
        close(ends[0])
        try start()
        try Self.run(["psql", url(database: "postgres"), "--command", "CREATE DATABASE \(Self.database)"])
    }

    deinit {
        close(life)
        waitpid(watchdog, nil, 0)
    }

    /// `postgres://souk:…@127.0.0.1:port/souk`.
    public var url: String { url(database: Self.database) }

    public func url(database: String, user: String = user, password: String = password) -> String {
        let password = password.addingPercentEncoding(withAllowedCharacters: .alphanumerics) ?? ""
        return "postgres://\(user):\(password)@127.0.0.1:\(port)/\(database)"
    }

    /// A name that no other test uses.
    public static func schema() -> String {
        "t_" + UUID().uuidString.lowercased().replacing("-", with: "")
    }

    // MARK: Its life

    public func start() throws {
        try startProcess()
        // One that was restored takes connections only when it has read its log.
        for attempt in 1... {
            do {
                return try Self.run(["psql", url(database: "postgres"), "--command", "SELECT 1"])
            } catch  where attempt < 300 {
                usleep(100_000)
            }
        }
    }

    private func startProcess() throws {
        let options = settings.map { "-c '\($0)'" }.joined(separator: " ")
        // After a kill the rest of the old one may still be there for a moment.
        for attempt in 1... {
            do {
                return try Self.run(
                    Self.unprivileged + [
                        (Self.programs ?? "") + "/pg_ctl", "--pgdata", folder + "/data", "--wait", "--timeout", "600",
                        "--log",
                        folder + "/log", "--options", options, "start",
                    ])
            } catch  where attempt < 50 {
                usleep(100_000)
            }
        }
    }

    public func stop() throws {
        try Self.run(
            Self.unprivileged + [
                (Self.programs ?? "") + "/pg_ctl", "--pgdata", folder + "/data", "--wait", "--mode", "fast", "stop",
            ])
    }

    /// kill -9 of the process that the others hang on.
    public func kill9() throws {
        let text = try String(contentsOfFile: folder + "/data/postmaster.pid", encoding: .utf8)
        guard let pid = text.split(separator: "\n").first.flatMap({ Int32($0) }) else {
            throw Failure(description: "the server's process is not known")
        }
        kill(pid, SIGKILL)
    }

    /// Where the server has all it has.
    public var dataFolder: String { folder + "/data" }
    /// Who runs the server, if it is not who runs the tests.
    public static var owner: String? { getuid() == 0 ? "postgres" : nil }

    /// kill -9, and nothing is left of its data.
    public func destroy() throws {
        try kill9()
        // Its processes see that the first one is gone, and may write until then.
        for attempt in 1... {
            do { return try FileManager.default.removeItem(atPath: dataFolder) } catch  where attempt < 50 {
                usleep(100_000)
            }
        }
    }

    // MARK: Programs

    /// The folder of the server's programs, of the newest version.
    private static let programs: String? = {
        let root = "/usr/lib/postgresql"
        let versions = (try? FileManager.default.contentsOfDirectory(atPath: root)) ?? []
        let folders = versions.sorted { (Int($0) ?? 0) > (Int($1) ?? 0) }.map { "\(root)/\($0)/bin" }
        return (folders + ["/usr/local/bin", "/opt/homebrew/bin"])
            .first { FileManager.default.isExecutableFile(atPath: $0 + "/initdb") }
    }()

    /// The server refuses to run as root.
    private static let unprivileged =
        getuid() == 0 ? ["setpriv", "--reuid", "postgres", "--regid", "postgres", "--clear-groups"] : []

    private static func run(_ command: [String]) throws {
        var status: Int32 = 0
        guard waitpid(try spawn(command), &status, 0) > 0, status == 0 else {
            throw Failure(description: "\(command.joined(separator: " ")): ended with \(status)")
        }
    }

    /// Not Foundation's `Process`, which takes a program for running as long as one that it has started is.
    private static func spawn(_ command: [String], input: Int32? = nil) throws -> pid_t {
        #if canImport(Darwin)
        var actions: posix_spawn_file_actions_t?
        #else
        var actions = posix_spawn_file_actions_t()
        #endif
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        if let input {
            posix_spawn_file_actions_adddup2(&actions, input, 0)
        } else {
            posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
        }
        for output: Int32 in [1, 2] { posix_spawn_file_actions_addopen(&actions, output, "/dev/null", O_WRONLY, 0) }
        // From where any user may be.
        let command = ["sh", "-c", #"cd / && exec "$@""#, "sh"] + command
        let arguments = command.map { strdup($0) } + [nil]
        defer { for argument in arguments { free(argument) } }
        var pid: pid_t = 0
        // In a group of its own: what ends a test run from a terminal must not end the watchdog.
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETPGROUP))
        let code = posix_spawnp(&pid, command[0], &actions, &attributes, arguments, environ)
        guard code == 0 else { throw Failure(description: "\(command[0]): \(String(cString: strerror(code)))") }
        return pid
    }

    private static func freePort() throws -> Int {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        defer { close(descriptor) }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = inet_addr("127.0.0.1")
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let code = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
                bind(descriptor, address, length) == 0 ? getsockname(descriptor, address, &length) : -1
            }
        }
        guard code == 0 else { throw Failure(description: "no port is free") }
        return Int(UInt16(bigEndian: address.sin_port))
    }
}
