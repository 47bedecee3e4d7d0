import Kernel
import Testing

@testable import Drills

@Suite("What shoppers felt of a fault") struct ImpactTests {
    /// Twenty seconds before, and what comes then.
    static func seconds(_ then: [(good: Int, p99: Double, failed: Int, resets: Int)]) -> [LoadResult.Second] {
        let before = [(good: Int, p99: Double, failed: Int, resets: Int)](
            repeating: (good: 100, p99: 30, failed: 0, resets: 0), count: 20)
        return (before + then).enumerated().map { index, second in
            LoadResult.Second(
                at: Double(index + 1), span: 1, arrivals: 50, requests: second.good + second.failed + second.resets,
                good: second.good, failed: second.failed, refused: 0, dropped: 0, server_errors: 0,
                failures: second.resets > 0 ? ["reset": second.resets] : [:], p50: 1, p90: 2, p99: second.p99,
                p99_9: nil, max: nil)
        }
    }

    static let well = (good: 100, p99: 30.0, failed: 0, resets: 0)
    static let down = (good: 10, p99: 40.0, failed: 0, resets: 40)
    static let slow = (good: 100, p99: 4_000.0, failed: 0, resets: 0)

    static func impact(
        _ then: [(good: Int, p99: Double, failed: Int, resets: Int)], ended: Double = 20.5,
        _ change: (inout Expectations) -> Void = { _ in }
    ) throws -> Impact {
        var expected = Expectations()
        expected.steadyAgain = .atOnce
        change(&expected)
        let series = seconds(then)
        return try Impact(
            series, fault: Impact.Fault(began: 20.5, ended: ended), until: Double(series.count), expecting: expected)
    }

    @Test("nobody felt anything: it held, and did not bite") func nothing() throws {
        let impact = try Self.impact([Self.well, Self.well, Self.well])
        #expect(impact.recovered_after_seconds == 0 && impact.unmet.isEmpty)
        #expect(!impact.bit && impact.felt.isEmpty)
        #expect(impact.steady.goodput_before == 100 && impact.steady.goodput_at_least == 90)
    }

    @Test("attempts that failed and were made again are felt, and no error") func bite() throws {
        let impact = try Self.impact([(100, 30, 0, 12), Self.well, Self.well])
        #expect(impact.felt == ["reset × 12"] && impact.bit)
        #expect(impact.error_rate == 0 && impact.unmet.isEmpty)
    }

    @Test("it is steady again after the last second that was not") func recovery() throws {
        let down = Self.down
        // The fault is in the 21st second; the 24th is the last that is down.
        let impact = try Self.impact([down, Self.well, down, down, Self.well, Self.well])
        #expect(impact.recovered_after_seconds == 3.5 && impact.unmet.isEmpty)
        #expect(impact.felt.contains("good answers fell from 100 to 10 a second"))
    }

    @Test("a latency that nobody promised is not steady") func latency() throws {
        let impact = try Self.impact([Self.slow, Self.slow, Self.well])
        #expect(impact.recovered_after_seconds == 1.5)
        #expect(impact.felt == ["p99 rose from 30 ms to 4 s"])
    }

    @Test("too late is too late, and never is worse") func tooLate() throws {
        let late = try Self.impact(
            [(good: Int, p99: Double, failed: Int, resets: Int)](
                repeating: Self.down, count: 12) + [Self.well])
        #expect(late.recovered_after_seconds == 11.5 && late.unmet == ["steady again after 11.5 s, allowed 10 s"])
        let never = try Self.impact([Self.down, Self.down])
        #expect(never.recovered_after_seconds == nil)
        #expect(never.unmet == ["not steady again when it was last looked at"])
    }

    @Test("a fault that lasts: the shop has to get along with it, or may wait for its end") func lasting() throws {
        let down = [Self.down, Self.down]
        let seconds = down + [Self.well, Self.well, Self.well, Self.well] + down + [Self.well, Self.well]
        let meanwhile = try Self.impact(seconds, ended: 26) { $0.steadyAgain = .meanwhile }
        // One and a half seconds after its beginning, and two after its end: the longer counts.
        #expect(meanwhile.recovered_after_seconds == 2)
        let afterwards = try Self.impact(down + down + [Self.well, Self.well], ended: 23.5) {
            $0.steadyAgain = .afterwards
        }
        #expect(afterwards.recovered_after_seconds == 0.5)
    }

    @Test("what fails for good counts, and more of it where the experiment says so") func errors() throws {
        let failing = [(good: 50, p99: 30.0, failed: 50, resets: 0), Self.well, Self.well]
        let strict = try Self.impact(failing)
        #expect(abs(strict.error_rate - 50.0 / 2_300) < 1e-6)
        #expect(strict.unmet == ["2.174 % of shoppers' steps failed, allowed 0.1 %"])
        let excused = try Self.impact(failing) { $0.errorsMeanwhile = 0.5 }
        #expect(excused.unmet.isEmpty && excused.error_rate_otherwise == 0)
        let tooMuch = try Self.impact(failing) { $0.errorsMeanwhile = 0.1 }
        #expect(tooMuch.unmet == ["16.667 % of shoppers' steps failed meanwhile, allowed 10 %"])
    }

    @Test("in a shop of few visitors, as good as the worst second before is steady") func noise() throws {
        var series = Self.seconds([Self.well, (good: 80, p99: 30, failed: 0, resets: 0), Self.well])
        series[7].good = 75
        let impact = try Impact(
            series, fault: Impact.Fault(began: 20.5, ended: 20.5), until: 23, expecting: Expectations())
        #expect(impact.steady.goodput_at_least == 75 && impact.recovered_after_seconds == 0)
    }

    @Test("without seconds before the fault there is nothing to compare with") func tooEarly() {
        #expect(throws: DrillError.self) {
            try Impact(
                Self.seconds([Self.well]), fault: Impact.Fault(began: 4.5, ended: 5), until: 21,
                expecting: Expectations())
        }
    }
}
