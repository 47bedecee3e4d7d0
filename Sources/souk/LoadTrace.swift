import Drills
import Kernel
import Products

/// How many came in each minute, read from a CSV.
enum LoadTrace {
    /// 29 days of minutes are 41,760.
    static let mostMinutes = 1_000_000

    /// Columns `minute` and `requests`, or past orders with their number and time: each order comes once, in the minute
    /// of its first line.
    ///
    /// - Throws: `DrillError` that names the file, the line and what was expected.
    static func minutes(_ file: String) throws -> [Int] {
        let source = try FileChunks(file)
        defer { source.close() }
        do {
            return try minutes(CSVReader(chunks: source.next))
        } catch let error as CSVError {
            throw DrillError("\(file): \(error)")
        }
    }

    static func minutes(_ reader: CSVReader) throws -> [Int] {
        var reader = reader
        let header = try reader.next()?.fields.map { $0.lowercased() } ?? []
        func column(_ names: [String]) -> Int? { header.firstIndex { names.contains($0) } }
        if let minute = column(["minute"]), let requests = column(["requests", "count"]) {
            return try counts(&reader, minute, requests)
        }
        guard let order = column(["invoiceno", "invoice", "order", "name"]),
            let time = column(["invoicedate", "date", "time", "created at"])
        else {
            throw CSVError(
                line: 1, message: "has neither the columns minute and requests nor those of an order and its date",
                isRecoverable: false)
        }
        return try orders(&reader, order, time)
    }

    private static func wrong(_ row: CSVRow, _ message: String) -> CSVError {
        CSVError(line: row.line, message: message, isRecoverable: false)
    }

    private static func counts(_ reader: inout CSVReader, _ minute: Int, _ requests: Int) throws -> [Int] {
        var minutes: [Int] = []
        while let row = try reader.next() {
            guard row.fields.count > max(minute, requests), let number = Int(row.fields[minute]),
                let count = Int(row.fields[requests]), count >= 0, (0..<mostMinutes).contains(number)
            else { throw wrong(row, "expected a minute from 0 to \(mostMinutes - 1) and a count from 0") }
            if number >= minutes.count { minutes += [Int](repeating: 0, count: number - minutes.count + 1) }
            minutes[number] += count
        }
        return minutes
    }

    private static func orders(_ reader: inout CSVReader, _ order: Int, _ time: Int) throws -> [Int] {
        var first: [String: Int64] = [:]
        while let row = try reader.next() {
            guard row.fields.count > max(order, time) else { throw wrong(row, "has too few fields") }
            let text = row.fields[time]
            guard let moment = Timestamp(rfc3339: text) ?? Timestamp(rfc3339: text + "Z") else {
                throw wrong(row, "has the time '\(text)', expected RFC 3339 or 2010-12-01 08:26:00")
            }
            let minute = moment.seconds / 60
            first[row.fields[order]] = min(first[row.fields[order]] ?? .max, minute)
        }
        guard let begin = first.values.min(), let end = first.values.max() else { return [] }
        guard end - begin < mostMinutes else {
            throw CSVError(
                line: 2, message: "the orders span \(end - begin) minutes, expected \(mostMinutes) at the most",
                isRecoverable: false)
        }
        var minutes = [Int](repeating: 0, count: Int(end - begin) + 1)
        for minute in first.values { minutes[Int(minute - begin)] += 1 }
        return minutes
    }
}
