import Kernel
import Testing

@testable import Objects

@Suite("S3: what is asked, and what is made of answers") struct S3ClientTests {
    @Test("a put says what, and how it can be checked") func put() async throws {
        let peer = ScriptedPeer(.text(""))
        try await scripted(peer).put("a+b/1.svg", Array("<svg/>".utf8), contentType: "image/svg+xml")
        let request = try #require(peer.requests.first)
        #expect(request.method == .put)
        #expect(request.url == "https://shop.s3.eu-west-1.amazonaws.com/p/a%2Bb/1.svg")
        #expect(request.body == Array("<svg/>".utf8))
        #expect(request["host"] == "shop.s3.eu-west-1.amazonaws.com")
        #expect(request["content-type"] == "image/svg+xml")
        #expect(
            request["x-amz-content-sha256"] == "d4dc56669143034f31aa309635d4113d9ad76a02b1739da22c965ed2049be9e6")
        #expect(request["x-amz-checksum-sha256"] == "1NxWZpFDA08xqjCWNdQRPZrXagKxc52iLJZe0gSb6eY=")
        #expect(request["authorization"]?.contains("content-type;host;x-amz-checksum-sha256;") == true)
    }

    @Test("what is in the way for a moment is waited for, a random time, longer each time")
    func passing() async throws {
        let failures: [Result<OutboundAnswer, ScriptedPeer.Lost>] = [
            .refusal(503, "SlowDown"), .refusal(500, "InternalError"), .text("<html>Bad Gateway</html>", 502),
            .refusal(400, "RequestTimeout"), .lost, .half, .text("", 429),
        ]
        for failure in failures {
            let clock = HastyClock()
            let peer = ScriptedPeer(failure, failure, failure, .text("whole"))
            let object = try await scripted(peer, clock: clock).get("a")
            #expect(object?.bytes == Array("whole".utf8))
            #expect(peer.requests.count == 4)
            let most: [Duration] = [.milliseconds(200), .milliseconds(400), .milliseconds(800)]
            #expect(clock.waits.count == 3 && zip(clock.waits, most).allSatisfy { .zero <= $0 && $0 <= $1 })
        }
    }

    @Test("after the last attempt it is said what was in the way") func attempts() async throws {
        let peer = ScriptedPeer(.refusal(503, "SlowDown"))
        let error = await #expect(throws: S3Error.self) { try await scripted(peer).get("a") }
        #expect(error == .unavailable(request: "GET s3://shop/p/a", reason: "503 SlowDown"))
        #expect(peer.requests.count == S3Client.attempts)
    }

    @Test("a call has a time, with all its attempts") func timeLimit() async throws {
        let clock = HastyClock()
        let peer = ScriptedPeer { _, _ in
            clock.advance(by: S3Client.timeLimit)
            throw ScriptedPeer.Lost()
        }
        await #expect(throws: S3Error.self) { try await scripted(peer, clock: clock).get("a") }
        #expect(peer.requests.count == 1)
    }

    @Test("retries stay a small part of all calls while nothing works") func budget() async throws {
        let peer = ScriptedPeer(.lost)
        let store = try scripted(peer)
        for _ in 0..<100 {
            await #expect(throws: S3Error.self) { try await store.get("a") }
        }
        #expect(peer.requests.count < 125)
    }

    static let refusals: [(Result<OutboundAnswer, ScriptedPeer.Lost>, S3Error, String)] = [
        (
            .refusal(403, "AccessDenied"), .accessDenied(request: "GET s3://shop/p/a", message: "Because."),
            "s3:GetObject"
        ),
        (.refusal(404, "NoSuchBucket"), .noSuchBucket("shop"), "no bucket shop"),
        (
            .refusal(301, "PermanentRedirect", ["x-amz-bucket-region": "us-west-2"]),
            .wrongRegion(bucket: "shop", region: "eu-west-1", actual: "us-west-2"), "set region=us-west-2"
        ),
        (
            .refusal(400, "AuthorizationHeaderMalformed", more: "<Region>us-west-2</Region>"),
            .wrongRegion(bucket: "shop", region: "eu-west-1", actual: "us-west-2"), "set region=us-west-2"
        ),
        (
            .refusal(403, "SignatureDoesNotMatch"),
            .refused(
                request: "GET s3://shop/p/a", status: 403, code: "SignatureDoesNotMatch", message: "Because."),
            "SignatureDoesNotMatch"
        ),
        (
            .text("<html>not here</html>", 404),
            .refused(request: "GET s3://shop/p/a", status: 404, code: "", message: ""), "404"
        ),
    ]

    @Test("a refusal is final, and says what to do", arguments: refusals.indices) func refusal(_ index: Int)
        async throws
    {
        let (answer, expected, word) = Self.refusals[index]
        let peer = ScriptedPeer(answer)
        let error = await #expect(throws: S3Error.self) { try await scripted(peer).get("a") }
        #expect(error == expected && "\(expected)".contains(word))
        #expect(peer.requests.count == 1)
    }

    @Test("what is kept nowhere is nil, and no error") func missing() async throws {
        let store = try scripted(ScriptedPeer(.refusal(404, "NoSuchKey")))
        #expect(try await store.get("a") == nil)
        try await store.delete("a")
    }

    @Test("clocks ten minutes apart: the server's time is taken once, and kept") func clockSkew() async throws {
        for minutes in [10, -10] {
            let clock = HastyClock()
            let server = clock.now() + .seconds(minutes * 60)
            let peer = ScriptedPeer { request, _ in
                let difference = (request.date.map { server - $0 } ?? .seconds(9_999)).components.seconds
                if abs(difference) < 300 { return OutboundAnswer(status: 200, body: Array("on time".utf8)) }
                let date = minutes > 0 ? "Thu, 01 Jan 2026 00:10:00 GMT" : "Wed, 31 Dec 2025 23:50:00 GMT"
                return try Result.refusal(403, "RequestTimeTooSkewed", ["date": date]).get()
            }
            let store = try scripted(peer, clock: clock)
            #expect(try await store.get("a")?.bytes == Array("on time".utf8))
            #expect(peer.requests.count == 2 && clock.waits.isEmpty)
            _ = try await store.get("a")
            #expect(peer.requests.count == 3)
        }
    }

    @Test("a clock that cannot be helped is named") func hopelessClock() async throws {
        let answer = Result.refusal(403, "RequestTimeTooSkewed", ["date": "Thu, 01 Jan 2026 00:10:00 GMT"])
        let peer = ScriptedPeer(answer)
        let error = await #expect(throws: S3Error.self) { try await scripted(peer).get("a") }
        #expect(error == .clockSkewed(seconds: 600))
        #expect(peer.requests.count == 2)
    }

    @Test("bytes that are not those that were kept are asked for again, and never handed out") func damage()
        async throws
    {
        let wrong = Result<OutboundAnswer, ScriptedPeer.Lost>.text("other", 200, ["x-amz-checksum-sha256": "AAAA="])
        let peer = ScriptedPeer(wrong, .text("whole"))
        #expect(try await scripted(peer).get("a")?.bytes == Array("whole".utf8))
        let store = try scripted(ScriptedPeer(wrong))
        await #expect(throws: ObjectError.damaged(path: "s3://shop/p/a")) { try await store.get("a") }
    }

    @Test("the server's ETag means nothing: it may change without the bytes") func etags() async throws {
        let object = { (tag: String) in
            try await scripted(ScriptedPeer(.text("a", 200, ["content-type": "text/plain", "etag": tag]))).get("a")
        }
        let first = try await object("\"1\"")
        #expect(try await object("\"2\"") == first)
        let put = try await scripted(ScriptedPeer(.text(""))).put("a", [97], contentType: "text/plain")
        #expect(first?.etag == put)
    }

    @Test(
        "a list that is no list, is out of order or never ends is a passing failure",
        arguments: [
            "garbage", "<html/>", "<ListBucketResult><Contents>",
            "<ListBucketResult><Contents><Key>p/b</Key></Contents>"
                + "<Contents><Key>p/a</Key></Contents></ListBucketResult>",
            "<ListBucketResult><Contents><Key>other/a</Key></Contents></ListBucketResult>",
            "<ListBucketResult><IsTruncated>true</IsTruncated><Contents><Key>p/0</Key></Contents></ListBucketResult>",
        ])
    func badLists(body: String) async throws {
        let peer = ScriptedPeer(.text(body))
        let store = try scripted(peer)
        let error = await #expect(throws: S3Error.self) { try await store.list(prefix: "", after: "0", limit: 2) }
        #expect(error.map { "\($0)".contains("not S3's") } == true)
        #expect(peer.requests.count == S3Client.attempts)
    }

    @Test("keys that others have put there, and are none here, are passed over") func foreignKeys() async throws {
        let page = { (keys: [String], isTruncated: Bool) in
            Result<OutboundAnswer, ScriptedPeer.Lost>.text(
                "<ListBucketResult><IsTruncated>\(isTruncated)</IsTruncated>"
                    + keys.map { "<Contents><Key>p/\($0)</Key></Contents>" }.joined() + "</ListBucketResult>")
        }
        let peer = ScriptedPeer(
            page(["", "a b", "b"], true), page(["c/", "d&amp;e"], true), page(["f"], false))
        #expect(try await scripted(peer).list(prefix: "", after: nil, limit: 3) == ["b", "f"])
        #expect(
            peer.requests.map { $0.url.split(separator: "?").last ?? "" } == [
                "list-type=2&max-keys=3&prefix=p%2F", "list-type=2&max-keys=2&prefix=p%2F&start-after=p%2Fb",
                "list-type=2&max-keys=2&prefix=p%2F&start-after=p%2Fd%26e",
            ])
    }

    @Test("an object or an answer of more than the limit is not taken") func tooLarge() async throws {
        let store = try scripted(
            ScriptedPeer { request, _ in
                OutboundAnswer(status: 200, body: [UInt8](repeating: 0, count: request.largestAnswer + 1))
            })
        await #expect(throws: ObjectError.self) { try await store.get("a") }
        await #expect(throws: ObjectError.self) {
            try await store.presignedUpload(
                "a", contentType: "text/plain", bytes: S3Objects.maxBytes + 1, seconds: 60)
        }
        let long = String(repeating: "a", count: 200)
        let key = Array(repeating: long, count: 5).joined(separator: "/") + "/aaaaaaaaaaaaaaaaaa"
        #expect(key.utf8.count == ObjectKey.maxBytes - 1)
        // With the prefix it is too long for S3.
        await #expect(throws: ObjectError.self) { try await store.get(key) }
    }
}
