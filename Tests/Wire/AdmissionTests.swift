import Kernel
import Testing
import Wire

@Suite("Admission") struct AdmissionTests {
    /// A server whose cores share their time among all requests in flight, with a price for each beyond the cores:
    /// left alone, it collapses when too many are in flight.
    struct Server {
        static let cores = 2.0
        static let work = 0.005
        static let tick = 0.001
        static let contention = 0.002

        struct Job {
            let priority: Priority
            let start: Double
            var left: Double
        }

        var queue: AdmissionQueue
        var jobs: [Job] = []
        var waiting: [Int: Priority] = [:]
        var served: [Priority: Int] = [:]
        var refused: [Priority: Int] = [:]
        /// Of those refused: after waiting.
        var inVain = 0
        var times: [Double] = []
        var now = 0.0
        var generator = SeededGenerator(seed: 7)

        /// Requests of each priority in a second.
        mutating func run(seconds: Double, _ rates: [Priority: Double], slow: Double = 0) {
            let end = now + seconds
            while now < end {
                now += Self.tick
                for priority in Priority.allCases {
                    var expected = (rates[priority] ?? 0) * Self.tick
                    while expected > 0 {
                        if Double.random(in: 0..<1, using: &generator) < expected { arrive(priority) }
                        expected -= 1
                    }
                }
                progress()
                refuse(queue.expire(now: now))
            }
        }

        private mutating func refuse(_ ids: [Int]) {
            for id in ids {
                guard let priority = waiting.removeValue(forKey: id) else { continue }
                refused[priority, default: 0] += 1
                inVain += 1
            }
        }

        private mutating func arrive(_ priority: Priority) {
            switch queue.enter(priority, now: now) {
            case .admitted: begin(priority)
            case .waits(let id): waiting[id] = priority
            case .turnedAway: refused[priority, default: 0] += 1
            }
        }

        private mutating func begin(_ priority: Priority) {
            jobs.append(Job(priority: priority, start: now, left: Self.work))
        }

        private mutating func progress() {
            let count = Double(jobs.count)
            let efficiency = 1 / (1 + max(0, count - 50) * Self.contention)
            let share = min(1, Self.cores / max(count, 1)) * efficiency * Self.tick
            for index in jobs.indices { jobs[index].left -= share }
            for job in jobs where job.left <= 0 {
                served[job.priority, default: 0] += 1
                times.append(now - job.start)
                let turn = queue.leave(job.priority, seconds: now - job.start, now: now)
                for id in turn.admitted {
                    if let priority = waiting.removeValue(forKey: id) { begin(priority) }
                }
                refuse(turn.turnedAway)
            }
            jobs.removeAll { $0.left <= 0 }
        }

        mutating func forget() {
            served = [:]
            refused = [:]
            inVain = 0
            times = []
        }

        var total: Double { Double(served.values.reduce(0, +)) }
    }

    static let capacity = Server.cores / Server.work

    @Test("under what it can do, nobody is turned away") func light() {
        var server = Server(queue: AdmissionQueue(AdmissionSettings()))
        server.run(seconds: 20, [.checkout: 50, .cart: 50, .browse: 150, .reports: 5])
        #expect(server.refused.isEmpty)
    }

    @Test("at five times of what it can do, it does as much, and in time") func overload() {
        var server = Server(queue: AdmissionQueue(AdmissionSettings()))
        server.run(seconds: 20, [.checkout: 40, .cart: 40, .browse: 160])
        server.forget()
        server.run(seconds: 60, [.checkout: 100, .cart: 400, .browse: 1_200, .reports: 300])
        #expect(server.total / 60 >= 0.9 * Self.capacity)
        server.times.sort()
        #expect(server.times[server.times.count * 99 / 100] < 1)
        #expect(server.queue.limit.limit <= 1_000)
    }

    @Test("the last is turned away first") func priorities() {
        var server = Server(queue: AdmissionQueue(AdmissionSettings()))
        server.run(seconds: 30, [.checkout: 200, .cart: 400, .browse: 400, .reports: 400])
        func part(_ priority: Priority) -> Double {
            let served = Double(server.served[priority] ?? 0)
            return served / (served + Double(server.refused[priority] ?? 0))
        }
        #expect(part(.checkout) > 0.95)
        #expect(part(.checkout) >= part(.cart))
        #expect(part(.cart) > part(.browse))
        #expect(part(.browse) >= part(.reports))
        #expect(part(.reports) < 0.1)
    }

    @Test("when the crowd stays, hardly anybody waits in vain") func earlyRefusal() {
        var server = Server(queue: AdmissionQueue(AdmissionSettings()))
        server.run(seconds: 10, [.checkout: 100, .cart: 400, .browse: 1_200])
        server.forget()
        server.run(seconds: 30, [.checkout: 100, .cart: 400, .browse: 1_200])
        let refused = server.refused.values.reduce(0, +)
        #expect(refused > 30_000 && server.inVain < refused / 20, "\(server.inVain) of \(refused)")
        #expect(Double(server.served[.checkout] ?? 0) > 0.99 * 3_000)
    }

    @Test("closed is who comes last, and open again to all when nobody was turned away for a while") func closing() {
        var settings = AdmissionSettings()
        settings.initial = 16
        settings.bounds = 16...16
        var queue = AdmissionQueue(settings)
        for _ in 0..<16 { _ = queue.enter(.checkout, now: 0) }
        for _ in 0..<20 { _ = queue.enter(.browse, now: 0.01) }
        #expect(queue.closedFrom == Priority.allCases.count, "a crowd that just came may wait")
        #expect(queue.enter(.browse, now: 1.02) == .waits(21))
        #expect(queue.enter(.browse, now: 1.02) == .turnedAway, "it stays")
        #expect(queue.closedFrom == Priority.browse.rank)
        #expect(queue.enter(.cart, now: 1.02) == .waits(22))
        #expect(queue.expire(now: 1.2).count == 22 && queue.closedFrom == Priority.allCases.count)
        for _ in 0..<8 { _ = queue.enter(.cart, now: 1.25) }
        #expect(queue.enter(.cart, now: 1.25) == .turnedAway && queue.closedFrom == Priority.cart.rank)
        queue.noteTurnedAway(now: 2)
        #expect(queue.expire(now: 2.9).count == 8)
        _ = queue.expire(now: 3.95)
        for _ in 0..<20 { _ = queue.enter(.browse, now: 3.96) }
        #expect(queue.waiting == 20, "the crowd is gone")
    }

    @Test("when the crowd is gone, all are let in again") func recovery() {
        var server = Server(queue: AdmissionQueue(AdmissionSettings()))
        server.run(seconds: 30, [.browse: 3_000])
        server.run(seconds: 5, [.browse: 100])
        server.forget()
        server.run(seconds: 10, [.browse: 200])
        #expect(server.refused.isEmpty)
    }

    @Test("a few slow ones change nothing") func outliers() {
        var limit = ConcurrencyLimit(initial: 64, bounds: 16...1_000)
        for step in 0..<10_000 {
            limit.record(.checkout, seconds: step % 5 == 0 ? 5 : 0.03, inFlight: 60, now: Double(step) / 100)
        }
        #expect(limit.limit >= 64)
    }

    @Test("the queue is bounded, each waits no longer than it may, the first come first") func queue() {
        var settings = AdmissionSettings()
        settings.initial = 16
        settings.bounds = 16...16
        settings.queue = 4
        settings.patience = .milliseconds(500)
        var queue = AdmissionQueue(settings)
        for _ in 0..<16 { #expect(queue.enter(.checkout, now: 0) == .admitted) }
        #expect(queue.enter(.checkout, now: 0) == .waits(1))
        #expect(queue.enter(.cart, now: 0) == .waits(2))
        #expect(queue.enter(.browse, now: 0) == .waits(3))
        #expect(queue.enter(.browse, now: 0) == .turnedAway)
        #expect(queue.enter(.checkout, now: 0.1) == .waits(4))
        #expect(queue.enter(.checkout, now: 0.1) == .turnedAway)
        #expect(queue.leave(.checkout, seconds: nil, now: 0.2).admitted == [1])
        #expect(queue.leave(.checkout, seconds: nil, now: 0.2).admitted == [4])
        #expect(queue.expire(now: 0.6) == [2, 3])
        #expect(queue.inFlight == 16 && queue.waiting == 0)
    }

    @Test("places are never lost") func places() {
        var generator = SeededGenerator(seed: 3)
        var queue = AdmissionQueue(AdmissionSettings())
        var inside: [Priority] = []
        var waiting: [Int: Priority] = [:]
        for step in 0..<50_000 {
            let now = Double(step) / 1_000
            if Bool.random(using: &generator) {
                let priority = Priority.allCases.randomElement(using: &generator) ?? .browse
                switch queue.enter(priority, now: now) {
                case .admitted: inside.append(priority)
                case .waits(let id): waiting[id] = priority
                case .turnedAway: break
                }
            } else if !inside.isEmpty {
                let left = inside.remove(at: Int.random(in: inside.indices, using: &generator))
                let seconds = Double.random(in: 0...0.5, using: &generator)
                let turn = queue.leave(left, seconds: seconds, now: now)
                for id in turn.admitted {
                    if let priority = waiting.removeValue(forKey: id) { inside.append(priority) }
                }
                for id in turn.turnedAway { waiting[id] = nil }
            }
            for id in queue.expire(now: now) { waiting[id] = nil }
            #expect(queue.inFlight == inside.count && queue.waiting == waiting.count)
        }
    }
}

@Suite("One client's share") struct ClientTests {
    @Test("a bucket holds its burst and fills at its rate") func bucket() {
        var buckets = TokenBuckets<String>(rate: 10, burst: 5)
        var now = Timestamp(year: 2026, month: 1, day: 1)
        for _ in 0..<5 { #expect(buckets.take("a", now: now) == nil) }
        #expect(buckets.take("a", now: now).map { abs($0 - 0.1) < 1e-6 } == true)
        #expect(buckets.take("b", now: now) == nil)
        now = now + .milliseconds(200)
        #expect(buckets.take("a", cost: 0, now: now) == nil)
        for _ in 0..<2 { #expect(buckets.take("a", now: now) == nil) }
        #expect(buckets.take("a", now: now) != nil)
        #expect(buckets.take("a", now: now - .seconds(3_600)) != nil, "a clock set back gives nothing")
    }

    @Test("the table is bounded, and who is active is remembered") func table() {
        var buckets = TokenBuckets<Int>(rate: 0.001, burst: 1, most: 100)
        let now = Timestamp(year: 2026, month: 1, day: 1)
        for index in 0..<10_000 {
            _ = buckets.take(index, now: now)
            if index > 0 { #expect(buckets.take(0, now: now) != nil) }
            #expect(buckets.count <= 100)
        }
    }

    @Test(
        "addresses",
        arguments: [
            ("10.0.0.0/8", "10.255.0.1", true), ("10.0.0.0/8", "11.0.0.1", false), ("::1", "::1", true),
            ("2001:db8::/32", "2001:db8:1::1", true), ("2001:db8::/32", "2001:db9::1", false),
            ("10.0.0.0/8", "::ffff:10.1.1.1", true), ("0.0.0.0/0", "1.2.3.4", true),
            ("0.0.0.0/0", "2001:db8::1", false),
        ])
    func ranges(range: String, address: String, isInside: Bool) throws {
        let address = try #require(ClientAddress(address))
        #expect(try #require(AddressRange(range)).contains(address) == isInside)
    }

    @Test("what is no address", arguments: ["", "a", "10.0.0.0/33", "10.0.0.0/-1", "10.0.0.0/", "::/129"])
    func noRange(text: String) { #expect(AddressRange(text) == nil) }

    @Test("past its bucket a client is told when to come again; probes are not counted") func limited() async throws {
        var settings = Toy.settings
        settings.clients.exemptsLoopback = false
        settings.clients.rate = 0.000_1
        settings.clients.burst = 3
        settings.clients.trustedProxies = ["127.0.0.1"]
        try await Toy.serve(settings) { port in
            for _ in 0..<3 { try await Peer.expect(200, port, "GET", "/api/things") }
            let refused = try await Peer.ask(port, "GET", "/api/things")
            let wait = refused["retry-after"].flatMap { Int($0) } ?? 0
            #expect(refused.status == 429 && (1_000...10_000).contains(wait))
            #expect(refused.json["type"] == "/problems/too-many-requests")
            for _ in 0..<5 { try await Peer.expect(200, port, "GET", "/alive") }
            let other = ["X-Forwarded-For": "spoofed, 203.0.113.9"]
            for _ in 0..<3 { try await Peer.expect(200, port, "GET", "/api/things", other) }
            try await Peer.expect(429, port, "GET", "/api/things", other)
            try await Peer.expect(429, port, "GET", "/api/things", ["X-Forwarded-For": "203.0.113.9, 127.0.0.1"])
        }
    }
}
