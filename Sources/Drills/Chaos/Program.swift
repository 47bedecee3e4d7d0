import Kernel
import Synchronization

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

/// A program that is run to its end, in a group of its own: Ctrl-C is for the drill, which decides what ends.
final class Program: Sendable {
    /// Milliseconds between two looks at whether it is to end.
    private static let tick: Int32 = 20
    private let command: [String]
    private let environment: [String: String]
    /// Seconds; the whole group is killed then.
    private let timeout: Double?
    /// Of a ledger; the program keeps it open while it runs.
    private let lock: Int32?
    private let isCancelled = Atomic<Bool>(false)

    init(_ command: [String], environment: [String: String], timeout: Double?, lock: Int32? = nil) {
        self.lock = lock
        self.command = command
        self.environment = environment
        self.timeout = timeout
    }

    /// `status`, `stdout` and `stderr`; of longer output the beginning. A program that a signal ended has the negative
    /// number of that signal as its status, as in Python.
    ///
    /// - Throws: `DrillError` if it cannot be started or takes too long; `CancellationError`.
    func run() async throws -> JSON {
        try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { continuation in
                startThread(named: "program") { [self] in continuation.resume(with: Result { try toItsEnd() }) }
            }
        } onCancel: {
            isCancelled.store(true, ordering: .relaxed)
        }
    }

    private func toItsEnd() throws -> JSON {
        var pipes = [[Int32](repeating: -1, count: 2), [Int32](repeating: -1, count: 2)]
        defer { for descriptor in pipes.joined() where descriptor >= 0 { close(descriptor) } }
        for number in pipes.indices {
            guard pipe(&pipes[number]) == 0 else { throw failure("has no pipe", errno) }
            for descriptor in pipes[number] { _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC) }
            _ = fcntl(pipes[number][0], F_SETFL, O_NONBLOCK)
        }
        let child = try spawn(output: pipes[0][1], errors: pipes[1][1])
        for number in pipes.indices {
            close(pipes[number][1])
            pipes[number][1] = -1
        }
        let deadline = timeout.map { ContinuousClock.now + .seconds($0) }
        var outputs: [[UInt8]] = [[], []]
        var status: Int32 = 0
        while true {
            var polled = pipes.map { pollfd(fd: $0[0], events: Int16(POLLIN), revents: 0) }
            _ = poll(&polled, nfds_t(polled.count), Self.tick)
            let hasEnded = waitpid(child, &status, WNOHANG) == child
            for number in pipes.indices where pipes[number][0] >= 0 {
                if Self.drain(pipes[number][0], into: &outputs[number]) {
                    close(pipes[number][0])
                    pipes[number][0] = -1
                }
            }
            if hasEnded { break }
            let isLate = deadline.map { ContinuousClock.now > $0 } ?? false
            if isLate || isCancelled.load(ordering: .relaxed) {
                kill(-child, SIGKILL)
                waitpid(child, &status, 0)
                if isLate { throw DrillError("\(command[0]) took longer than \(timeout ?? 0) s") }
                throw CancellationError()
            }
        }
        // The macros of <sys/wait.h> are not there for Swift.
        let signal = status & 0x7F
        return [
            "status": .integer(Int64(signal == 0 ? (status >> 8) & 0xFF : -signal)),
            "stdout": .string(String(decoding: outputs[0], as: UTF8.self)),
            "stderr": .string(String(decoding: outputs[1], as: UTF8.self)),
        ]
    }

    /// Whether it has ended. What is too much is read and forgotten, so that the program does not wait.
    private static func drain(_ descriptor: Int32, into output: inout [UInt8]) -> Bool {
        var buffer = [UInt8](repeating: 0, count: 1 << 14)
        while true {
            let count = read(descriptor, &buffer, buffer.count)
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { return count == 0 }
            output += buffer.prefix(min(count, ChaosProviders.largestOutput - output.count))
        }
    }

    private func spawn(output: Int32, errors: Int32) throws -> pid_t {
        #if canImport(Darwin)
        var actions: posix_spawn_file_actions_t?
        var attributes: posix_spawnattr_t?
        #else
        var actions = posix_spawn_file_actions_t()
        var attributes = posix_spawnattr_t()
        #endif
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
        posix_spawn_file_actions_adddup2(&actions, output, 1)
        posix_spawn_file_actions_adddup2(&actions, errors, 2)
        if let lock { posix_spawn_file_actions_adddup2(&actions, lock, 3) }
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        // The drill may have blocked signals that the program must be able to be ended by.
        var none = sigset_t()
        sigemptyset(&none)
        posix_spawnattr_setsigmask(&attributes, &none)
        posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK))
        let arguments = command.map { strdup($0) } + [nil]
        let variables = environment.map { strdup("\($0.key)=\($0.value)") } + [nil]
        defer { for text in arguments + variables { free(text) } }
        var pid: pid_t = 0
        let code = posix_spawnp(&pid, command[0], &actions, &attributes, arguments, variables)
        guard code == 0 else { throw failure("cannot be run", code) }
        return pid
    }

    private func failure(_ what: String, _ code: Int32) -> DrillError {
        DrillError("\(command[0]) \(what): \(String(cString: strerror(code)))")
    }
}
