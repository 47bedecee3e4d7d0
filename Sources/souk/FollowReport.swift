import Backups
import Kernel

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

/// What `souk backup follow` tells: a line an event, or with `--json` a JSON document a line.
struct FollowReport: Sendable {
    let isJSON: Bool

    private struct Event: Encodable {
        var event: String
        var generation: String?
        var at: Timestamp?
        var until: Timestamp?
        var bytes: Int?
        /// How long nobody else could write, on files.
        var held_ms: Double?
    }

    func base(_ generation: BackupID, at time: Timestamp, bytes: Int) {
        if isJSON { return tell(Event(event: "base", generation: generation.description, at: time, bytes: bytes)) }
        Console.say("\(generation): the base is complete, \(Backup.megabytes(bytes)); it can be restored from \(time)")
    }

    func resumed(_ generation: BackupID) {
        if isJSON { return tell(Event(event: "resumed", generation: generation.description)) }
        Console.say("\(generation) goes on")
    }

    /// Once a second and more: not into a log.
    func cut(until time: Timestamp, bytes: Int, held: Duration? = nil) {
        if isJSON {
            let milliseconds = held.map { $0.inSeconds * 1_000 }
            return tell(Event(event: "cut", until: time, bytes: bytes, held_ms: milliseconds))
        }
        guard Console.isTerminal else { return }
        Console.write("\rit can be restored until \(time)  ", to: STDERR_FILENO)
    }

    func removed(_ generations: [BackupID]) {
        if isJSON { return }
        Console.say("removed: \(generations.map(\.description).joined(separator: ", "))")
    }

    func trouble(_ text: String) { Console.complain("follow: \(text)") }

    private func tell(_ event: Event) { try? Console.print(json: event) }
}
