#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

/// Where lines go: each with one `write(2)`, so that lines of several threads or processes never mix.
public struct LogWriter: Sendable {
    private let descriptor: Int32
    private let sink: (@Sendable ([UInt8]) -> Void)?

    public static let standardError = LogWriter(descriptor: 2)
    public static let standardOutput = LogWriter(descriptor: 1)

    public init(descriptor: Int32) {
        self.descriptor = descriptor
        sink = nil
    }

    /// For tests: gets each line.
    public init(sink: @escaping @Sendable ([UInt8]) -> Void) {
        descriptor = -1
        self.sink = sink
    }

    var isTerminal: Bool { descriptor >= 0 && isatty(descriptor) == 1 }

    /// A line that cannot be written is lost: logging never stops the shop.
    func write(_ line: [UInt8]) {
        if let sink { return sink(line) }
        line.withUnsafeBytes { bytes in
            var rest = bytes[...]
            while !rest.isEmpty {
                let count = Self.write(descriptor, UnsafeRawBufferPointer(rebasing: rest))
                if count > 0 {
                    rest = rest.dropFirst(count)
                } else if errno == EAGAIN {
                    var poll = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
                    if Self.wait(&poll) <= 0 { return }
                } else if errno != EINTR {
                    return
                }
            }
        }
    }

    private static func write(_ descriptor: Int32, _ bytes: UnsafeRawBufferPointer) -> Int {
        #if canImport(Glibc)
        Glibc.write(descriptor, bytes.baseAddress, bytes.count)
        #elseif canImport(Musl)
        Musl.write(descriptor, bytes.baseAddress, bytes.count)
        #else
        Darwin.write(descriptor, bytes.baseAddress, bytes.count)
        #endif
    }

    /// A pipe made non-blocking by somebody else: at most a tenth of a second for its reader.
    private static func wait(_ entry: inout pollfd) -> Int32 { poll(&entry, 1, 100) }
}
