import Contracts
import Foundation
import Kernel
import NIOCore
import Synchronization
import Testing

@testable import Drills

@Suite("Shoppers go the same way for the same seed") struct JourneyTests {
    static let catalogue: Catalogue = {
        var catalogue = Catalogue()
        catalogue.handles = (0..<20).map { "lamp-\($0)" }
        catalogue.categories = ["lights", "chairs"]
        catalogue.words = ["lamp", "brass", "oak"]
        catalogue.pieces = (0..<20).map { Catalogue.Piece(sku: "LAMP-\($0)", handle: "lamp-\($0)") }
        return catalogue
    }()

    private func journeys(
        _ mix: JourneyMix, seed: UInt64 = 1, clients: Clients = .one, acknowledge: LoadPlan.Acknowledge? = nil
    ) throws -> Journeys {
        var mix = mix
        mix.catalogue = Self.catalogue
        let target = try Target("http://127.0.0.1:8080")
        var plan = LoadPlan(target: target, arrivals: .closed(visits: 1), errand: .journeys(mix))
        plan.seed = seed
        plan.clients = clients
        plan.acknowledge = acknowledge
        return Journeys(mix, plan, run: "run")
    }

    /// What a shop says to each request.
    private func answer(_ request: String) -> Answered {
        let cart = CartID(at: Timestamp(seconds: 1)).description
        return switch request.split(separator: " ").prefix(2).joined(separator: " ") {
        case "POST /api/carts": Answered(status: 201, body: Array("{\"id\":\"\(cart)\"}".utf8))
        case "POST /api/sessions": Answered(status: 201, body: Array("{\"access_token\":\"secret\"}".utf8))
        case "POST /api/orders": Answered(status: 201, body: Array("{\"id\":\"\(Self.order)\"}".utf8))
        default: Answered(status: 200, body: [])
        }
    }

    private static let order = OrderID(at: Timestamp(seconds: 2))

    /// Everything that visit asks for, with its pauses.
    private func walk(_ journeys: Journeys, _ number: Int) -> [(request: String, step: String, pause: Int64)] {
        var course = journeys.course(number)
        var walked: [(request: String, step: String, pause: Int64)] = []
        var last: Answered?
        while case .ask(let request, let pause) = course.next(last) {
            let text = String(buffer: request.bytes)
            walked.append((text, journeys.steps[request.step], pause))
            last = answer(text)
        }
        return walked
    }

    @Test("the same seed, the same sequence; another, another") func seeds() throws {
        let (one, again) = try (journeys(.standard), journeys(.standard))
        let other = try journeys(.standard, seed: 2)
        var differing = 0
        for number in 0..<300 {
            let walked = walk(one, number)
            // A cart's identifier is the shop's.
            #expect(walked.map(\.step) == walk(again, number).map(\.step))
            #expect(walked.map(\.pause) == walk(again, number).map(\.pause))
            #expect(walked.first?.request == walk(again, number).first?.request)
            if walked.map(\.request) != walk(other, number).map(\.request) { differing += 1 }
        }
        #expect(differing > 200)
    }

    @Test("journeys come in their shares") func shares() throws {
        let mixed = try journeys(JourneyMix("browse=60,search=30,account=10,product=0"))
        let first = (0..<2_000).compactMap { walk(mixed, $0).first?.step }
        func share(_ step: String) -> Double { Double(first.filter { $0 == step }.count) / 2_000 }
        #expect(abs(share("browse") - 0.6) < 0.05 && abs(share("search") - 0.3) < 0.05)
        #expect(abs(share("account") - 0.1) < 0.05 && share("product") == 0)
    }

    @Test("a checkout looks, fills a cart and buys it, under one key, and tells what was acknowledged")
    func checkout() throws {
        let told = Mutex<[String]>([])
        let buying = try journeys(JourneyMix("checkout=1"), clients: .many) { order, _, key in
            told.withLock { $0.append("\(order) \(key)") }
        }
        let walked = walk(buying, 7)
        #expect(walked.map(\.step) == ["product", "cart", "cart", "checkout"])
        #expect(walked[0].pause == 0 && walked[2].pause == 0 && walked[3].pause >= 250_000_000)
        let order = try #require(walked.last?.request)
        #expect(order.contains("\r\nIdempotency-Key: run-7\r\n") && order.contains("tok_approved"))
        let address = try #require(Clients.many.address(of: 7))
        #expect(walked.allSatisfy { $0.request.contains("\r\nX-Forwarded-For: \(address)\r\n") })
        #expect(told.withLock { $0 } == ["\(Self.order) run-7"])
    }

    @Test("every request is whole: its length is its body's") func framing() throws {
        let all = try journeys(JourneyMix("browse=1,search=1,product=1,cart=1,checkout=1,account=1"))
        for (request, _, _) in (0..<200).flatMap({ walk(all, $0) }) {
            let parts = request.components(separatedBy: "\r\n\r\n")
            let length = parts[0].components(separatedBy: "\r\n").first { $0.hasPrefix("Content-Length: ") }
            #expect(parts.count == 2)
            #expect(length.map { Int($0.dropFirst(16)) == parts[1].utf8.count } ?? parts[1].isEmpty)
            #expect(parts[0].contains("\r\nHost: 127.0.0.1:8080"))
        }
    }

    @Test("addresses are as many as there are, within 198.18.0.0/15") func addresses() {
        let all = Set((0..<131_072).compactMap { Clients.many.address(of: $0) })
        #expect(all.count == 131_072 && all.allSatisfy { $0.hasPrefix("198.18.") || $0.hasPrefix("198.19.") })
        #expect(Clients.one.address(of: 3) == nil)
    }

    @Test("answers are judged by what the shopper wanted")
    func verdicts() {
        func verdict(_ answering: Answering, _ status: Int, _ body: String = "", attempt: Int = 1) -> Answering.Verdict
        {
            answering.verdict(status: status, body: Array(body.utf8), attempt: attempt)
        }
        for status in [200, 201, 204, 301, 304] { #expect(verdict(.page, status) == .good) }
        for status in [429, 502, 503, 504] { #expect(verdict(.order, status) == .again) }
        for status in [400, 402, 404, 409, 500] { #expect(verdict(.page, status) == .bad) }
        #expect(verdict(.order, 402) == .good && verdict(.order, 422) == .bad)
        #expect(verdict(.order, 409, #"{"type":"…/out-of-stock"}"#) == .good)
        #expect(verdict(.order, 409, #"{"type":"…/idempotency-key-in-use"}"#) == .again)
        #expect(verdict(.account, 409) == .bad && verdict(.account, 409, attempt: 2) == .good)
    }

    @Test("shoppers wait as long as they are told, within bounds, and scattered where they are told nothing")
    func patience() {
        #expect(Patience.wait(.absent, chance: 0) == nil)
        #expect(Patience.wait(.seconds(2), chance: 0) == 2_000_000_000)
        #expect(Patience.wait(.seconds(86_400), chance: 0) == Patience.longest)
        for attempt in 1...60 {
            let (low, high) = (
                Patience.backOff(attempt: attempt, chance: 0), Patience.backOff(attempt: attempt, chance: 1)
            )
            #expect(low >= Patience.shortest / 2 && high <= Patience.longest && low < high)
        }
    }

    @Test("a mix is read from JSON") func json() throws {
        let text =
            #"{"weights":{"checkout":1},"payments":{"tok_declined":1},"think":{"checkout":"2s"},"quantity":[2,2]}"#
        let mix = try JourneyMix(json: Array(text.utf8), file: "mix.json")
        #expect(mix.weights == [.checkout: 1] && mix.payments == ["tok_declined": 1])
        #expect(mix.think == [.checkout: .seconds(2)] && mix.quantity == 2...2)
    }

    @Test(
        "a mix that cannot be is named",
        arguments: ["", "browse", "browse=x", "browse=-1", "buy=1", "browse=0", "browse=1,,", "browse=1=2"])
    func wrong(_ text: String) { #expect(throws: DrillError.self) { try JourneyMix(text) } }

    @Test(
        "and so is one in a file",
        arguments: [
            "[]", "{", #"{"weights":1}"#, #"{"weights":{"buy":1}}"#, #"{"weights":{"browse":1},"pay":1}"#,
            #"{"weights":{"browse":1},"think":{"buy":"1s"}}"#, #"{"weights":{"browse":1},"quantity":[3,1]}"#,
            #"{"weights":{"browse":1},"quantity":[0,1]}"#, #"{"weights":{"browse":1},"payments":{}}"#,
        ])
    func wrongFile(_ text: String) {
        let error = #expect(throws: DrillError.self) { try JourneyMix(json: Array(text.utf8), file: "mix.json") }
        #expect(error?.description.contains("mix.json") == true)
    }
}
