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

/// What commands say: results on standard output, progress and complaints on standard error.
enum Console {
    static func say(_ text: String) { write(text + "\n", to: STDOUT_FILENO) }
    static func complain(_ text: String) { write(text + "\n", to: STDERR_FILENO) }
    static var isTerminal: Bool { isatty(STDERR_FILENO) == 1 }

    /// The value as one JSON document on standard output.
    static func print<T: Encodable>(json value: T) throws {
        write(String(decoding: try JSON.encode(value), as: UTF8.self) + "\n", to: STDOUT_FILENO)
    }

    static func write(_ text: String, to descriptor: Int32) {
        var bytes = Array(text.utf8)[...]
        while !bytes.isEmpty {
            let written = bytes.withUnsafeBytes { systemWrite(descriptor, $0.baseAddress, $0.count) }
            guard written > 0 else { return }
            bytes = bytes.dropFirst(written)
        }
    }

    private static func systemWrite(_ descriptor: Int32, _ bytes: UnsafeRawPointer?, _ count: Int) -> Int {
        #if canImport(Glibc)
        Glibc.write(descriptor, bytes, count)
        #elseif canImport(Musl)
        Musl.write(descriptor, bytes, count)
        #else
        Darwin.write(descriptor, bytes, count)
        #endif
    }
}

/// A bar on a terminal, nothing elsewhere.
final class Progress: Sendable {
    private struct State {
        var done = 0
        var drawn = ContinuousClock.now - .seconds(1)
    }
    private let title: String
    private let total: Int?
    private let began = ContinuousClock.now
    private let state = Mutex(State())

    init(_ title: String, total: Int? = nil) {
        self.title = title
        self.total = total
    }

    func advance(by count: Int = 1) {
        let done: Int? = state.withLock { state in
            state.done += count
            guard Console.isTerminal, ContinuousClock.now - state.drawn > .milliseconds(100) else { return nil }
            state.drawn = .now
            return state.done
        }
        if let done { Console.write("\r" + line(done), to: STDERR_FILENO) }
    }

    func finish() {
        guard Console.isTerminal else { return }
        Console.write("\r" + line(state.withLock { $0.done }) + "\n", to: STDERR_FILENO)
    }

    private func line(_ done: Int) -> String {
        let seconds = max((ContinuousClock.now - began).inSeconds, 0.001)
        let rate = Int(Double(done) / seconds)
        guard let total, total > 0 else { return "\(title): \(done) (\(rate)/s)  " }
        let filled = min(30, done * 30 / total)
        let bar = String(repeating: "█", count: filled) + String(repeating: "·", count: 30 - filled)
        return "\(title) \(bar) \(done)/\(total) (\(rate)/s)  "
    }
}
