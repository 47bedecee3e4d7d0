import Kernel
import Logging
import Synchronization
import Telemetry
import Testing
import Tracing

private final class Lines: Sendable {
    private let bytes = Mutex<[[UInt8]]>([])
    var writer: LogWriter { LogWriter { [self] line in bytes.withLock { $0.append(line) } } }
    var all: [[UInt8]] { bytes.withLock { $0 } }
}

struct LogTests {
    private let lines = Lines()
    private let clock = ManualClock(
        Timestamp(microseconds: Timestamp(year: 2026, month: 2, day: 3).microseconds + 4_005))

    private func logger(_ format: SoukLogHandler.Format) -> Logger {
        let (writer, clock) = (lines.writer, clock)
        return Logger(label: "orders") { label in
            SoukLogHandler(label: label, level: .debug, format: format, writer: writer, clock: clock)
        }
    }

    private func record() throws -> JSON {
        let line = try #require(lines.all.last)
        #expect(line.filter { $0 == 0x0A }.count == 1 && line.last == 0x0A)
        return try JSON.parse(Array(line.dropLast()))
    }

    @Test func aRecordIsOneLineOfJSONWithItsMetadataFlat() throws {
        var logger = logger(.json)
        logger[metadataKey: "service"] = "orders"
        logger.warning(
            "line\nbreak \"quoted\" \u{1B}[31m é",
            metadata: [
                "order": ["id": "order_1", "lines": ["a", "b"]], "level": "mine", "count": .stringConvertible(3),
            ])
        let record = try record()
        #expect(record["ts"] == "2026-02-03T00:00:00.004005Z")
        #expect(record["level"] == "warning")
        #expect(record["logger"] == "orders")
        #expect(record["message"] == "line\nbreak \"quoted\" \u{1B}[31m é")
        #expect(record["service"] == "orders")
        #expect(record["order.id"] == "order_1")
        #expect(record["order.lines.1"] == "b")
        #expect(record["metadata.level"] == "mine")
        #expect(record["count"] == "3")
    }

    @Test func secretsAreNotWritten() throws {
        for format in SoukLogHandler.Format.allCases {
            logger(format).info(
                "log-in",
                metadata: [
                    "password": "hunter2", "Set-Cookie": "hunter2", "request": ["Authorization": "hunter2"],
                    "refresh_token": ["hunter2"], "db.apiKey": "hunter2", "user": "ada",
                ])
            let text = String(decoding: lines.all.last ?? [], as: UTF8.self)
            #expect(!text.contains("hunter2") && text.contains("[redacted]") && text.contains("ada"))
        }
    }

    @Test func theTraceInForceIsNamed() throws {
        let trace = TraceContext.root()
        var context = ServiceContext.topLevel
        context.traceContext = trace
        ServiceContext.withValue(context) { logger(.json).info("x", metadata: ["trace_id": "older"]) }
        let record = try record()
        #expect(record["trace_id"] == .string(trace.traceID))
        #expect(record["span_id"] == .string(trace.spanID))
        logger(.json).info("y")
        #expect(try self.record()["trace_id"] == nil)
    }

    @Test func textIsForPeopleAndCannotBeFaked() {
        logger(.text).error("a\nb\u{1B}c", metadata: ["order": "x"])
        #expect(
            String(decoding: lines.all.last ?? [], as: UTF8.self)
                == "00:00:00.004 ERROR    orders: a\\x0ab\\x1bc order=x\n")
    }

    @Test func aLongValueIsCutAndALevelBelowIsNotWritten() throws {
        logger(.json).info("\(String(repeating: "é", count: 20_000))")
        #expect(try record()["message"]?.stringValue?.utf8.count == SoukLogHandler.maxValueBytes)
        logger(.json).trace("x")
        #expect(lines.all.count == 1)
    }
}
