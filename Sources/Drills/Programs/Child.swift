import Kernel
import Synchronization

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

/// A program that runs beside the drill, what it says in files: `NAME.out` and `NAME.log`.
public final class Child: Sendable {
    public let name: String
    /// What it says on standard output, and what it complains of.
    public let output: String
    public let log: String
    private let pid: pid_t
    private let state = Mutex(State())

    private struct State {
        var code: Int32?
        var waiting: [CheckedContinuation<Int32, Never>] = []
    }

    /// - Parameter folder: for its two files.
    /// - Throws: `DrillError` if it cannot be started.
    public init(_ name: String, _ command: [String], environment: [String: String], folder: String) throws {
        self.name = name
        output = "\(folder)/\(name).out"
        log = "\(folder)/\(name).log"
        let files = ["\(folder)/\(name).out", "\(folder)/\(name).log"].map { (file: String) in
            open(file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
        }
        defer { for file in files where file >= 0 { close(file) } }
        guard files.allSatisfy({ $0 >= 0 }) else {
            throw DrillError("\(output) cannot be written: \(String(cString: strerror(errno)))")
        }
        pid = try spawn(command, environment: environment, output: files[0], errors: files[1])
        startThread(named: "child") { [self] in
            var status: Int32 = 0
            while waitpid(pid, &status, 0) < 0, errno == EINTR {}
            let code = exitCode(status)
            let waiting = state.withLock { state in
                state.code = code
                return state.waiting
            }
            for continuation in waiting { continuation.resume(returning: code) }
        }
    }

    public var hasEnded: Bool { state.withLock { $0.code != nil } }

    /// To it and the programs that it started.
    public func kill() { send(SIGKILL) }
    /// It may finish what it does.
    public func terminate() { send(SIGTERM) }

    private func send(_ signal: Int32) {
        // Its number may be somebody else's once it was waited for.
        state.withLock { if $0.code == nil { _ = systemKill(-pid, signal) } }
    }

    /// Its exit code once it has ended; negative for a signal.
    public func ended() async -> Int32 {
        await withCheckedContinuation { continuation in
            let code = state.withLock { state in
                if state.code == nil { state.waiting.append(continuation) }
                return state.code
            }
            if let code { continuation.resume(returning: code) }
        }
    }
}

private func systemKill(_ pid: pid_t, _ signal: Int32) -> Int32 {
    #if canImport(Glibc)
    Glibc.kill(pid, signal)
    #elseif canImport(Musl)
    Musl.kill(pid, signal)
    #else
    Darwin.kill(pid, signal)
    #endif
}
