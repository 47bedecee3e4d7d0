import Drills
import Kernel
import Synchronization

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

/// A run while it goes on: a table that is drawn again each second on a terminal, and a line now and then elsewhere.
final class LoadView: Sendable {
    private let title: String
    private let steps: [String]
    private let whole: Duration?
    /// Lines on the terminal that are drawn over.
    private let drawn = Mutex(0)
    private static let lineInterval = 5

    init(_ title: String, steps: [String], whole: Duration?) {
        self.title = title
        self.steps = steps
        self.whole = whole
    }

    func show(_ progress: LoadProgress) {
        guard Console.isTerminal else {
            let second = Int(progress.elapsed.inSeconds.rounded())
            if second > 0, second % Self.lineInterval == 0 { Console.complain(progress.line) }
            return
        }
        let time = progress.elapsed.inSeconds.rounded()
        let elapsed = Duration.seconds(time).inWords + (whole.map { " of " + $0.inWords } ?? "")
        let lines = ["\(title)  \(elapsed)"] + progress.table(steps: steps)
        drawn.withLock { drawn in
            let up = drawn > 0 ? "\u{1B}[\(drawn)A" : ""
            Console.write(up + lines.map { $0 + "\u{1B}[K\n" }.joined() + "\u{1B}[J", to: STDERR_FILENO)
            drawn = lines.count
        }
    }

    /// The result says it all.
    func clear() {
        drawn.withLock { drawn in
            if drawn > 0 { Console.write("\u{1B}[\(drawn)A\u{1B}[J", to: STDERR_FILENO) }
            drawn = 0
        }
    }
}
