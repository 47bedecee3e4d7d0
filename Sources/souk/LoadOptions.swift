import ArgumentParser
import Drills
import Kernel

/// Who comes, and when.
struct LoadArrivals: ParsableArguments {
    @Option(help: "Open: so many arrive a second, whether or not the shop keeps up; with --stage, the rate before it.")
    var rate: String?
    @Option(help: "Open: TIME:RATE, reached evenly from the rate before; may be given again: 30s:200 2m:200 10s:0.")
    var stage: [String] = []
    @Option(help: "Open: a CSV whose shape arrivals follow: minute,requests, or past orders and their times.")
    var trace: String?
    @Option(help: "Of --trace: each minute brings so many times what it brought.") var scale = "1"
    @Option(help: "Of --trace: a minute passes so many times as fast.") var speed = "1"
    @Option(help: "Of --trace: the minute to begin with, from 0.") var from = 0
    @Option(help: "How long, at the most 24h; 10s if nothing else ends the run.") var duration: String?
    @Option(help: "Closed: so many requests in all (visits, with --journey).") var requests: Int?
    @Flag(help: "Closed: 100 connections and 10,000 requests, as `ab -n 10000 -c 100`.") var spike = false

    @Option(help: "So many times as many visitors as the shop can serve, which is learnt first; for 60s.")
    var flood: Double?

    private static let longest = Duration.seconds(86_400)
    private static let usual = Duration.seconds(10)

    var isOpen: Bool { rate != nil || !stage.isEmpty || trace != nil }

    func check() throws {
        if isOpen, requests != nil || spike {
            throw DrillError(
                "--rate, --stage and --trace let visitors arrive; --requests and --spike count them: "
                    + "give one kind")
        }
        if flood != nil, isOpen || requests != nil || spike {
            throw DrillError("--flood finds its rates itself: give it without --rate, --stage, --trace and --requests")
        }
        if let flood, !(1...100).contains(flood) { throw DrillError("--flood is \(flood), expected 1 to 100 times") }
        if trace != nil, rate != nil || !stage.isEmpty {
            throw DrillError("--trace has rates of its own: give it without --rate and --stage")
        }
        if trace == nil, scale != "1" || speed != "1" || from != 0 {
            throw DrillError("--scale, --speed and --from change a --trace, and there is none")
        }
        if !stage.isEmpty, duration != nil { throw DrillError("--stage has times of its own: give no --duration") }
        if let requests, !(1...1_000_000_000).contains(requests) {
            throw DrillError("--requests is \(requests), expected 1 to 1000000000")
        }
        if from < 0 { throw DrillError("--from is \(from), expected a minute from 0") }
    }

    func length() throws -> Duration? {
        guard let duration else { return nil }
        let length = try Duration(span: duration, of: "--duration")
        guard length > .zero, length <= Self.longest else {
            throw DrillError("--duration is \(duration), expected more than 0s and at the most 24h")
        }
        return length
    }

    /// What to do, and for how long if something else than a schedule ends it.
    func arrivals() throws -> (arrivals: LoadPlan.Arrivals, duration: Duration?) {
        try check()
        let length = try length()
        guard isOpen else {
            let visits = requests ?? (spike ? 10_000 : nil)
            return (.closed(visits: visits), length ?? (visits == nil ? Self.usual : nil))
        }
        var schedule = try schedule(length)
        if let length { schedule = try schedule.prefix(length) }
        guard schedule.seconds <= Self.longest.inSeconds else {
            throw DrillError(
                "the run would take \(Int(schedule.seconds / 3_600)) hours, expected 24 at the most; "
                    + "give --duration, or for a --trace --speed")
        }
        return (.open(schedule), nil)
    }

    private func schedule(_ length: Duration?) throws -> Schedule {
        if let trace {
            let minutes = try LoadTrace.minutes(trace)
            guard from < minutes.count else {
                throw DrillError("--from is \(from), and \(trace) has the minutes 0 to \(minutes.count - 1)")
            }
            let factors = try (Self.factor(scale, "--scale"), Self.factor(speed, "--speed"))
            return try Schedule(minutes: Array(minutes[from...]), scale: factors.0, speed: factors.1)
        }
        let steady = try rate.map { try Self.factor($0, "--rate") } ?? 0
        if stage.isEmpty { return try Schedule(rate: steady, for: length ?? Self.usual) }
        return try Schedule(stages: stage.flatMap { $0.split(separator: " ").map(String.init) }, from: steady)
    }

    private static func factor(_ text: String, _ name: String) throws -> Double {
        guard let number = Double(text), number > 0, number <= Schedule.highestRate else {
            throw DrillError("\(name) is '\(text)', expected a number above 0, at the most 1000000")
        }
        return number
    }
}

/// What each visitor does.
struct LoadVisits: ParsableArguments {
    @Option(
        help: """
            Shoppers in place of one page: `standard`, shares such as browse=60,search=20,product=10,cart=5,checkout=4,\
            account=1, or a JSON file.
            """)
    var journey: String?
    @Option(help: "How long shoppers think before a step, on average (500ms).") var think: String?
    @Option(help: "The same seed and the same shop: the same sequence.") var seed: UInt64 = 1
    @Option(help: "one: all from this machine's address; many: another X-Forwarded-For for each visit.")
    var clients = "one"
    @Option(help: "'Name: value', sent with every request; may be given again.") var header: [String] = []
    @Option(help: "How often a step is tried before its visitor gives up: 1, or 5 with --journey but 1 in a flood.")
    var attempts: Int?
    @Option(help: "A file to append every acknowledged order to, for audit --acknowledged.") var acknowledged: String?

    func check(hasShoppers: Bool = false) throws {
        if journey == nil, !hasShoppers, think != nil || acknowledged != nil {
            throw DrillError("--think and --acknowledged are about shoppers: give --journey, too")
        }
        if Clients(rawValue: clients) == nil { throw DrillError("--clients is '\(clients)', expected one or many") }
        if let attempts, !(1...100).contains(attempts) {
            throw DrillError("--attempts is \(attempts), expected 1 to 100")
        }
        for line in header {
            let name = line.prefix { $0 != ":" }
            let isName = !name.isEmpty && name.allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber || $0 == "-") }
            guard isName, name.count < line.count, !line.utf8.contains(where: { $0 < 0x20 || $0 > 0x7E }) else {
                throw DrillError("--header is '\(line)', expected 'Name: value' in visible ASCII")
            }
        }
    }

    /// - Parameter usual: where no `--journey` is given.
    func mix(usual: String? = nil) throws -> JourneyMix? {
        guard let journey = journey ?? usual else { return nil }
        var mix = journey.hasSuffix(".json") ? try Self.read(journey) : try JourneyMix(journey)
        if let think {
            mix.usualThink = try Duration(span: think, of: "--think")
            mix.think = [:]
        } else if usual != nil {
            mix.usualThink = .zero
        }
        return mix
    }

    private static func read(_ file: String) throws -> JourneyMix {
        let source = try FileChunks(file)
        defer { source.close() }
        var bytes: [UInt8] = []
        while case let chunk = try source.next(), !chunk.isEmpty {
            bytes += chunk
            guard bytes.count <= 1 << 20 else { throw DrillError("\(file) is larger than 1 MiB") }
        }
        return try JourneyMix(json: bytes, file: file)
    }
}
