import Foundation
import Kernel
import Testing

@Suite("Time is UTC and RFC 3339") struct TimestampTests {
    @Test(
        "a moment is read to the microsecond, whatever its offset",
        arguments: [
            ("1970-01-01T00:00:00Z", 0), ("1970-01-01T00:00:00.000001Z", 1), ("1969-12-31T23:59:59.999999Z", -1),
            ("2026-01-01T00:00:00Z", 1_767_225_600_000_000), ("2026-01-01t00:00:00z", 1_767_225_600_000_000),
            ("2026-01-01 00:00:00Z", 1_767_225_600_000_000),
            ("2026-01-01T01:00:00+01:00", 1_767_225_600_000_000), ("2025-12-31T23:30:00-00:30", 1_767_225_600_000_000),
            ("2026-01-01T00:00:00-00:00", 1_767_225_600_000_000), ("2026-01-01T14:00:00+14:00", 1_767_225_600_000_000),
            // RFC 3339, 5.8.
            ("1985-04-12T23:20:50.52Z", 482_196_050_520_000), ("1996-12-19T16:39:57-08:00", 851_042_397_000_000),
            ("1937-01-01T12:00:27.87+00:20", -1_041_337_172_130_000),
            ("2026-01-01T00:00:00.123456789Z", 1_767_225_600_123_456),
            ("2026-01-01T00:00:00.1Z", 1_767_225_600_100_000),
            ("2000-02-29T00:00:00Z", 951_782_400_000_000), ("2024-02-29T23:59:59Z", 1_709_251_199_000_000),
            ("0000-01-01T00:00:00Z", -62_167_219_200_000_000), ("9999-12-31T23:59:59.999999Z", 253_402_300_799_999_999),
        ] as [(String, Int64)])
    func reads(_ text: String, _ microseconds: Int64) {
        #expect(Timestamp(rfc3339: text)?.microseconds == microseconds)
    }

    static let refused = [
        "", "2026-01-01", "2026-01-01T00:00:00", "2026-01-01T00:00Z", "2026-1-01T00:00:00Z", "26-01-01T00:00:00Z",
        "2026-00-01T00:00:00Z", "2026-13-01T00:00:00Z", "2026-01-00T00:00:00Z", "2026-01-32T00:00:00Z",
        "2026-04-31T00:00:00Z", "2026-02-29T00:00:00Z", "1900-02-29T00:00:00Z", "2100-02-29T00:00:00Z",
        "2026-01-01T24:00:00Z", "2026-01-01T00:60:00Z", "1990-12-31T23:59:60Z", "2026-01-01T00:00:00.Z",
        "2026-01-01T00:00:00.1234567890Z", "2026-01-01T00:00:00,5Z", "2026-01-01T00:00:00+1:00",
        "2026-01-01T00:00:00+0100", "2026-01-01T00:00:00+24:00", "2026-01-01T00:00:00+01:60", "2026-01-01T00:00:00Zx",
        " 2026-01-01T00:00:00Z", "2026-01-01T00:00:00Z ", "2026-01-01T00:00:00Z\n", "２026-01-01T00:00:00Z",
        "-026-01-01T00:00:00Z", "0000-01-01T00:00:00+00:01", "9999-12-31T23:59:59-00:01", "yesterday", "1767225600",
    ]

    @Test("what is not a moment is refused", arguments: refused) func refuses(_ text: String) {
        #expect(Timestamp(rfc3339: text) == nil)
        #expect(throws: (any Error).self) { try JSON.string(text).decode(Timestamp.self) }
        #expect(!Schema.time.violations(in: .string(text)).isEmpty)
    }

    @Test("a fraction is written only where there is one") func writes() {
        #expect(Timestamp(seconds: 1_767_225_600).rfc3339 == "2026-01-01T00:00:00Z")
        #expect(Timestamp(microseconds: 1_767_225_600_120_000).rfc3339 == "2026-01-01T00:00:00.120000Z")
        #expect(Timestamp(microseconds: -1).rfc3339 == "1969-12-31T23:59:59.999999Z")
        #expect(Timestamp(year: 33, month: 4, day: 3).rfc3339 == "0033-04-03T00:00:00Z")
    }

    @Test("what is written is read back, over all years that have four digits") func roundTrip() throws {
        var random = SeededGenerator(seed: 7)
        for _ in 0..<5_000 {
            let range: ClosedRange<Int64> = -62_167_219_200_000_000...253_402_300_799_999_999
            let time = Timestamp(microseconds: Int64.random(in: range, using: &random))
            #expect(Timestamp(rfc3339: time.rfc3339) == time)
            #expect(try JSON(encoding: time).decode(Timestamp.self) == time)
        }
    }

    @Test("every day from 1890 to 2110 follows the one before, and the calendar agrees") func everyDay() {
        let lengths = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]
        var day = Timestamp(year: 1890, month: 1, day: 1)
        for year in 1890...2110 {
            let isLeap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
            for month in 1...12 {
                for date in 1...(lengths[month - 1] + (isLeap && month == 2 ? 1 : 0)) {
                    let made = Timestamp(year: year, month: month, day: date)
                    let civil = day.civil
                    #expect(made == day && civil.year == year && civil.month == month && civil.day == date)
                    day = day + .seconds(86_400)
                }
            }
        }
        #expect(Timestamp(year: 1970, month: 1, day: 1).microseconds == 0)
    }

    @Test("the calendar is Foundation's, at random moments") func asFoundation() throws {
        var calendar = Calendar(identifier: .gregorian)
        calendar.timeZone = try #require(TimeZone(secondsFromGMT: 0))
        var random = SeededGenerator(seed: 8)
        for _ in 0..<2_000 {
            // From 1600 on: Foundation's calendar is Julian before 1582.
            let seconds = Int64.random(in: -11_676_096_000...253_402_300_799, using: &random)
            let parts = calendar.dateComponents(
                [.year, .month, .day, .hour, .minute, .second], from: Date(timeIntervalSince1970: Double(seconds)))
            let civil = Timestamp(seconds: seconds).civil
            #expect(
                [civil.year, civil.month, civil.day, civil.hour, civil.minute, civil.second]
                    == [parts.year, parts.month, parts.day, parts.hour, parts.minute, parts.second])
        }
    }

    @Test("adding and taking away durations are exact") func arithmetic() {
        let time = Timestamp(microseconds: 1_000_000)
        #expect(time + .milliseconds(1_500) - .milliseconds(500) == Timestamp(seconds: 2))
        #expect(Timestamp(seconds: 3) - time == .seconds(2))
        #expect(time - .microseconds(1_000_001) == Timestamp(microseconds: -1))
        #expect(Timestamp(microseconds: -1).seconds == -1)
        #expect(Duration.milliseconds(1_500).inSeconds == 1.5)
    }
}

@Suite("A manual clock stands still until it is moved") struct ManualClockTests {
    @Test("it says what it was told") func stands() {
        let clock = ManualClock(Timestamp(seconds: 10))
        #expect(clock.now() == Timestamp(seconds: 10))
        clock.advance(by: .seconds(5))
        #expect(clock.now() == Timestamp(seconds: 15))
    }

    @MainActor @Test("sleepers wake in the order of their deadlines, then of falling asleep")
    func order() async throws {
        let clock = ManualClock()
        var woken: [String] = []
        let sleepers = [("c", 3), ("a1", 1), ("b", 2), ("a2", 1), ("never", 100)].map { name, seconds in
            Task { @MainActor in
                try await clock.sleep(for: .seconds(seconds))
                woken.append(name)
            }
        }
        while clock.sleepers < sleepers.count { await Task.yield() }
        clock.advance(by: .milliseconds(999))
        #expect(clock.sleepers == 5)
        clock.advance(by: .seconds(9))
        for sleeper in sleepers.dropLast() { try await sleeper.value }
        #expect(woken == ["a1", "a2", "b", "c"])
        #expect(clock.sleepers == 1)
        sleepers[4].cancel()
        await #expect(throws: CancellationError.self) { try await sleepers[4].value }
        #expect(clock.sleepers == 0)
    }

    @Test("nothing to wait for is not waited for") func immediately() async throws {
        let clock = ManualClock()
        try await clock.sleep(for: .zero)
        try await clock.sleep(for: .seconds(-1))
        try await clock.sleep(until: clock.now() - .seconds(1))
        #expect(clock.sleepers == 0)
    }

    @Test("a task that is cancelled already does not fall asleep") func cancelled() async {
        let clock = ManualClock()
        let task = Task {
            while !Task.isCancelled { await Task.yield() }
            try await clock.sleep(for: .seconds(1))
        }
        task.cancel()
        await #expect(throws: CancellationError.self) { try await task.value }
        #expect(clock.sleepers == 0)
    }
}
