import Drills
import FoundationEssentials
import Kernel

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

/// PostgreSQL servers of a drill's own, as durable as they come: fsync is on.
struct RecoveryServer: Sendable {
    private static let user = "postgres"
    private let programs: String
    private let place: RecoveryPlace

    init(programs: String, _ place: RecoveryPlace) {
        self.programs = programs
        self.place = place
    }

    /// Where they are: in that folder, or Debian's newest if nil.
    static func programs(_ wanted: String?) throws -> String {
        guard let folder = wanted ?? newest() else {
            throw Failure("PostgreSQL's programs are not in /usr/lib/postgresql: give their folder as --postgres")
        }
        guard FileManager.default.isExecutableFile(atPath: folder + "/initdb") else {
            throw Failure("there is no initdb in \(folder), expected the folder of PostgreSQL's programs")
        }
        return folder
    }

    private static func newest() -> String? {
        let versions = (try? FileManager.default.contentsOfDirectory(atPath: "/usr/lib/postgresql")) ?? []
        return versions.compactMap { Int($0) }.max().map { "/usr/lib/postgresql/\($0)/bin" }
    }

    /// A new server's folder.
    func make(_ name: String) async throws {
        try await own(name)
        try await run(
            "initdb-\(name)",
            ["initdb", "--pgdata", data(name), "--username", "souk", "--encoding", "UTF8", "--locale", "C.UTF-8"])
    }

    func data(_ name: String) -> String { "\(place.folder)/\(name)/server" }

    /// Makes the server's folder PostgreSQL's.
    func own(_ name: String) async throws {
        try FileManager.default.createDirectory(
            atPath: "\(place.folder)/\(name)", withIntermediateDirectories: true)
        guard getuid() == 0 else { return }
        try await place.run(
            "chown-\(name)", ["chown", "--recursive", "\(Self.user):\(Self.user)", "\(place.folder)/\(name)"])
    }

    /// Returns when it answers as a server that may be written to.
    func start(_ name: String) async throws -> (child: Child, url: String) {
        let port = try RecoveryPlace.freePort()
        let child = try place.start(
            "postgres-\(name)",
            unprivileged([
                "postgres", "-D", data(name), "-p", "\(port)", "-c", "listen_addresses=127.0.0.1", "-c",
                "unix_socket_directories=", "-c", "shared_buffers=256MB", "-c", "max_wal_size=4GB",
            ]))
        let url = "postgres://souk@127.0.0.1:\(port)/"
        var attempt = 0
        try await place.wait(for: "it takes writes", of: child) {
            attempt += 1
            let answer = try? await run(
                "ask-\(name)",
                [
                    "psql", "--no-psqlrc", "--tuples-only", "--no-align", "--command", "SELECT pg_is_in_recovery()",
                    url + "postgres",
                ])
            return answer?.hasPrefix("f") == true
        }
        return (child, url)
    }

    func makeDatabase(_ url: String) async throws {
        try await run("createdb", ["psql", "--no-psqlrc", "--command", "CREATE DATABASE souk", url + "postgres"])
    }

    @discardableResult
    private func run(_ name: String, _ command: [String]) async throws -> String {
        try await place.run(name, unprivileged(command))
    }

    /// As root, PostgreSQL does not run.
    private func unprivileged(_ command: [String]) -> [String] {
        let whole = ["\(programs)/\(command[0])"] + command.dropFirst()
        guard getuid() == 0 else { return whole }
        return ["setpriv", "--reuid=\(Self.user)", "--regid=\(Self.user)", "--clear-groups"] + whole
    }
}
