import Kernel
import Synchronization
#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

/// `Sun, 06 Nov 1994 08:49:37 GMT`, made once a second.
enum HTTPDate {
    static let length = 29
    private static let kept = Mutex<(second: Int64, text: [UInt8])>((.min, []))

    static func now() -> [UInt8] { at(second()) }

    /// Seconds since 1970.
    static func second() -> Int64 {
        var time = timespec()
        #if os(Linux)
        clock_gettime(CLOCK_REALTIME_COARSE, &time)
        #else
        clock_gettime(CLOCK_REALTIME, &time)
        #endif
        return Int64(time.tv_sec)
    }

    static func at(_ second: Int64) -> [UInt8] {
        return kept.withLock { kept in
            if kept.second != second { kept = (second, text(second)) }
            return kept.text
        }
    }

    private static func text(_ second: Int64) -> [UInt8] {
        let days = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"]
        let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
        let (year, month, day, hour, minute, seconds) = Timestamp(seconds: second).civil
        // 1970-01-01 was a Thursday.
        let weekday = Int(((second / 86_400 + 4) % 7 + 7) % 7)
        func two(_ value: Int) -> String { value < 10 ? "0\(value)" : "\(value)" }
        let text =
            "\(days[weekday]), \(two(day)) \(months[month - 1]) \(year) \(two(hour)):\(two(minute)):\(two(seconds)) GMT"
        return Array(text.utf8)
    }
}
