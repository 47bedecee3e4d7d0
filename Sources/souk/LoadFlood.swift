import ArgumentParser
import Drills
import Kernel
import Synchronization
import Wire

/// A flood: the most that the shop can do, many times as many visitors, and an ordinary day again.
struct LoadFlood: Sendable {
    /// Of the flood itself: arrivals are added here.
    let plan: LoadPlan
    let times: Double
    let length: Duration
    /// Where the shop's processes tell of themselves.
    let metrics: [String]

    /// Who mostly wants to buy: browsing alone is no work for a shop that has its pages in memory.
    static let journey = "browse=30,product=20,checkout=50"
    static let usual = Duration.seconds(60)
    /// Open at a time in the flood: each visitor has one of their own, as in life.
    static let connections = 5_000
    /// To learn what the shop can do, with so many visitors at a time.
    private static let learning = Duration.seconds(15)
    private static let learners = 128
    /// Attempts of each of them.
    private static let insistence = 5
    private static let afterwards = Duration.seconds(20)
    private static let share = 0.5

    /// - Parameter say: is told of each part.
    /// - Throws: `DrillError` if the shop serves nobody.
    func run(_ say: @escaping @Sendable (String) -> Void) async throws -> FloodResult {
        let memory = FloodMemory(metrics)
        say("how much the shop can do: \(Self.learners) visitors at a time for \(Self.learning.inWords)")
        var closed = plan
        closed.arrivals = .closed(visits: nil)
        closed.duration = Self.learning
        closed.connections = Self.learners
        // Who went away when refused would make room for the next at once, and the most of a shop that sells little
        // were the pages of those who never buy.
        closed.attempts = max(plan.attempts, Self.insistence)
        let capacity = try await LoadRun(closed).run { Self.tell($0, say) }
        let most = Double(capacity.visits.finished) / max(capacity.seconds, 0.001)
        guard capacity.total.good > 0, most > 0 else { throw DrillError("\(plan.target.authority) serves nobody") }
        // Of a shop at work: at its start it had hardly any.
        await memory.look(asFirst: true)
        say("flood: \(Int(most * times)) visitors a second for \(length.inWords)")
        var flooding = plan
        flooding.arrivals = .open(try Schedule(rate: most * times, for: length))
        var ordinary = plan
        ordinary.arrivals = .open(try Schedule(rate: most * Self.share, for: Self.afterwards))
        let (flood, after) = try await parts(flooding, ordinary, memory, say)
        await memory.look()
        return FloodResult(
            times: times, capacity: capacity, flood: flood, for: length.inSeconds, after: after,
            memory: memory.seen, at: SystemClock().now())
    }

    /// The ordinary day begins when the flood stops coming, whatever of it still waits.
    private func parts(
        _ flooding: LoadPlan, _ ordinary: LoadPlan, _ memory: FloodMemory, _ say: @escaping @Sendable (String) -> Void
    ) async throws -> (LoadResult, LoadResult) {
        async let flood = LoadRun(flooding).run { Self.tell($0, say) }
        async let after = {
            try await Task.sleep(for: length)
            say("afterwards: half as many visitors as the shop can serve, for \(Self.afterwards.inWords)")
            return try await LoadRun(ordinary).run { Self.tell($0, say) }
        }()
        // Ends with this scope, which cancels it.
        async let _: Void = memory.watch()
        return try await (flood, after)
    }

    private static func tell(_ progress: LoadProgress, _ say: (String) -> Void) {
        let second = Int(progress.elapsed.inSeconds.rounded())
        if second > 0, second % 5 == 0 { say("  " + progress.line) }
    }
}

/// What the shop's processes say of their memory.
private final class FloodMemory: Sendable {
    private let urls: [String]
    private let noted = Mutex<FloodResult.Memory?>(nil)

    init(_ urls: [String]) { self.urls = urls }

    var seen: FloodResult.Memory? { noted.withLock { $0 } }

    func watch() async {
        while !Task.isCancelled {
            try? await Task.sleep(for: .seconds(2))
            await look()
        }
    }

    /// Nothing is noted if one of them does not answer: the sum would be too small.
    func look(asFirst: Bool = false) async {
        let http = OutboundHTTP(connections: 1)
        var sum = 0
        for url in urls {
            let request = OutboundRequest(.get, url, timeout: .seconds(2), largestAnswer: 4 << 20)
            let answer = try? await http.send(request)
            guard let answer, answer.status == 200, let bytes = Self.resident(answer.body) else {
                try? await http.shutdown()
                return
            }
            sum += bytes
        }
        try? await http.shutdown()
        let all = sum
        noted.withLock { seen in
            if asFirst {
                seen = FloodResult.Memory(processes: urls.count, before: all)
            } else {
                seen?.note(all)
            }
        }
    }

    private static func resident(_ metrics: [UInt8]) -> Int? {
        let name = Array("process_resident_memory_bytes ".utf8)
        return metrics.split(separator: 0x0A).first { $0.starts(with: name) }
            .flatMap { Double(String(decoding: $0.dropFirst(name.count), as: UTF8.self)) }.map { Int($0) }
    }
}
