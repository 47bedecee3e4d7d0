import Testing

@testable import Drills

@Suite("Reports say what was measured") struct ReportTests {
    @Test("percentiles are within a thousandth of the exact ones, and never above the slowest") func percentiles() {
        var latency = Latencies.empty()
        for microseconds in 1...100_000 { latency.record(UInt64(microseconds)) }
        let read = LoadResult.Percentiles(latency)
        for (value, exact) in [
            (read.p50, 50.0), (read.p90, 90), (read.p95, 95), (read.p99, 99), (read.p99_9, 99.9), (read.p99_99, 99.99),
        ] { #expect(abs(value - exact) <= exact / 1_000) }
        #expect(read.count == 100_000 && read.max >= 100 && read.max <= 100.1)
        #expect(read.p99_99 <= read.max)
    }

    @Test("tallies of loops add up to that of the run") func merging() {
        var one = Tally(steps: 1)
        var other = Tally(steps: 1)
        for index in 0..<1_000 {
            var answer = AnswerParser.Answer()
            answer.status = index % 10 == 0 ? 503 : 200
            answer.retryAfter = index % 20 == 0 ? .seconds(1) : .absent
            answer.bytes = 10
            if index < 300 {
                one.steps[0].answered(answer, microseconds: UInt64(index))
            } else {
                other.steps[0].answered(answer, microseconds: UInt64(index))
            }
        }
        other.steps[0].failed(.timeout, microseconds: 5_000_000)
        one.steps[0].failed(.reset, microseconds: 1)
        one.add(other)
        let measures = LoadResult.Measures(one.whole, seconds: 10)
        #expect(measures.requests == 1_002 && measures.rate == 100.2 && measures.bytes == 10_000)
        #expect(measures.statuses == ["200": 900, "503": 100] && measures.failures == ["timeout": 1, "reset": 1])
        #expect(measures.refused == 100 && measures.refused_without_retry_after == 50)
        // A timeout is a latency, a lost connection is none, and refusals stand apart.
        #expect(measures.latency?.count == 901 && measures.latency?.max ?? 0 >= 5_000)
        #expect(measures.refusals?.count == 100)
    }

    @Test(
        "axes hold all their values, and their marks are where they say", arguments: [0.003, 0.7, 1, 9.9, 10, 123_456])
    func axes(_ most: Double) {
        for axis in [
            Axis.linear(upTo: [0, most / 3, most]) { "\($0)" },
            Axis.logarithmic(around: [most / 500, most]) { "\($0)" },
        ] {
            #expect(axis.low <= most / 500 && axis.high >= most * 0.999_999)
            #expect((2...12).contains(axis.ticks.count))
            for tick in axis.ticks {
                #expect(tick.place > -0.001 && tick.place < 1.001)
                #expect(abs(axis.place(Double(tick.label) ?? -1) - tick.place) < 0.001)
            }
        }
    }

    @Test("each nine of the curve takes the same room") func nines() {
        #expect(abs(Axis.nines(90) - 1) < 0.001 && abs(Axis.nines(99.9) - 3) < 0.001 && Axis.nines(0) == 0)
    }

    @Test("seconds are gathered without losing a count", arguments: [1, 7, 240, 241, 1_000]) func spans(_ count: Int) {
        let series = (0..<count).map { index in
            LoadResult.Second(
                at: Double(index + 1), span: 1, arrivals: 1, requests: index, good: 1, failed: 0, refused: 2,
                dropped: 0,
                server_errors: 0, failures: ["timeout": 1], p50: Double(index), p90: nil, p99: nil, p99_9: nil, max: nil
            )
        }
        let spans = Span.group(series, into: 240)
        #expect(spans.count <= 240)
        #expect(spans.reduce(0) { $0 + $1.requests } == count * (count - 1) / 2)
        #expect(spans.reduce(0) { $0 + ($1.failures["timeout"] ?? 0) } == count)
        #expect(spans.first?.from == 0 && spans.last?.to == Double(count))
        #expect(spans.compactMap(\.p50).max() == Double(count - 1))
    }

    @Test("numbers are written as they are read") func numbers() {
        #expect(1_234_567.grouped == "1,234,567" && 999.grouped == "999")
        #expect(0.254.asTime == "0.25 ms" && 47.04.asTime == "47 ms" && 1_234.0.asTime == "1.23 s")
        #expect(Duration.seconds(90).inWords == "1m 30s" && Duration.milliseconds(2_500).inWords == "2.5 s")
    }

    @Test("what comes from outside is text in the page, never markup") func escaping() throws {
        let hostile = "http://127.0.0.1/\"><script>alert(1)</script>"
        let plan = LoadPlan(target: try Target(hostile), arrivals: .closed(visits: 1), errand: .page)
        let html = LoadPage(LoadResult(Book(plan, steps: 1), plan, steps: ["get"])).html
        #expect(!html.contains("<script") && html.contains("&lt;script&gt;"))
        #expect(html.contains("Nothing was answered.") && html.hasSuffix("</html>\n"))
    }
}
