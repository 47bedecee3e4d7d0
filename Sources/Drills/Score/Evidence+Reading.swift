public import Kernel

extension Evidence {
    /// Two machines' clocks differ a little; what is later than that was not measured yet.
    static let clockDifference = Duration.seconds(60)

    /// Takes what a file says.
    ///
    /// - Parameter file: its name in the folder, by which it is known: `load.json`, `chaos-….json` and so on.
    /// - Returns: whether it is one of those.
    /// - Throws: `DrillError` that names the file, the field, and what was expected.
    public mutating func read(_ file: String, _ json: JSON, now: Timestamp) throws -> Bool {
        let place = Place(file: file, pointer: "", value: json)
        switch file {
        case "load.json":
            load = LoadFacts(source: try place.source("began_at", now), traffic: try Traffic(place))
        case "flood.json": flood = try FloodFacts(place, now)
        case "audit.json": audit = try AuditFacts(place, now)
        case "fleet.json": fleet = try FleetFacts(place, now)
        case "region.json": region = try RecoveryFacts(place, now)
        case "recover-sqlite.json": recoveries["sqlite"] = try RecoveryFacts(place, now)
        case "recover-postgres.json": recoveries["postgres"] = try RecoveryFacts(place, now)
        case let name where name.hasPrefix("chaos-") && name.hasSuffix(".json"):
            faults.append(try FaultFacts(place, name: String(name.dropFirst(6).dropLast(5)), now))
        default: return false
        }
        return true
    }
}

extension Place {
    /// The member, which has to be there.
    func at(_ name: String) throws -> Place {
        guard let place = member(name) else { throw missing(name) }
        return place
    }

    private func missing(_ name: String) -> DrillError {
        DrillError("\(file): \(pointer)/\(name) is not there, expected what the drill writes")
    }

    func number() throws -> Double {
        guard let number = value.numberValue, number >= 0 else {
            throw wrong("is \(value)", "a number from 0")
        }
        return number
    }

    func number(_ name: String) throws -> Double { try at(name).number() }
    func count(_ name: String) throws -> Int { Int(try number(name)) }

    func flag(_ name: String) throws -> Bool {
        let place = try at(name)
        guard let flag = place.value.boolValue else { throw place.wrong("is \(place.value)", "true or false") }
        return flag
    }

    func time(_ name: String, _ now: Timestamp) throws -> Timestamp {
        let place = try at(name)
        guard let time = place.value.stringValue.flatMap(Timestamp.init(rfc3339:)) else {
            throw place.wrong("is \(place.value)", "a time such as 2026-01-01T00:00:00Z")
        }
        guard time <= now + Evidence.clockDifference else {
            throw place.wrong("is \(time.rfc3339), which is in the future", "a time until now, \(now.rfc3339)")
        }
        return time
    }

    func source(_ name: String, _ now: Timestamp) throws -> Evidence.Source {
        Evidence.Source(file: file, at: try time(name, now))
    }
}

extension Traffic {
    /// A `LoadResult`.
    init(_ place: Place) throws {
        let total = try place.at("total")
        requests = try total.number("requests")
        errorRate = try total.number("error_rate")
        goodput = try total.number("goodput")
        refused = try total.number("refused")
        refusedWithoutRetryAfter = try total.number("refused_without_retry_after")
        dropped = try place.at("visits").number("dropped")
        let statuses = try total.at("statuses")
        for (status, _) in try statuses.object() where status.hasPrefix("5") { unserved += try statuses.number(status) }
        let failures = try total.at("failures")
        for (kind, _) in try failures.object() { unserved += try failures.number(kind) }
        unserved += dropped
        for step in try place.list("steps") {
            guard let latency = try step.at("measures").member("latency") else { continue }
            p99[try step.text("step")] = try latency.number("p99")
        }
        isOpen = try place.text("arrivals") == "open"
    }
}

extension FloodFacts {
    init(_ place: Place, _ now: Timestamp) throws {
        source = try place.source("at", now)
        goodputRatio = try place.number("goodput_ratio")
        ordersRatio = try place.member("orders_ratio")?.number()
        mostGoodput = try place.at("capacity").at("total").number("goodput")
        flood = try Traffic(try place.at("flood"))
        secondsToNormal = try place.member("back_after_seconds")?.number()
        guard let memory = place.member("memory") else { return }
        self.memory = try memory.number("peak") / max(1, try memory.number("processes"))
    }
}

extension FaultFacts {
    init(_ place: Place, name: String, _ now: Timestamp) throws {
        source = try place.source("at", now)
        self.name = name
        let journal = try place.at("journal")
        let experiment = try journal.at("experiment")
        tags = try experiment.list("tags").map { try $0.text() }
        hasDeviated = try journal.flag("deviated")
        verdict = try place.member("verdict")?.text()
        felt = place.member("error_rate") == nil ? nil : try Felt(place)
        // What the experiment itself allows: see docs/chaos.md.
        let expected = try experiment.list("extensions").first { $0.value["name"] == "souk" }
        allowedErrors = try expected?.member("errors")?.number() ?? 0.001
        allowedErrorsMeanwhile = try expected?.member("errors_meanwhile")?.number() ?? allowedErrors
        allowedSeconds = try expected?.member("within")?.number() ?? 10
        audit = try place.audit(source)
    }
}

extension Felt {
    init(_ place: Place) throws {
        let rate = try place.number("error_rate")
        errorsMeanwhile = try place.member("error_rate_meanwhile")?.number() ?? rate
        errorsOtherwise = try place.member("error_rate_otherwise")?.number() ?? rate
        recoveredAfter = try place.member("recovered_after_seconds")?.number()
        bit = try place.flag("bit")
    }
}

extension RecoveryFacts {
    static let usualRPO = 5.0
    static let usualRTO = 60.0

    init(_ place: Place, _ now: Timestamp) throws {
        source = try place.source("at", now)
        orders = try place.member("orders").map { Int(try $0.number()) }
        lost = try place.count("lost")
        lostBeforeLastCut = try place.member("lost_before_last_cut").map { Int(try $0.number()) } ?? 0
        rpo = try place.number("rpo_seconds")
        rto = try place.number("rto_seconds")
        let targets = place.member("targets")
        rpoTarget = try targets?.member("rpo_seconds")?.number() ?? Self.usualRPO
        rtoTarget = try targets?.member("rto_seconds")?.number() ?? Self.usualRTO
        hasPassed = try place.flag("passed")
        audit = try place.audit(source)
    }
}

extension Place {
    /// Of a drill that ends with `souk audit`; nil where it ended with something else.
    fileprivate func audit(_ source: Evidence.Source) throws -> AuditFacts? {
        guard let place = member("audit"), place.value.arrayValue != nil else { return nil }
        return try AuditFacts(place, source: source)
    }

    fileprivate var elements: [Place] {
        (value.arrayValue ?? []).enumerated().map {
            Place(file: file, pointer: "\(pointer)/\($0.offset)", value: $0.element)
        }
    }
}

extension AuditFacts {
    /// What `souk audit --json` prints. It is as old as its oldest check.
    init(_ place: Place, _ now: Timestamp) throws {
        let times = try place.elements.map { try $0.time("at", now) }
        try self.init(place, source: Evidence.Source(file: place.file, at: times.min()))
    }

    init(_ place: Place, source: Evidence.Source) throws {
        self.source = source
        self.checks = try place.elements.map { check in
            return Check(
                name: try check.text("name"), promise: try check.text("promise"), checked: try check.count("checked"),
                violations: try check.count("violationCount"), first: check.value["violations"]?[0]?.stringValue)
        }
        guard !checks.isEmpty else {
            let here = place.pointer.isEmpty ? "it" : place.pointer
            throw DrillError("\(place.file): \(here) has no checks, expected what `souk audit --json` prints")
        }
    }
}

extension FleetFacts {
    init(_ place: Place, _ now: Timestamp) throws {
        source = try place.source("at", now)
        let roles = try place.at("replicas")
        replicas = [:]
        for (role, _) in try roles.object() { replicas[role] = try roles.count(role) }
        asksReadiness = try place.flag("readiness_checks")
        retries = try place.count("retries")
    }
}
