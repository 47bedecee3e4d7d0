import Kernel
import Testing

@testable import Drills

@Suite("Arrivals keep to their schedule") struct ScheduleTests {
    private func moments(_ schedule: Schedule, lanes: Int = 1) -> [(number: Int, nanoseconds: Int64)] {
        var all: [(number: Int, nanoseconds: Int64)] = []
        for lane in 0..<lanes {
            var cursor = Schedule.Cursor(schedule, first: lane, stride: lanes)
            while let next = cursor.next() { all.append(next) }
        }
        return all.sorted { $0.number < $1.number }
    }

    @Test("a constant rate is evenly spaced, from the first moment") func constant() throws {
        let schedule = try Schedule(rate: 100, for: .seconds(8))
        let all = moments(schedule)
        #expect(all.count == 800 && schedule.arrivals == 800)
        for (index, arrival) in all.enumerated() {
            #expect(arrival.number == index && abs(arrival.nanoseconds - Int64(index) * 10_000_000) <= 1)
        }
    }

    @Test("a ramp brings the area below it") func ramp() throws {
        let schedule = try Schedule(stages: ["10s:100"], from: 0)
        let all = moments(schedule)
        #expect(all.count == 500)
        // Half the time brings a quarter of the visitors.
        #expect(all.filter { $0.nanoseconds < 5_000_000_000 }.count == 125)
    }

    @Test("whatever the pieces: in order, none lost, none twice, however many lanes", arguments: 0..<50)
    func anyPieces(_ seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        let pieces = (0..<Int.random(in: 1...6, using: &random)).map { _ in
            Schedule.Piece(
                seconds: .random(in: 0.1...3, using: &random), from: .random(in: 0...200, using: &random),
                to: .random(in: 0...200, using: &random))
        }
        let schedule = try Schedule(pieces)
        let all = moments(schedule)
        let due = pieces.reduce(0) { $0 + $1.arrivals }
        #expect(Double(all.count) >= due.rounded(.down) && Double(all.count) <= due.rounded(.up))
        #expect(all.map(\.number) == Array(0..<all.count))
        for (earlier, later) in zip(all, all.dropFirst()) { #expect(earlier.nanoseconds <= later.nanoseconds) }
        #expect(all.allSatisfy { $0.nanoseconds >= 0 && Double($0.nanoseconds) <= schedule.seconds * 1e9 + 1 })
        let shared = moments(schedule, lanes: Int.random(in: 2...5, using: &random))
        #expect(shared.map(\.number) == all.map(\.number))
        #expect(shared.map(\.nanoseconds) == all.map(\.nanoseconds))
    }

    @Test("a trace keeps its counts, scaled, in minutes that pass faster") func trace() throws {
        let schedule = try Schedule(minutes: [60, 0, 30], scale: 2, speed: 60)
        #expect(schedule.arrivals == 180 && abs(schedule.seconds - 3) < 1e-9)
        let all = moments(schedule)
        #expect(all.filter { $0.nanoseconds < 1_000_000_000 }.count == 120)
        #expect(all.filter { $0.nanoseconds >= 2_000_000_000 }.count == 60)
    }

    @Test("cut off in the middle of a ramp") func prefix() throws {
        let schedule = try Schedule(stages: ["10s:100", "10s:100"], from: 0).prefix(.seconds(5))
        #expect(abs(schedule.seconds - 5) < 1e-9 && schedule.arrivals == 125)
    }

    @Test(
        "a stage that cannot be is named",
        arguments: [
            ["30s"], ["30s:"], ["30s:-1"], ["0s:5"], ["30:5"], ["x:5"], ["30s:5:5"], ["1s:2000000"], ["5s:0"], [],
        ])
    func wrong(_ stages: [String]) {
        #expect(throws: DrillError.self) { try Schedule(stages: stages, from: 0) }
    }
}

@Suite("Times are read as they are written") struct SpanTests {
    @Test(arguments: [
        ("250us", 250), ("500ms", 500_000), ("1.5s", 1_500_000), ("10m", 600_000_000), ("2h", 7_200_000_000),
    ])
    func read(_ text: String, _ microseconds: Int64) throws {
        #expect(try Duration(span: text, of: "it").microseconds == microseconds)
    }

    @Test(arguments: ["", "5", "s", "-1s", "1e3s", "1.2.3s", "1 s", "infs", "nans", "800h", "5d"])
    func refuse(_ text: String) {
        let error = #expect(throws: DrillError.self) { try Duration(span: text, of: "--duration") }
        #expect(error?.description.contains("--duration is '\(text)'") == true)
    }
}
