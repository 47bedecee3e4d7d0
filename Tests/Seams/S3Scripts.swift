import Kernel
import Synchronization

@testable import Objects

/// Answers as it is told, in place of the network, and remembers what it was asked.
final class ScriptedPeer: Sendable {
    typealias Script = @Sendable (_ request: OutboundRequest, _ number: Int) async throws -> OutboundAnswer
    struct Lost: Error {}

    private let script: Script
    private let seen = Mutex<[OutboundRequest]>([])

    /// Numbers start at 1.
    init(_ script: @escaping Script) { self.script = script }

    /// One answer after another; the last one for ever.
    convenience init(_ answers: Result<OutboundAnswer, ScriptedPeer.Lost>...) {
        self.init { _, number in try answers[min(number, answers.count) - 1].get() }
    }

    var requests: [OutboundRequest] { seen.withLock { $0 } }

    func send(_ request: OutboundRequest) async throws -> OutboundAnswer {
        let number = seen.withLock { seen in
            seen.append(request)
            return seen.count
        }
        var answer = try await script(request, number)
        if answer.body.count > request.largestAnswer {
            answer.body = Array(answer.body.prefix(request.largestAnswer))
            answer.isWhole = false
        }
        return answer
    }
}

/// A clock on which waiting takes no time, but the time passes.
final class HastyClock: WallClock {
    private let state: Mutex<(now: Timestamp, waits: [Duration])>

    init(_ start: Timestamp = Timestamp(year: 2026, month: 1, day: 1)) { state = Mutex((start, [])) }

    var waits: [Duration] { state.withLock { $0.waits } }
    func now() -> Timestamp { state.withLock { $0.now } }

    func sleep(for duration: Duration) {
        state.withLock { state in
            state.now = state.now + duration
            state.waits.append(duration)
        }
    }

    func advance(by duration: Duration) { state.withLock { $0.now = $0.now + duration } }
}

extension OutboundRequest {
    subscript(header: String) -> String? { headers.last { $0.name == header }?.value }

    /// `20260101T000000Z`
    var date: Timestamp? {
        guard let text = self["x-amz-date"], text.count == 16 else { return nil }
        let digits = Array(text)
        let part = { (range: Range<Int>) in String(digits[range]) }
        return Timestamp(
            rfc3339: "\(part(0..<4))-\(part(4..<6))-\(part(6..<8))T\(part(9..<11)):\(part(11..<13)):\(part(13..<15))Z")
    }
}

extension Result where Success == OutboundAnswer, Failure == ScriptedPeer.Lost {
    static func text(_ text: String, _ status: Int = 200, _ headers: [String: String] = [:]) -> Self {
        .success(OutboundAnswer(status: status, headers: headers, body: Array(text.utf8)))
    }

    /// As S3 says it.
    static func refusal(_ status: Int, _ code: String, _ headers: [String: String] = [:], more: String = "") -> Self {
        .text(
            "<?xml version=\"1.0\"?>\n<Error><Code>\(code)</Code><Message>Because.</Message>\(more)</Error>", status,
            headers)
    }

    static var lost: Self { .failure(ScriptedPeer.Lost()) }
    static var half: Self { .success(OutboundAnswer(status: 200, body: [0x68], isWhole: false)) }
}

/// A store whose peer is a script.
func scripted(
    _ peer: ScriptedPeer, clock: any WallClock = HastyClock(),
    _ source: AWSCredentialSource = .fixed(AWSCredentials(accessKey: "AKID", secretKey: "secret"))
) throws -> S3Objects {
    S3Objects(try S3URL("s3://shop?region=eu-west-1&prefix=p"), source, clock: clock, send: peer.send)
}
