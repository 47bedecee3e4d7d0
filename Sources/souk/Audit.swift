import ArgumentParser
import Contracts
import Database
import Kernel
import Notifications
import Orders
import Payments
import Products
import Users

struct AuditCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "audit",
        abstract: "Check the promises against what is stored.",
        discussion: """
            Reads only, also beside a shop that is running. A line for each promise; exit code 1 if one is broken. \
            On PostgreSQL it looks as well whether the server puts on the disk what it commits. \
            With --acknowledged every order that a client was told of must exist: a file with a JSON object \
            a line, \
            {"order": "order_…", "idempotency_key": "…", "total": {"amount": 1999, "currency": "GBP"}}.

            Example:
              souk audit --data var --acknowledged told.jsonl
            """)

    @OptionGroup var options: DataOptions
    @Option(help: "What clients were told: a JSON object a line.") var acknowledged: String?
    @Flag(help: "Print the result as JSON.") var json = false

    func run() async throws {
        let settings = try await options.settings()
        let told = try acknowledged.map(AcknowledgedLog.read)
        let clock = SystemClock()
        let began = clock.now()
        let databases = try await Databases.open(Set(Store.allCases), for: .looking, settings)
        var checks: [AuditCheck]
        do {
            checks = try await Audit(databases: databases, clock: clock).checks(acknowledged: told)
            if let durability = try await Durability.check(databases) { checks.append(durability) }
        } catch {
            await databases.close()
            throw error
        }
        await databases.close()
        // Who keeps it as evidence wants to know how old it is.
        for index in checks.indices { checks[index].at = began }
        if json { try Console.print(json: checks) } else { Self.report(checks) }
        if checks.contains(where: { !$0.holds }) { throw ExitCode(1) }
    }

    static func report(_ checks: [AuditCheck]) {
        let width = checks.map(\.name.count).max() ?? 0
        for check in checks {
            let name = check.name + String(repeating: " ", count: width - check.name.count)
            Console.say("\(check.holds ? "ok  " : "FAIL") \(name)  \(check.promise) (\(check.checked) checked)")
            for violation in check.violations { Console.say("       \(violation)") }
            if check.violationCount > check.violations.count {
                Console.say("       and \(check.violationCount - check.violations.count) more")
            }
        }
    }
}

/// Every check of every service, and those that no service can make alone.
struct Audit {
    let databases: Databases
    let clock: any WallClock

    func checks(acknowledged: [AcknowledgedOrder]?) async throws -> [AuditCheck] {
        let orders = OrdersAudit(database: databases[.orders], clock: clock)
        var checks = try await ProductsAudit(database: databases[.products], clock: clock).checks()
        checks += try await orders.checks()
        checks += try await PaymentsAudit(database: databases[.payments]).checks()
        checks += try await across(orders)
        checks += try await UsersAudit(database: databases[.users]).checks()
        if let acknowledged { checks.append(try await told(acknowledged, orders)) }
        return checks
    }

    /// Orders beside payments and notifications: each list sorted by order, walked in step.
    private func across(_ orders: OrdersAudit) async throws -> [AuditCheck] {
        var paid = AuditCheck("orders.paid-once", "a confirmed order has one authorisation of exactly its total")
        var undone = AuditCheck("orders.cancelled-unpaid", "a cancelled order has no authorisation that stands")
        var confirmed = AuditCheck("orders.confirmed-by-mail", "a confirmed order has exactly one confirmation")
        let paymentsAudit = PaymentsAudit(database: databases[.payments])
        let mailAudit = NotificationsAudit(database: databases[.notifications])
        var payments = Walk {
            try await paymentsAudit.facts(after: $0)
        } order: {
            $0.order
        }
        var mails = Walk {
            try await mailAudit.confirmedOrders(after: $0)
        } order: {
            $0
        }
        var after: OrderID?
        while true {
            let page = try await orders.facts(after: after)
            guard let last = page.last else { break }
            after = last.order
            for fact in page {
                let payment = try await payments.find(fact.order)
                let mail = try await mails.find(fact.order)
                if fact.isMoving || fact.status == .pending { continue }
                if fact.status == .cancelled {
                    undone.check(payment?.stands != true, "\(fact.order): \(payment?.status.rawValue ?? "")")
                } else {
                    let isFreed = fact.refunded.amount > 0 && fact.refunded == fact.total
                    paid.check(
                        payment?.amount == fact.total && (payment?.stands == true || isFreed),
                        "\(fact.order): total \(fact.total), payment \(payment?.amount?.description ?? "none") "
                            + (payment?.status.rawValue ?? ""))
                    confirmed.check(mail != nil || isYoung(fact.order), "\(fact.order): none")
                }
            }
        }
        return [paid, undone, confirmed]
    }

    /// Its event may still be on its way.
    private func isYoung(_ order: OrderID) -> Bool { clock.now() - order.time < OrdersAudit.limit }

    private func told(_ acknowledged: [AcknowledgedOrder], _ orders: OrdersAudit) async throws -> AuditCheck {
        var check = AuditCheck("orders.acknowledged", "every order that a client was told of exists")
        for start in stride(from: 0, to: acknowledged.count, by: 1_000) {
            let page = acknowledged[start..<min(start + 1_000, acknowledged.count)]
            let totals = try await orders.totals(of: page.map(\.order))
            for entry in page {
                let total = totals[entry.order]
                check.check(
                    total != nil && (entry.total == nil || entry.total == total),
                    "\(entry.order): told \(entry.total?.description ?? "it exists"), "
                        + "stored \(total?.description ?? "nothing")")
            }
        }
        return check
    }
}

/// Facts sorted by order, a page at a time.
private struct Walk<Fact> {
    let page: (OrderID?) async throws -> [Fact]
    let order: (Fact) -> OrderID
    private var facts: [Fact] = []
    private var index = 0
    private var isAtEnd = false

    init(_ page: @escaping (OrderID?) async throws -> [Fact], order: @escaping (Fact) -> OrderID) {
        self.page = page
        self.order = order
    }

    /// The fact of that order; orders are asked for in their order.
    mutating func find(_ wanted: OrderID) async throws -> Fact? {
        while true {
            while index < facts.count {
                // In order of the text form, as the databases sort.
                let here = order(facts[index])
                if here == wanted { return facts[index] }
                if wanted < here { return nil }
                index += 1
            }
            if isAtEnd { return nil }
            facts = try await page(facts.last.map(order))
            index = 0
            isAtEnd = facts.isEmpty
        }
    }
}
