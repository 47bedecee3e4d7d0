import Foundation
import Kernel
import Testing
import Wire

@testable import Objects

/// moto, which checks signatures as S3 does, started once for all tests.
enum S3Peer {
    static let isInstalled = PythonPeer.has("moto", "flask", "boto3")
    static let reason = "the S3 peer is not installed: scripts/setup test"

    private static let started = Result { try PythonPeer("s3.py") }

    static func facts() throws -> JSON { try started.get().facts }

    static func endpoint(_ name: String = "port") throws -> String {
        "http://127.0.0.1:\(try started.get().port(name))"
    }

    /// `allowed` may do all, `denied` nothing.
    static func credentials(_ name: String = "allowed") throws -> AWSCredentials {
        let key = try facts()[name]
        return AWSCredentials(accessKey: key?[0]?.stringValue ?? "", secretKey: key?[1]?.stringValue ?? "")
    }

    static func url(bucket: String = "souk-test", style: String = "path") throws -> S3URL {
        // A name below which every bucket has one: no name server knows it, requests are pinned to the peer.
        let host = style == "path" ? "127.0.0.1" : "s3.souk.example"
        let port = try started.get().port("port")
        let prefix = UUID().uuidString.lowercased()
        return try S3URL(
            "s3://\(bucket)?region=eu-west-1&endpoint=http://\(host):\(port)&prefix=\(prefix)&style=\(style)")
    }

    static func withStore(
        _ url: S3URL? = nil, _ credentials: AWSCredentialSource? = nil, clock: any WallClock = SystemClock(),
        _ body: (S3Objects) async throws -> Void
    ) async throws {
        let url = try url ?? self.url()
        let http = OutboundHTTP()
        let pin = OutboundRequest.Pin(host: "\(url.bucket).s3.souk.example", address: "127.0.0.1")
        let store = S3Objects(url, try credentials ?? .fixed(self.credentials()), clock: clock) { request in
            var request = request
            if url.style == .virtual { request.pin = pin }
            return try await http.send(request)
        }
        do { try await body(store) } catch { Issue.record(error) }
        try await http.shutdown()
    }
}

/// The forms of `ObjectStore`, which all keep the same promises.
enum ObjectStoreForm: String, CaseIterable, Sendable {
    case files
    case s3ByPath
    case s3ByHost

    static let available = allCases.filter { $0 == .files || S3Peer.isInstalled }

    func withStore(_ body: (any ObjectStore) async throws -> Void) async throws {
        switch self {
        case .files:
            let folder = NSTemporaryDirectory() + "souk-objects-\(UUID().uuidString)"
            defer { try? FileManager.default.removeItem(atPath: folder) }
            try await body(FileObjects(folder: folder))
        case .s3ByPath: try await S3Peer.withStore(S3Peer.url(style: "path")) { try await body($0) }
        case .s3ByHost: try await S3Peer.withStore(S3Peer.url(style: "virtual")) { try await body($0) }
        }
    }
}

extension S3Error {
    /// The case's name, for tests that care for no more.
    var kind: String { Mirror(reflecting: self).children.first?.label ?? "" }
}
