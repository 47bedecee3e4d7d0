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
        let child = try spawn(
            command, environment: environment, output: pipes[0][1], errors: pipes[1][1], lock: lock)
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
        return [
            "status": .integer(Int64(exitCode(status))),
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

    private func failure(_ what: String, _ code: Int32) -> DrillError {
        DrillError("\(command[0]) \(what): \(String(cString: strerror(code)))")
    }
}
