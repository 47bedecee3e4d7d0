import Kernel
import LoopbackPeer
import Testing
import Wire

@Suite("Calls to servers that are not Souk's") struct OutboundTests {
    private static func with(
        _ reply: LoopbackPeer.Reply, _ body: (LoopbackPeer, OutboundHTTP) async throws -> Void
    ) async throws {
        let peer = try LoopbackPeer { _ in reply }
        let http = OutboundHTTP()
        do { try await body(peer, http) } catch { Issue.record(error) }
        peer.stop()
        try await http.shutdown()
    }

    private static func get(
        _ url: String, atMost limit: Int = 100, timeout: Duration = .seconds(10), pin: OutboundRequest.Pin? = nil
    ) -> OutboundRequest {
        OutboundRequest(.get, url, timeout: timeout, largestAnswer: limit, pin: pin)
    }

    @Test("an answer is read up to its bound, and says whether that was all", arguments: [9, 10, 11])
    func bound(limit: Int) async throws {
        try await Self.with(.answer(200, headers: ["X-Said": "a"], "0123456789")) { peer, http in
            let answer = try await http.send(Self.get(peer.url, atMost: limit))
            #expect(answer.body == Array("0123456789".utf8.prefix(limit)))
            #expect(answer.isWhole == (limit >= 10) && answer.headers["x-said"] == "a")
        }
    }

    @Test("half an answer is a beginning, silence is none")
    func halfAnswers() async throws {
        try await Self.with(.head(200)) { peer, http in
            let answer = try await http.send(Self.get(peer.url, timeout: .milliseconds(500)))
            #expect(answer.status == 200 && answer.body == Array("half".utf8) && !answer.isWhole)
        }
        try await Self.with(.silence) { peer, http in
            await #expect(throws: (any Error).self) {
                try await http.send(Self.get(peer.url, timeout: .milliseconds(200)))
            }
        }
    }

    @Test("a redirect is an answer like others")
    func redirect() async throws {
        try await Self.with(.answer(307, headers: ["location": "http://127.0.0.1:1/"])) { peer, http in
            let answer = try await http.send(Self.get(peer.url))
            #expect(answer.status == 307 && answer.headers["location"] != nil)
            #expect(peer.requests.count == 1)
        }
    }

    @Test("a pinned name is reached at its address, and more names than pools are")
    func pins() async throws {
        try await Self.with(.answer(204)) { peer, http in
            for number in 0..<70 {
                let host = "host\(number).example"
                let request = Self.get(
                    "http://\(host):\(peer.port)/", pin: OutboundRequest.Pin(host: host, address: "127.0.0.1"))
                for _ in 0..<2 {
                    let answer = try await http.send(request)
                    #expect(answer.status == 204)
                }
            }
            #expect(Set(peer.requests.compactMap { $0.headers["host"] }).count == 70)
        }
    }
}
