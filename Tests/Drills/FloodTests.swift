import Kernel
import Testing

@testable import Drills

@Suite("What a flood found is judged") struct FloodTests {
    static func result(
        _ seconds: [(good: Int, refused: Int, p99: Double)], checkouts: Double, p99: Double, unannounced: Int = 0
    ) throws -> LoadResult {
        let plan = LoadPlan(target: try Target("http://127.0.0.1/"), arrivals: .closed(visits: 1), errand: .page)
        var result = LoadResult(Book(plan, steps: 1), plan, steps: ["get"])
        result.series = seconds.enumerated().map { index, second in
            LoadResult.Second(
                at: Double(index + 1), span: 1, arrivals: 10, requests: second.good + second.refused, good: second.good,
                failed: second.refused, refused: second.refused, dropped: 0, server_errors: 0, failures: [:], p50: 1,
                p90: 2, p99: second.p99, p99_9: nil, max: nil)
        }
        result.seconds = Double(seconds.count)
        result.total.good = seconds.reduce(0) { $0 + $1.good }
        result.total.goodput = Double(result.total.good) / Double(max(1, seconds.count))
        result.total.refused_without_retry_after = unannounced
        var measures = LoadResult.Measures()
        measures.statuses = ["201": Int(checkouts * result.seconds), "409": 1_000_000]
        measures.latency = LoadResult.Percentiles(
            count: 1, min: 1, mean: 1, p50: 1, p90: 1, p95: 1, p99: p99, p99_9: p99, p99_99: p99, max: p99)
        result.steps = [LoadResult.Step(step: "checkout", measures: measures)]
        return result
    }

    static func flood(
        good: Int = 1_000, checkouts: Double = 90, p99: Double = 300, unannounced: Int = 0,
        after: [(good: Int, refused: Int, p99: Double)]
    ) throws -> FloodResult {
        let capacity = try result(.init(repeating: (1_000, 0, 50), count: 10), checkouts: 100, p99: 50)
        // What waited at its end is served later, and is no answer of the flood's own time.
        let flood = try result(
            .init(repeating: (good, 4_000, 400), count: 30) + [(5_000, 0, 900)], checkouts: checkouts, p99: p99,
            unannounced: unannounced)
        return FloodResult(
            times: 5, capacity: capacity, flood: flood, for: 30,
            after: try result(after, checkouts: 50, p99: 20), memory: nil, at: Timestamp(seconds: 0))
    }

    static let calm = [(good: Int, refused: Int, p99: Double)](repeating: (500, 2, 30), count: 16)

    @Test("a shop that goes on as before passes") func passes() throws {
        let result = try Self.flood(after: Self.calm)
        #expect(result.goodput_ratio == 1 && result.orders_ratio == 0.9 && result.checkout_p99 == 300)
        #expect(result.back_after_seconds == 0 && result.passed && result.thresholds.count == 5)
        #expect(result.summary.contains("ok   goodput"))
    }

    @Test("each promise that is broken is found") func broken() throws {
        let calm = Self.calm
        func failed(_ result: FloodResult) -> [String] {
            result.thresholds.filter { !$0.passed }.map { String($0.threshold.prefix(13)) }
        }
        #expect(try failed(Self.flood(good: 899, after: calm)) == ["goodput ≥ 0.9"])
        #expect(try failed(Self.flood(checkouts: 89, after: calm)) == ["orders ≥ 0.9 "])
        #expect(try failed(Self.flood(p99: 501, after: calm)) == ["checkout p99 "])
        #expect(try failed(Self.flood(unannounced: 1, after: calm)) == ["refused witho"])
        let late = [(good: Int, refused: Int, p99: Double)](repeating: (500, 100, 30), count: 6) + calm
        let result = try Self.flood(after: late)
        #expect(result.back_after_seconds == 6 && failed(result) == ["normal again "])
    }

    @Test("slow, empty and refusing seconds are not normal", arguments: [(500, 0, 501.0), (370, 0, 30), (500, 50, 30)])
    func abnormal(_ good: Int, _ refused: Int, _ p99: Double) throws {
        let result = try Self.flood(after: Self.calm.prefix(2) + [(good, refused, p99)] + Self.calm)
        #expect(result.back_after_seconds == 3)
        let never = try Self.flood(after: Self.calm + [(good, refused, p99)])
        #expect(never.back_after_seconds == nil && !never.passed)
    }

    @Test("memory is remembered at its highest") func memory() {
        var memory = FloodResult.Memory(processes: 2, before: 100)
        for bytes in [300, 200] { memory.note(bytes) }
        #expect(memory.peak == 300 && memory.after == 200)
    }
}
