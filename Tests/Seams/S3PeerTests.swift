import Foundation
import Kernel
import Testing
import Wire

@testable import Objects

/// Over real connections: moto in S3's place, which checks signatures, and a peer that answers badly.
@Suite("S3 over the network", .enabled(if: S3Peer.isInstalled, "\(S3Peer.reason)")) struct S3PeerTests {
    @Test("who may not is told, and so is who is not known") func denied() async throws {
        let denied = AWSCredentialSource.fixed(try S3Peer.credentials("denied"))
        try await S3Peer.withStore(nil, denied) { store in
            let error = await #expect(throws: S3Error.self) {
                try await store.put("a", [1], contentType: "text/plain")
            }
            #expect(error?.kind == "accessDenied")
        }
        let known = try S3Peer.credentials()
        let wrong = AWSCredentials(accessKey: known.accessKey, secretKey: "wrong")
        try await S3Peer.withStore(nil, .fixed(wrong)) { store in
            let error = await #expect(throws: S3Error.self) { try await store.get("a") }
            #expect(error.map { "\($0)".contains("403 SignatureDoesNotMatch") } == true)
        }
    }

    @Test("a bucket that is not there is named") func noSuchBucket() async throws {
        try await S3Peer.withStore(S3Peer.url(bucket: "no-such-bucket")) { store in
            await #expect(throws: S3Error.noSuchBucket("no-such-bucket")) {
                try await store.put("a", [1], contentType: "text/plain")
            }
            await #expect(throws: S3Error.noSuchBucket("no-such-bucket")) { try await store.get("a") }
        }
    }

    @Test("keys with every character that a key may have") func characters() async throws {
        try await S3Peer.withStore { store in
            let keys = ["a+b=c@d~e.f-g_h", "A/%2B".replacing("%2B", with: "+"), "x=1/y@2"].sorted()
            for key in keys { try await store.put(key, Array(key.utf8), contentType: "text/plain") }
            for key in keys { #expect(try await store.get(key)?.bytes == Array(key.utf8)) }
            #expect(try await store.list(prefix: "", after: nil, limit: 10) == keys)
        }
    }

    @Test("a megabyte there and back") func large() async throws {
        try await S3Peer.withStore { store in
            var random = SeededGenerator(seed: 1)
            let bytes = (0..<(1 << 20)).map { _ in UInt8.random(in: 0...255, using: &random) }
            try await store.put("a", bytes, contentType: "application/octet-stream")
            #expect(try await store.get("a")?.bytes == bytes)
        }
    }

    @Test("a presigned upload takes what was agreed, and nothing else") func presigned() async throws {
        try await S3Peer.withStore { store in
            let upload = try await store.presignedUpload(
                "up+load/1.png", contentType: "image/png", bytes: 3, seconds: 60)
            let http = OutboundHTTP()
            func put(_ bytes: [UInt8], type: String) async throws -> Int {
                let request = OutboundRequest(
                    .put, upload.url, headers: [("content-type", type)], body: bytes, timeout: .seconds(60),
                    largestAnswer: 10_000)
                return try await http.send(request).status
            }
            #expect(try await put([1, 2, 3, 4], type: "image/png") == 403)
            #expect(try await put([1, 2, 3], type: "text/html") == 403)
            #expect(try await store.get("up+load/1.png") == nil)
            #expect(try await put([1, 2, 3], type: "image/png") == 200)
            let object = try await store.get("up+load/1.png")
            #expect(object?.bytes == [1, 2, 3] && object?.contentType == "image/png")
            #expect(upload.headers == ["content-type": "image/png", "content-length": "3"])
            try await http.shutdown()
        }
    }

    @Test("a role's credentials by web identity, from STS") func webIdentity() async throws {
        let file = NSTemporaryDirectory() + "souk-token-\(UUID().uuidString)"
        try "a-token".write(toFile: file, atomically: true, encoding: .utf8)
        defer { try? FileManager.default.removeItem(atPath: file) }
        let source = try AWSCredentialSource.named(
            in: [
                "AWS_WEB_IDENTITY_TOKEN_FILE": file, "AWS_ROLE_ARN": S3Peer.facts()["role"]?.stringValue ?? "",
                "AWS_ENDPOINT_URL_STS": S3Peer.endpoint(),
            ], region: "eu-west-1")
        try await S3Peer.withStore(nil, source) { store in
            try await store.put("a", [1], contentType: "text/plain")
            #expect(try await store.get("a")?.bytes == [1])
        }
    }

    /// A bucket on the peer that answers badly, by the object's name.
    private func faulty() throws -> S3URL {
        try S3URL("s3://faults?endpoint=\(S3Peer.endpoint("faults"))&prefix=\(UUID().uuidString)")
    }

    @Test(
        "half an answer, garbage and slow-down are asked for again",
        arguments: ["slow-down", "half-head", "half-body", "garbage"])
    func faults(fault: String) async throws {
        try await S3Peer.withStore(faulty(), clock: HastyClock(SystemClock().now())) { store in
            let object = try await store.get(fault)
            #expect(object?.bytes == Array("whole".utf8))
            let error = await #expect(throws: S3Error.self) { try await store.get("always-" + fault) }
            #expect(error?.kind == "unavailable")
        }
    }

    @Test("a peer that is away is named, and not waited for long") func absent() async throws {
        let location = try S3URL("s3://faults?endpoint=http://127.0.0.1:1")
        try await S3Peer.withStore(location, clock: HastyClock()) { store in
            let error = await #expect(throws: S3Error.self) { try await store.get("a") }
            #expect(error?.kind == "unavailable")
        }
    }

    @Test("who gives up is not kept") func cancellation() async throws {
        try await S3Peer.withStore(faulty()) { store in
            await withTaskGroup(of: Void.self) { group in
                group.addTask {
                    await #expect(throws: CancellationError.self) { try await store.get("always-mute") }
                }
                group.cancelAll()
            }
        }
    }
}
