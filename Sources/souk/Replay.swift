import ArgumentParser
import Contracts
import FoundationEssentials
import Kernel
import Products
import Synchronization

struct Replay: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Place a CSV of past orders through the HTTP interface of a running shop.",
        discussion: """
            A row is a line of an order; the rows of an order follow each other or not. Orders are placed as staff, at \
            the prices and times of the file, and the order's number is the idempotency key: running it again changes \
            nothing. Rows that are no purchases (a number that begins with a letter, a quantity or price of zero or \
            less) are counted and left out. The staff password is read from SOUK_STAFF_PASSWORD.

            Examples:
              souk replay online-retail.csv --url http://127.0.0.1:8080
              souk replay orders.csv --map order=Order,sku=SKU,quantity=Qty,price=Price,time=Date
            """)

    @Argument(help: "The CSV file.") var file: String
    @Option(help: "The running shop.") var url = "http://127.0.0.1:8080"
    @Option(help: "The staff account (SOUK_STAFF_EMAIL).") var email: String?
    @Option(help: "order=…,sku=…,quantity=…,price=…,time=…,customer=…") var map: String?
    @Option(help: "The currency of the file's prices (the shop's, if not given).") var currency: String?
    @Option(help: "Orders placed at a time, 1 to 256.") var concurrency = 16
    @Option(help: "A file to append every acknowledged order to, for audit --acknowledged.") var acknowledged: String?
    @OptionGroup var options: DataOptions
    @Flag(help: "Print the result as JSON.") var json = false

    func validate() throws {
        guard (1...256).contains(concurrency) else {
            throw ValidationError("--concurrency is \(concurrency), expected 1 to 256")
        }
    }

    struct Summary: Codable {
        var orders = 0
        var lines = 0
        var placed = 0
        var replayed = 0
        var left_out_rows = 0
        var revenue: [Money] = []
        var failed: [Failed] = []

        struct Failed: Codable {
            var order: String
            var detail: String
        }
    }

    func run() async throws {
        let settings = try await options.settings(["SOUK_STAFF_EMAIL": email, "SOUK_CURRENCY": currency])
        let source = try FileChunks(file)
        defer { source.close() }
        let past: PastOrders
        do {
            past = try PastOrders.read(CSVReader(chunks: source.next), map: map, currency: settings.shop.currency)
        } catch let error as CSVError {
            throw Failure("\(file): \(error)")
        }
        let session = try await StaffSession.open(url: url, settings)
        let log = try acknowledged.map { try AcknowledgedLog($0) }
        let summary = try await session.closing { try await place(past, session, log) }
        if json {
            try Console.print(json: summary)
        } else {
            for failure in summary.failed.prefix(20) { Console.complain("order \(failure.order): \(failure.detail)") }
            Console.say(
                "\(summary.orders) orders, \(summary.lines) lines, "
                    + summary.revenue.map(\.description).joined(separator: ", ")
                    + ": \(summary.placed) placed, \(summary.replayed) were there, \(summary.failed.count) failed; "
                    + "\(summary.left_out_rows) rows are no purchases")
        }
        if !summary.failed.isEmpty { throw ExitCode(1) }
    }

    private func place(_ past: PastOrders, _ session: StaffSession, _ log: AcknowledgedLog?) async throws -> Summary {
        let run = ReplayRun(past, session, log)
        await withTaskGroup(of: Void.self) { group in
            for _ in 0..<concurrency { group.addTask { await run.work() } }
        }
        run.progress.finish()
        return run.summary.withLock { $0 }
    }
}

/// Places orders until none is left; several tasks do so at once.
private final class ReplayRun: Sendable {
    let progress: Progress
    let summary: Mutex<Replay.Summary>
    private let queue: Mutex<ArraySlice<PastOrders.Order>>
    private let session: StaffSession
    private let log: AcknowledgedLog?

    init(_ past: PastOrders, _ session: StaffSession, _ log: AcknowledgedLog?) {
        progress = Progress("replay", total: past.orders.count)
        summary = Mutex(Replay.Summary(left_out_rows: past.leftOutRows))
        queue = Mutex(past.orders[...])
        self.session = session
        self.log = log
    }

    func work() async {
        while let order = queue.withLock({ $0.popFirst() }) {
            do {
                let reply = try await session.place(order.request, key: order.number)
                try log?.append(order: reply.value, key: order.number)
                summary.withLock { $0.count(reply, lines: order.request.lines?.count ?? 0) }
            } catch {
                summary.withLock { $0.failed.append(Replay.Summary.Failed(order: order.number, detail: "\(error)")) }
            }
            progress.advance()
        }
    }
}

extension Replay.Summary {
    fileprivate mutating func count(_ reply: Reply<Order>, lines placedLines: Int) {
        orders += 1
        lines += placedLines
        if reply.isReplayed { replayed += 1 } else { placed += 1 }
        let total = reply.value.total
        if let index = revenue.firstIndex(where: { $0.currency == total.currency }) {
            revenue[index] = Money(revenue[index].amount + total.amount, total.currency)
        } else {
            revenue.append(total)
        }
    }
}

/// Orders read from a CSV of their lines.
struct PastOrders {
    struct Order: Sendable {
        var number: String
        var request: PlaceOrder
    }
    var orders: [Order] = []
    var leftOutRows = 0

    /// The columns of the files that are met most, for each field.
    private static let known: [String: [String]] = [
        "order": ["InvoiceNo", "Invoice", "Order", "Name"], "sku": ["StockCode", "SKU", "Lineitem sku"],
        "quantity": ["Quantity", "Qty", "Lineitem quantity"], "price": ["UnitPrice", "Price", "Lineitem price"],
        "time": ["InvoiceDate", "Date", "Created at"], "customer": ["CustomerID", "Customer ID", "Customer"],
        "country": ["Country"],
    ]

    static func read(_ reader: CSVReader, map: String?, currency: Currency) throws -> PastOrders {
        var reader = reader
        guard let header = try reader.next() else {
            throw CSVError(line: 1, message: "the file is empty, expected a header row", isRecoverable: false)
        }
        let columns = try columns(header, map)
        var past = PastOrders()
        var index: [String: Int] = [:]
        while let row = try reader.next() {
            func field(_ name: String) -> String {
                guard let column = columns[name], column < row.fields.count else { return "" }
                return row.fields[column]
            }
            guard row.fields.count == header.fields.count else {
                throw CSVError(
                    line: row.line, message: "has \(row.fields.count) fields, the header has \(header.fields.count)",
                    isRecoverable: false)
            }
            let number = field("order")
            guard let first = number.utf8.first, (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(first),
                let quantity = Int64(field("quantity")), quantity > 0
            else {
                past.leftOutRows += 1
                continue
            }
            let price: Money
            do {
                price = try Money(decimal: field("price"), currency, rounding: .halfUp)
            } catch {
                throw CSVError(line: row.line, message: "\(error)", isRecoverable: false)
            }
            guard price.amount > 0 || field("price").contains(where: { ("1"..."9").contains($0) }), price.amount >= 0
            else {
                past.leftOutRows += 1
                continue
            }
            let line = OrderLineInput(sku: field("sku"), quantity: quantity, unit_price: price)
            if let position = index[number] {
                past.orders[position].request.lines?.append(line)
            } else {
                index[number] = past.orders.count
                past.orders.append(
                    Order(number: number, request: request(line, field("time"), field("customer"), field("country"))))
            }
        }
        return past
    }

    private static func columns(_ header: CSVRow, _ map: String?) throws -> [String: Int] {
        var names = known
        for pair in map?.split(separator: ",") ?? [] {
            let parts = pair.split(separator: "=", maxSplits: 1).map(String.init)
            guard parts.count == 2, known[parts[0]] != nil else {
                throw CSVError(
                    line: 1,
                    message: "--map has '\(pair)', expected FIELD=COLUMN with "
                        + known.keys.sorted().joined(separator: ", "), isRecoverable: false)
            }
            names[parts[0]] = [parts[1]]
        }
        var columns: [String: Int] = [:]
        for (field, candidates) in names {
            columns[field] = header.fields.firstIndex { column in
                candidates.contains { $0.lowercased() == column.lowercased() }
            }
        }
        for needed in ["order", "sku", "quantity", "price"] where columns[needed] == nil {
            throw CSVError(
                line: 1,
                message: "no column for \(needed) (expected \((names[needed] ?? []).joined(separator: " or "))); "
                    + "give --map \(needed)=COLUMN", isRecoverable: false)
        }
        return columns
    }

    private static func request(
        _ line: OrderLineInput, _ time: String, _ customer: String, _ country: String
    ) -> PlaceOrder {
        let who = customer.split(separator: ".").first.map(String.init) ?? ""
        let name = who.isEmpty ? "Guest" : "Customer \(who)"
        return PlaceOrder(
            lines: [line], email: who.isEmpty ? "guest@past.example" : "customer-\(who)@past.example",
            shipping_address: Address(
                name: name, line1: "1 Past Street", city: country.isEmpty ? "London" : country, country: "GB"),
            payment: PaymentInput(token: "tok_approved"), placed_at: moment(time))
    }

    /// RFC 3339, or `2010-12-01 08:26:00` in UTC.
    private static func moment(_ text: String) -> Timestamp? {
        Timestamp(rfc3339: text) ?? Timestamp(rfc3339: text + "Z")
    }
}
