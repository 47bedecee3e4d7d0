import Testing

@testable import Drills

@Suite("Thresholds say what must hold") struct ThresholdTests {
    static let steps = ["browse", "checkout"]

    /// Browse: 1,000 answers of 1 to 1,000 ms. Checkout: 8 good, 1 refused without a word, 1 server error.
    private var tally: Tally {
        var tally = Tally(steps: 2)
        for millisecond in 1...1_000 {
            tally.steps[0].answered(.init(status: 200), microseconds: UInt64(millisecond) * 1_000)
            tally.steps[0].good += 1
        }
        for status in [201, 201, 201, 201, 201, 201, 201, 201, 503, 500] {
            tally.steps[1].answered(.init(status: status), microseconds: 2_000)
            if status == 201 { tally.steps[1].good += 1 } else { tally.steps[1].bad += 1 }
        }
        tally.visits.begun = 1_010
        tally.visits.dropped = 101
        return tally
    }

    @Test(
        "measured",
        arguments: [
            ("p50<501ms", true), ("p50<400ms", false), ("browse.p99<=991ms", true), ("browse.p99 < 0.9s", false),
            ("checkout.p99.9<5ms", true), ("max<=1001ms", true), ("mean>1ms", true), ("errors<0.2%", true),
            ("errors<0.1%", false), ("checkout.errors<=20%", true), ("errors<=2", true), ("http_5xx==2", true),
            ("http_5xx==0", false), ("browse.http_5xx==0", true), ("http_503<=1", true), ("checkout.http_201>=8", true),
            ("refused_without_retry_after==0", false), ("browse.refused==0", true), ("dropped<=10%", true),
            ("dropped==0", false), ("timeout==0", true), ("goodput>=100", true), ("goodput>=101/s", false),
            ("checkout.rate>=1", true), ("retries==0", true),
        ])
    func measured(_ text: String, _ holds: Bool) throws {
        let threshold = try Threshold(text, steps: Self.steps)
        #expect(threshold.holds(threshold.value(in: tally, Self.steps, seconds: 10)) == holds)
    }

    @Test("nothing measured keeps nothing") func nothing() throws {
        let threshold = try Threshold("p99<500ms", steps: Self.steps)
        #expect(!threshold.holds(threshold.value(in: Tally(steps: 2), Self.steps, seconds: 1)))
    }

    @Test("a count that only grows is crossed for good at once, a percentile after ten seconds, a goal never")
    func forGood() throws {
        let count = try Threshold("http_5xx==0", steps: Self.steps)
        #expect(count.isCrossedForGood(1, for: 1) && !count.isCrossedForGood(0, for: 0))
        let percentile = try Threshold("p99<500ms", steps: Self.steps)
        #expect(!percentile.isCrossedForGood(600, for: 9) && percentile.isCrossedForGood(600, for: 10))
        let goal = try Threshold("goodput>=100", steps: Self.steps)
        #expect(!goal.isCrossedForGood(1, for: 1_000))
        let exact = try Threshold("http_200==100", steps: Self.steps)
        #expect(!exact.isCrossedForGood(99, for: 100) && exact.isCrossedForGood(101, for: 1))
    }

    @Test(
        "what cannot be read is named, with what was expected",
        arguments: [
            ("p99", "compares nothing"), ("p99<500", "expected a time"), ("p101<5ms", "expected p50"),
            ("errors<a", "expected a number"), ("cart.p99<5ms", "browse."), ("latency<5ms", "goodput"),
            ("checkout.dropped==0", "whole visits"), ("goodput>=x", "a second"), ("http_999==0", "http_NNN"),
        ])
    func wrong(_ text: String, _ expected: String) {
        let error = #expect(throws: DrillError.self) { try Threshold(text, steps: Self.steps) }
        #expect(error?.description.contains(expected) == true, "\(error?.description ?? "")")
    }
}

extension AnswerParser.Answer {
    fileprivate init(status: Int) {
        self.init()
        self.status = status
    }
}
