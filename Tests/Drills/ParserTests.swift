import Testing

@testable import Drills

/// The answers of servers, cut into pieces at every place.
@Suite("Answers are read whatever pieces they arrive in") struct ParserTests {
    struct Case: Sendable {
        var name: String
        var text: String
        var status: Int
        var body = ""
        var keeps = true
        var retryAfter = AnswerParser.RetryAfter.absent
    }

    static let cases = [
        Case(
            name: "a length", text: "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nDate: today\r\n\r\nhello", status: 200,
            body: "hello"),
        Case(name: "no body", text: "HTTP/1.1 204 No Content\r\nServer: x\r\n\r\n", status: 204),
        Case(name: "not modified", text: "HTTP/1.1 304 Not Modified\r\nContent-Length: 7\r\n\r\n", status: 304),
        Case(name: "an empty body", text: "HTTP/1.1 404 Not Found\r\ncontent-length:0\r\n\r\n", status: 404),
        Case(name: "no reason", text: "HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n", status: 200),
        Case(name: "bare line feeds", text: "HTTP/1.1 200 OK\nContent-Length: 2\n\nok", status: 200, body: "ok"),
        Case(
            name: "chunks", status: 200, body: "hello world",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: x, Chunked\r\n\r\n5\r\nhello\r\n6;a=b\r\n world\r\n0\r\nX: y\r\n\r\n"
        ),
        Case(
            name: "a refusal", text: "HTTP/1.1 503 Busy\r\nRETRY-AFTER:  2 \r\nContent-Length: 4\r\n\r\nbusy",
            status: 503, body: "busy", retryAfter: .seconds(2)),
        Case(
            name: "a refusal until a date",
            text: "HTTP/1.1 429 Slow\r\nRetry-After: Wed, 21 Oct 2026 07:28:00 GMT\r\nContent-Length: 0\r\n\r\n",
            status: 429, retryAfter: .other),
        Case(
            name: "the last answer", text: "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 1\r\n\r\nx",
            status: 200, body: "x", keeps: false),
        Case(
            name: "an interim answer before",
            text:
                "HTTP/1.1 103 Early Hints\r\nConnection: close\r\n\r\nHTTP/1.1 201 Made\r\nContent-Length: 2\r\n\r\nok",
            status: 201, body: "ok"),
        Case(
            name: "HTTP/1.0 that stays",
            text: "HTTP/1.0 200 OK\r\nConnection: Keep-Alive\r\nContent-Length: 0\r\n\r\n", status: 200),
        Case(
            name: "HTTP/1.0", text: "HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n", status: 200, keeps: false),
    ]

    @Test("at every split", arguments: cases) func split(_ example: Case) {
        let bytes = Array(example.text.utf8)
        for first in 0...bytes.count {
            for second in [first, (first + bytes.count) / 2, bytes.count] {
                let pieces = [bytes[..<first], bytes[first..<second], bytes[second...]].map(Array.init)
                expect(pieces, are: example, keepsBody: first % 2 == 0)
            }
        }
        expect(bytes.map { [$0] }, are: example, keepsBody: true)
    }

    private func expect(_ pieces: [[UInt8]], are example: Case, keepsBody: Bool) {
        var parser = AnswerParser()
        parser.expect(keepsBody: keepsBody)
        var last = AnswerParser.Step.more
        for piece in pieces where !piece.isEmpty {
            #expect(last == .more, "\(example.name) ended before its end")
            let (used, step) = piece.withUnsafeBytes { parser.read($0) }
            #expect(used == piece.count)
            last = step
        }
        #expect(last == .answered, "\(example.name)")
        #expect(parser.answer.status == example.status)
        #expect(parser.answer.keepsConnection == example.keeps)
        #expect(parser.answer.retryAfter == example.retryAfter)
        #expect(parser.answer.bytes == example.body.utf8.count)
        #expect(String(decoding: parser.body, as: UTF8.self) == (keepsBody ? example.body : ""))
    }

    @Test("an answer without a length ends with its connection") func untilClose() {
        var parser = AnswerParser()
        parser.expect(keepsBody: true)
        let bytes = Array("HTTP/1.1 200 OK\r\n\r\nas long as it takes".utf8)
        #expect(bytes.withUnsafeBytes { parser.read($0) }.step == .more)
        #expect(!parser.answer.keepsConnection)
        let isWhole = parser.end()
        #expect(isWhole)
        #expect(String(decoding: parser.body, as: UTF8.self) == "as long as it takes")
    }

    @Test("a connection that ends inside an answer ended too early", arguments: [0, 9, 30, 41]) func cut(_ count: Int) {
        var parser = AnswerParser()
        parser.expect(keepsBody: false)
        let bytes = Array("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello".utf8.prefix(count))
        #expect(bytes.withUnsafeBytes { parser.read($0) }.step == .more)
        let isWhole = parser.end()
        #expect(!isWhole)
    }

    @Test("what follows an answer is not part of it") func next() {
        var parser = AnswerParser()
        parser.expect(keepsBody: false)
        let one = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
        let bytes = Array((one + "HTTP/1.1 500 No\r\n").utf8)
        let (used, step) = bytes.withUnsafeBytes { parser.read($0) }
        #expect(used == one.utf8.count && step == .answered)
    }

    @Test(
        "what is no HTTP answer is told apart",
        arguments: [
            "GET / HTTP/1.1\r\n", "HTTP/2 200\r\n", "HTTP/1.1 2x0 OK\r\n", "HTTP/1.1 099 OK\r\n",
            "HTTP/1.1 2000 OK\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nab\r\n",
            "HTTP/1.1 101 Switching Protocols\r\n\r\n",
        ])
    func broken(_ text: String) {
        var parser = AnswerParser()
        parser.expect(keepsBody: false)
        #expect(Array(text.utf8).withUnsafeBytes { parser.read($0) }.step == .broken)
    }

    @Test("a line without an end is not kept for ever") func endless() {
        var parser = AnswerParser()
        parser.expect(keepsBody: false)
        let piece = [UInt8](repeating: 0x61, count: 1_000)
        let steps = (0..<100).map { _ in piece.withUnsafeBytes { parser.read($0) }.step }
        #expect(steps.contains(.broken))
    }
}

extension ParserTests.Case {
    init(name: String, status: Int, body: String, _ text: String) {
        self.init(name: name, text: text, status: status, body: body)
    }
}
