import Foundation
import Metrics
import Telemetry
import Testing

struct PrometheusTests {
    private let prometheus = Prometheus()

    private func lines(_ prefix: String) -> [String] {
        prometheus.exposition().split(separator: "\n").map(String.init).filter { $0.hasPrefix(prefix) }
    }

    @Test func countersCountAndEndInTotal() {
        let counter = prometheus.makeCounter(label: "souk_orders", dimensions: [("status", "ok"), ("a", "b")])
        counter.increment(by: 2)
        counter.increment(by: -1)
        // The same labels in another order are the same series.
        prometheus.makeCounter(label: "souk_orders_total", dimensions: [("a", "b"), ("status", "ok")]).increment(by: 3)
        prometheus.makeFloatingPointCounter(label: "souk.revenue", dimensions: []).increment(by: 0.5)
        #expect(lines("souk_orders") == [#"souk_orders_total{a="b",status="ok"} 5"#])
        #expect(lines("souk_revenue") == ["souk_revenue_total 0.5"])
        #expect(lines("# TYPE souk_orders") == ["# TYPE souk_orders_total counter"])
    }

    @Test func gaugesAreSetAndMoved() {
        let meter = prometheus.makeMeter(label: "souk_depth", dimensions: [])
        meter.set(Int64(4))
        meter.increment(by: 2.5)
        meter.decrement(by: 1)
        prometheus.makeRecorder(label: "souk_age", dimensions: [], aggregate: false).record(Int64(7))
        #expect(lines("souk_depth") == ["souk_depth 5.5"])
        #expect(lines("souk_age") == ["souk_age 7"])
    }

    @Test func timersAreHistogramsInSeconds() {
        let timer = prometheus.makeTimer(label: "souk_request", dimensions: [("route", "/")])
        for nanoseconds: Int64 in [10_000, 10_001, 1_000_000_000, 20_000_000_000, -5] {
            timer.recordNanoseconds(nanoseconds)
        }
        let found = lines("souk_request_seconds")
        #expect(found.first == #"souk_request_seconds_bucket{route="/",le="1e-05"} 2"#)
        #expect(found.contains(#"souk_request_seconds_bucket{route="/",le="2.5e-05"} 3"#))
        #expect(found.contains(#"souk_request_seconds_bucket{route="/",le="0.5"} 3"#))
        #expect(found.contains(#"souk_request_seconds_bucket{route="/",le="1"} 4"#))
        #expect(found.contains(#"souk_request_seconds_bucket{route="/",le="10"} 4"#))
        #expect(found.contains(#"souk_request_seconds_bucket{route="/",le="+Inf"} 5"#))
        #expect(found.last == #"souk_request_seconds_count{route="/"} 5"#)
        #expect(found.dropLast().last == #"souk_request_seconds_sum{route="/"} 21.000020001"#)
    }

    @Test func sizesFallIntoPowersOfTwo() {
        let recorder = prometheus.makeRecorder(label: "souk_batch_size", dimensions: [], aggregate: true)
        for value: Int64 in [1, 2, 3, 4, 5, 512, 100_000] { recorder.record(value) }
        let found = lines("souk_batch_size_bucket")
        #expect(found.prefix(4).map { $0.split(separator: " ").last } == ["1", "2", "4", "5"])
        #expect(found.contains(#"souk_batch_size_bucket{le="512"} 6"#))
        #expect(lines("souk_batch_size_sum") == ["souk_batch_size_sum 100527"])
    }

    @Test func namesAndLabelsAreMadeValidAndValuesAreEscaped() {
        prometheus.makeMeter(label: "9.souk-depth é", dimensions: [("le", "x"), ("a.b", "\"\\\n")]).set(Int64(1))
        #expect(lines("_9") == [#"_9_souk_depth___{a_b="\"\\\n",label_le="x"} 1"#])
        prometheus.describe("souk_x", "One\\two\nthree")
        prometheus.makeMeter(label: "souk_x", dimensions: []).set(Int64(1))
        #expect(lines("# HELP souk_x") == [#"# HELP souk_x One\\two\nthree"#])
    }

    @Test func aNameOfAnotherKindOrWithTooManySeriesIsRefusedNotFatal() {
        prometheus.makeMeter(label: "souk_x_total", dimensions: []).set(Int64(1))
        prometheus.makeCounter(label: "souk_x", dimensions: []).increment(by: 9)
        for number in 0..<(Prometheus.maxSeries + 5) {
            prometheus.makeCounter(label: "souk_y", dimensions: [("n", "\(number)")]).increment(by: 1)
        }
        #expect(lines("souk_x_total") == ["souk_x_total 1"])
        #expect(lines("souk_y_total").count == Prometheus.maxSeries)
        #expect(lines("souk_metrics_refused_total") == ["souk_metrics_refused_total 6"])
    }

    @Test func aDestroyedInstrumentIsForgotten() {
        let counter = prometheus.makeCounter(label: "souk_z", dimensions: [])
        prometheus.destroyCounter(counter)
        #expect(lines("souk_z").isEmpty && lines("# TYPE souk_z").isEmpty)
    }

    @Test func threadsLoseNoCount() async {
        let counter = prometheus.makeCounter(label: "souk_n", dimensions: [])
        let sum = prometheus.makeFloatingPointCounter(label: "souk_f", dimensions: [])
        let timer = prometheus.makeTimer(label: "souk_t", dimensions: [])
        await withTaskGroup(of: Void.self) { group in
            for _ in 0..<8 {
                group.addTask {
                    for index in 0..<2_000 {
                        counter.increment(by: 1)
                        sum.increment(by: 0.5)
                        timer.recordNanoseconds(Int64(index * 1_000_000))
                    }
                }
            }
        }
        #expect(lines("souk_n_total") == ["souk_n_total 16000"])
        #expect(lines("souk_f_total") == ["souk_f_total 8000"])
        #expect(lines("souk_t_seconds_count") == ["souk_t_seconds_count 16000"])
    }

    @Test(.enabled(if: FileManager.default.isExecutableFile(atPath: "/usr/bin/promtool")))
    func promtoolFindsNothingWrong() throws {
        prometheus.makeCounter(label: "souk_orders", dimensions: [("status", "a\"b\\c\nd")]).increment(by: 1)
        prometheus.makeTimer(label: "souk_http_request_duration_seconds", dimensions: []).recordNanoseconds(1)
        prometheus.makeRecorder(label: "souk_batch_size", dimensions: [], aggregate: true).record(Int64(3))
        prometheus.makeMeter(label: "souk_outbox_lag", dimensions: [("consumer", "mail")]).set(3.5)
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/promtool")
        process.arguments = ["check", "metrics"]
        let (input, output) = (Pipe(), Pipe())
        process.standardInput = input
        process.standardOutput = output
        process.standardError = output
        try process.run()
        input.fileHandleForWriting.write(Data(prometheus.exposition().utf8))
        input.fileHandleForWriting.closeFile()
        let said = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        process.waitUntilExit()
        #expect(process.terminationStatus == 0, "\(said)")
        #expect(said.isEmpty)
    }

    @Test func theProcessTellsOfItself() {
        #if os(Linux)
        for name in [
            "process_resident_memory_bytes", "process_cpu_seconds_total", "process_start_time_seconds",
            "process_open_fds", "process_max_fds",
        ] {
            let value = lines(name).first?.split(separator: " ").last.flatMap { Double($0) }
            #expect((value ?? 0) > 0, "\(name)")
        }
        #endif
    }
}
