import Crypto
import Kernel
import Testing

@testable import Wire

@Suite("Service tokens") struct ServiceTokensTests {
    private let clock = ManualClock()
    private let old = String(repeating: "a", count: 32)
    private let new = String(repeating: "b", count: 32)

    private func tokens(_ keys: String...) throws -> ServiceTokens {
        try #require(ServiceTokens(keys: keys, clock: clock))
    }

    @Test("say who calls") func caller() throws {
        let tokens = try tokens(old)
        let token = tokens.token(for: "orders")
        #expect(ServiceTokens.isOne(token))
        #expect(try tokens.caller(token) == .service("orders"))
    }

    @Test("are the HMAC of what they say") func construction() throws {
        let parts = try tokens(old).token(for: "orders").split(separator: ".")
        let text = parts.dropLast().joined(separator: ".")
        let code = HMAC<SHA256>.authenticationCode(
            for: Array(text.utf8), using: SymmetricKey(data: Array(old.utf8)))
        #expect(text == "souk-service.orders.\(clock.now().seconds)" && parts.last.map(String.init) == Hex.text(code))
    }

    @Test("hold while clocks differ by ten minutes, and no longer than a quarter of an hour") func clocks() throws {
        let tokens = try tokens(old)
        let token = tokens.token(for: "orders")
        for minutes in [10, 15] {
            let ahead = ManualClock(clock.now() + .seconds(minutes * 60))
            let behind = ManualClock(clock.now() - .seconds(minutes * 60))
            for other in [ahead, behind] {
                #expect(try ServiceTokens(keys: [old], clock: other)?.caller(token) == .service("orders"))
            }
        }
        for minutes in [16, -16] {
            let far = try #require(ServiceTokens(keys: [old], clock: ManualClock(clock.now() + .seconds(minutes * 60))))
            #expect(throws: Problem.self) { try far.caller(token) }
        }
    }

    @Test("change keys without a moment in which a role is refused") func rotation() throws {
        let stages = [try tokens(old), try tokens(old, new), try tokens(new, old), try tokens(new)]
        for (one, next) in zip(stages, stages.dropFirst()) {
            #expect(try next.caller(one.token(for: "a")) == .service("a"))
            #expect(try one.caller(next.token(for: "a")) == .service("a"))
        }
        #expect(throws: Problem.self) { try stages[3].caller(stages[0].token(for: "a")) }
    }

    @Test("forged, cut and strange ones are refused") func forgeries() throws {
        let tokens = try tokens(old)
        let token = tokens.token(for: "orders")
        let forged = [
            token.replacing("orders", with: "payments"), String(token.dropLast()), token + "0", token.uppercased(),
            "souk-service...", "souk-service.orders.99999999999999999999.00", "souk-service.orders.\(Int64.min).00",
            "souk-service", "", token.replacing("souk-service.", with: "souk-service.."),
        ]
        for text in forged {
            #expect(throws: Problem.self, "\(text)") { try tokens.caller(text) }
        }
    }

    @Test("need a key that is long enough") func shortKeys() {
        #expect(ServiceTokens(keys: []) == nil)
        #expect(ServiceTokens(keys: [old, "short"]) == nil)
    }
}

@Suite("The circuit breaker") struct CircuitBreakerTests {
    private let start = ContinuousClock.now

    private func allows(_ breaker: inout CircuitBreaker, _ now: ContinuousClock.Instant) -> Bool {
        breaker.allows(at: now)
    }

    @Test("opens after failures in a row, lets one try, and closes with an answer") func life() {
        var breaker = CircuitBreaker()
        for _ in 1..<CircuitBreaker.failures {
            breaker.failed(at: start)
            #expect(allows(&breaker, start))
        }
        breaker.failed(at: start)
        #expect(!allows(&breaker, start))
        let later = start + CircuitBreaker.firstPause
        #expect(allows(&breaker, later))
        #expect(!allows(&breaker, later))
        breaker.answered()
        #expect(allows(&breaker, later))
    }

    @Test("an answer between failures keeps it closed") func answers() {
        var breaker = CircuitBreaker()
        for number in 0..<50 {
            breaker.failed(at: start)
            if number % (CircuitBreaker.failures - 1) == 0 { breaker.answered() }
            #expect(allows(&breaker, start))
        }
    }

    @Test("the pause doubles up to its bound") func pauses() {
        var breaker = CircuitBreaker()
        var now = start
        for _ in 0..<CircuitBreaker.failures { breaker.failed(at: now) }
        for _ in 0..<20 {
            now += CircuitBreaker.longestPause
            #expect(allows(&breaker, now))
            breaker.failed(at: now)
            #expect(!allows(&breaker, now + CircuitBreaker.firstPause))
        }
    }

    @Test("a try that was given up leaves its place to another one") func abandoned() {
        var breaker = CircuitBreaker()
        breaker.abandoned(at: start)
        #expect(breaker.isClosed)
        for _ in 0..<CircuitBreaker.failures { breaker.failed(at: start) }
        let later = start + CircuitBreaker.firstPause
        #expect(allows(&breaker, later))
        #expect(!allows(&breaker, later))
        breaker.abandoned(at: later)
        #expect(!breaker.isClosed)
        #expect(allows(&breaker, later))
        #expect(!allows(&breaker, later))
    }
}
