import Kernel
import Logging

/// The bytes of one record.
struct LogLine {
    private let format: SoukLogHandler.Format
    private let isColoured: Bool
    private var bytes: [UInt8] = []
    /// The names that a JSON record starts with: metadata of the same name would hide them from whoever parses it.
    private static let taken: Set<String> = ["ts", "level", "message", "logger"]

    init(_ format: SoukLogHandler.Format, isColoured: Bool) {
        self.format = format
        self.isColoured = isColoured
        bytes.reserveCapacity(512)
    }

    mutating func start(_ time: Timestamp, _ level: Logger.Level, _ label: String, _ message: String) {
        switch format {
        case .json:
            append("{\"ts\":\"")
            append(time)
            append("\",\"level\":\"\(level.rawValue)\",\"message\":")
            appendJSON(message)
            append(",\"logger\":")
            appendJSON(label)
        case .text:
            let (_, _, _, hour, minute, second) = time.civil
            append(hour, digits: 2, ":")
            append(minute, digits: 2, ":")
            append(second, digits: 2, ".")
            append(Int(time.microseconds - time.seconds * 1_000_000) / 1_000, digits: 3, " ")
            let name = level.rawValue.uppercased()
            let padded = name + String(repeating: " ", count: max(1, 9 - name.utf8.count))
            append(isColoured ? "\(level.colour)\(padded)\u{1B}[0m" : padded)
            append("\(label): ")
            appendPlain(message)
        }
    }

    mutating func add(_ key: String, _ value: Logger.Metadata.Value) {
        if Redaction.hides(key) { return add(key, Redaction.placeholder) }
        switch value {
        case .string(let text): add(key, text)
        case .stringConvertible(let value): add(key, value.description)
        case .dictionary(let members):
            for (name, value) in members.sorted(by: { $0.key < $1.key }) { add("\(key).\(name)", value) }
        case .array(let values):
            for (index, value) in values.enumerated() { add("\(key).\(index)", value) }
        @unknown default: add(key, "\(value)")
        }
    }

    mutating func add(_ key: String, _ value: String) {
        switch format {
        case .json:
            append(",")
            appendJSON(Self.taken.contains(key) ? "metadata.\(key)" : key)
            append(":")
            appendJSON(value)
        case .text:
            append(" ")
            appendPlain(key)
            append("=")
            appendPlain(value)
        }
    }

    mutating func finished() -> [UInt8] {
        append(format == .json ? "}\n" : "\n")
        return bytes
    }

    private mutating func append(_ text: String) { bytes.append(contentsOf: text.utf8) }

    private mutating func append(_ number: Int, digits: Int, _ separator: String) {
        let text = String(number)
        for _ in text.utf8.count..<max(digits, text.utf8.count) { bytes.append(UInt8(ascii: "0")) }
        append(text)
        append(separator)
    }

    /// RFC 3339 with six digits always: lines sort by their text.
    private mutating func append(_ time: Timestamp) {
        let (year, month, day, hour, minute, second) = time.civil
        append(year, digits: 4, "-")
        append(month, digits: 2, "-")
        append(day, digits: 2, "T")
        append(hour, digits: 2, ":")
        append(minute, digits: 2, ":")
        append(second, digits: 2, ".")
        append(Int(time.microseconds - time.seconds * 1_000_000), digits: 6, "Z")
    }

    private mutating func appendJSON(_ text: String) {
        bytes.append(UInt8(ascii: "\""))
        for byte in text.boundedForLogs {
            switch byte {
            case UInt8(ascii: "\""): append("\\\"")
            case UInt8(ascii: "\\"): append("\\\\")
            case 0x0A: append("\\n")
            case 0x0D: append("\\r")
            case 0x09: append("\\t")
            case 0..<0x20, 0x7F: appendEscaped(byte, "\\u00")
            default: bytes.append(byte)
            }
        }
        bytes.append(UInt8(ascii: "\""))
    }

    /// Control characters escaped: text from outside must not move a terminal's cursor or fake a line.
    private mutating func appendPlain(_ text: String) {
        for byte in text.boundedForLogs {
            if byte < 0x20 || byte == 0x7F { appendEscaped(byte, "\\x") } else { bytes.append(byte) }
        }
    }

    private mutating func appendEscaped(_ byte: UInt8, _ prefix: String) {
        let digits = Array("0123456789abcdef".utf8)
        append(prefix)
        bytes.append(digits[Int(byte >> 4)])
        bytes.append(digits[Int(byte & 15)])
    }
}

extension String {
    /// Whole characters only.
    fileprivate var boundedForLogs: Substring.UTF8View {
        guard utf8.count > SoukLogHandler.maxValueBytes else { return self[...].utf8 }
        let end = utf8.index(startIndex, offsetBy: SoukLogHandler.maxValueBytes)
        return self[..<(end.samePosition(in: unicodeScalars) ?? unicodeScalars.index(before: end))].utf8
    }
}

extension Logger.Level {
    fileprivate var colour: String {
        switch self {
        case .trace, .debug: "\u{1B}[2m"
        case .info, .notice: "\u{1B}[32m"
        case .warning: "\u{1B}[33m"
        case .error, .critical: "\u{1B}[31m"
        }
    }
}
