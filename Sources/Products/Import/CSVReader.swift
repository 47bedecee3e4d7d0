/// One record of a CSV file and the line it begins on.
public struct CSVRow: Sendable, Equatable {
    public let line: Int
    public let fields: [String]
}

/// What is wrong with a file, or with one row of it.
public struct CSVError: Error, Equatable, CustomStringConvertible {
    public let line: Int
    public let message: String
    /// Whether reading can go on with the next row.
    public let isRecoverable: Bool

    public init(line: Int, message: String, isRecoverable: Bool) {
        self.line = line
        self.message = message
        self.isRecoverable = isRecoverable
    }

    public var description: String { "line \(line): \(message)" }
}

/// Reads RFC 4180 as it is met: LF, CRLF or CR line ends, a byte order mark, quoted fields with line breaks and doubled
/// quotes. Streams: at most one row and one chunk are in memory.
public struct CSVReader {
    /// A row longer than this is refused: most likely a quote was never closed.
    public static let rowLimit = 4 << 20
    public static let fieldLimit = 2_000

    private let nextChunk: () throws -> [UInt8]
    private var chunk: [UInt8] = []
    private var position = 0
    private var line = 1
    private var isAtStart = true
    private var isFinished = false

    /// - Parameter nextChunk: the next bytes of the file, empty at its end.
    public init(chunks nextChunk: @escaping () throws -> [UInt8]) { self.nextChunk = nextChunk }

    public init(_ bytes: [UInt8]) {
        var rest: [UInt8]? = bytes
        self.init {
            defer { rest = nil }
            return rest ?? []
        }
    }

    private mutating func peek() throws -> UInt8? {
        if position == chunk.count {
            guard !isFinished else { return nil }
            chunk = try nextChunk()
            position = 0
            if chunk.isEmpty {
                isFinished = true
                return nil
            }
        }
        return chunk[position]
    }

    private mutating func take() throws -> UInt8? {
        guard let byte = try peek() else { return nil }
        position += 1
        return byte
    }

    private mutating func skipByteOrderMark() throws {
        isAtStart = false
        let mark: [UInt8] = [0xEF, 0xBB, 0xBF]
        // A chunk may be shorter than the mark.
        while chunk.count < mark.count, !isFinished {
            let more = try nextChunk()
            isFinished = more.isEmpty
            chunk += more
        }
        if chunk.starts(with: mark) { position = mark.count }
    }

    /// The next row that is not empty, or nil at the end of the file.
    /// - Throws: `CSVError`; after a recoverable one the next call reads on behind the row.
    public mutating func next() throws -> CSVRow? {
        if isAtStart { try skipByteOrderMark() }
        while let first = try peek() {
            guard first == 0x0A || first == 0x0D else { return try row() }
            position += 1
            if first == 0x0D, try peek() == 0x0A { position += 1 }
            line += 1
        }
        return nil
    }

    private mutating func row() throws -> CSVRow {
        let start = line
        var fields: [String] = []
        var field: [UInt8] = []
        var size = 0
        var complaint: String?

        func finish(_ field: inout [UInt8]) {
            if field.contains(0) {
                complaint = complaint ?? "field \(fields.count + 1) contains a NUL byte; is this a CSV file?"
            }
            if let text = String(validating: field, as: UTF8.self) {
                fields.append(text)
            } else {
                complaint = complaint ?? "field \(fields.count + 1) is not valid UTF-8"
                fields.append("")
            }
            field.removeAll(keepingCapacity: true)
        }

        while true {
            size += 1
            guard size <= Self.rowLimit else {
                throw CSVError(
                    line: start, message: "the row is longer than \(Self.rowLimit) bytes; is a quote not closed?",
                    isRecoverable: false)
            }
            guard let byte = try take() else { break }
            if byte == UInt8(ascii: "\""), field.isEmpty {
                size += try quoted(&field, from: start)
            } else if byte == UInt8(ascii: ",") {
                finish(&field)
                guard fields.count < Self.fieldLimit else {
                    throw CSVError(
                        line: start, message: "more than \(Self.fieldLimit) fields in a row", isRecoverable: false)
                }
            } else if byte == 0x0A || byte == 0x0D {
                if byte == 0x0D, try peek() == 0x0A { position += 1 }
                line += 1
                break
            } else {
                field.append(byte)
            }
        }
        finish(&field)
        if let complaint { throw CSVError(line: start, message: complaint, isRecoverable: true) }
        return CSVRow(line: start, fields: fields)
    }

    /// The inside of a quoted field, up to and with its closing quote; answers how many bytes it took.
    private mutating func quoted(_ field: inout [UInt8], from start: Int) throws -> Int {
        var size = 0
        while let byte = try take() {
            size += 1
            guard size <= Self.rowLimit else { break }
            if byte == UInt8(ascii: "\"") {
                guard try peek() == UInt8(ascii: "\"") else { return size }
                position += 1
            } else if byte == 0x0A {
                line += 1
            } else if byte == 0x0D, try peek() != 0x0A {
                line += 1
            }
            field.append(byte)
        }
        throw CSVError(line: start, message: "a quote that opens here is not closed", isRecoverable: false)
    }
}

/// Writes rows that `CSVReader` reads back the same, whatever text without NUL is in them.
public enum CSVWriter {
    public static func line(_ fields: [String]) -> String {
        // One empty field would be an empty line, which is no row.
        guard fields != [""] else { return "\"\"\n" }
        return fields.map(quoted).joined(separator: ",") + "\n"
    }

    private static func quoted(_ field: String) -> String {
        let needsQuotes = field.utf8.contains { byte in
            // 0xEF may begin a byte order mark.
            byte == UInt8(ascii: ",") || byte == UInt8(ascii: "\"") || byte == 0x0A || byte == 0x0D || byte == 0xEF
        }
        guard needsQuotes else { return field }
        var bytes: [UInt8] = [UInt8(ascii: "\"")]
        // By bytes: a combining mark makes one character of a quote and itself.
        for byte in field.utf8 {
            if byte == UInt8(ascii: "\"") { bytes.append(byte) }
            bytes.append(byte)
        }
        bytes.append(UInt8(ascii: "\""))
        return String(decoding: bytes, as: UTF8.self)
    }
}
