import Kernel
import Synchronization

/// Signed calls to one bucket, made again while that may help.
///
/// Each of the calls may be carried out twice (an object is written whole, under its key), so that lost answers are
/// asked for again: after a random wait, within the call's time and a budget, so that retries never become the load
/// that keeps S3 slow.
final class S3Client: Sendable {
    static let attempts = 4
    /// For one of them.
    static let attemptTime = Duration.seconds(20)
    /// For a call with all its attempts.
    static let timeLimit = Duration.seconds(60)
    /// Waits are random between nothing and this, doubled with each attempt.
    static let firstWait = Duration.milliseconds(200)
    static let longestWait = Duration.seconds(5)
    static let maxMessageCharacters = 300

    let url: S3URL
    private let send: Outbound
    private let clock: any WallClock
    private let offset: ClockOffset
    private let cache: AWSCredentialCache
    private let budget = RetryBudget()

    init(_ url: S3URL, _ source: AWSCredentialSource, clock: any WallClock, send: @escaping Outbound) {
        let offset = ClockOffset()
        self.url = url
        self.clock = clock
        self.offset = offset
        self.send = send
        cache = AWSCredentialCache(source, now: { offset.correct(clock.now()) }, send: send)
    }

    struct Call: Sendable {
        var method: HTTPMethod
        /// With the URL's prefix; empty for the bucket itself.
        var key = ""
        var query: [(name: String, value: String)] = []
        var headers: [(name: String, value: String)] = []
        var body: [UInt8] = []
        /// The body's SHA-256 in hexadecimal.
        var payloadHash = emptyHash
        /// Bytes of the answer's body.
        var answerLimit = S3Client.answerLimit

        /// SHA-256 of nothing.
        static let emptyHash = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    }

    /// A thousand keys of the longest kind fit in.
    static let answerLimit = 4 << 20

    /// - Parameter read: is given answers of success, and those that say that the key has no object (404). What it
    ///   throws as `Fault.passing` is asked for again.
    /// - Throws: `S3Error`, `ObjectError.tooLarge`, what `read` throws, or `CancellationError`.
    func perform<Output>(_ call: Call, _ read: (OutboundAnswer) async throws -> Output) async throws -> Output {
        budget.deposit()
        let deadline = clock.now() + Self.timeLimit
        var attempt = 1
        var isClockCorrected = false
        var areCredentialsRenewed = false
        while true {
            try Task.checkCancellation()
            do {
                let answer = try await answer(to: call, until: deadline)
                return try await read(answer)
            } catch Fault.passing(let error) {
                let wait = Self.wait(after: attempt)
                guard attempt < Self.attempts, clock.now() + wait < deadline, budget.withdraw() else { throw error }
                attempt += 1
                try await clock.sleep(for: wait)
            } catch Fault.skewed(let serverTime) {
                let difference = serverTime - clock.now()
                guard !isClockCorrected else { throw S3Error.clockSkewed(seconds: difference.components.seconds) }
                isClockCorrected = true
                offset.set(difference)
            } catch Fault.stale(let credentials, let error) {
                guard !areCredentialsRenewed else { throw error }
                areCredentialsRenewed = true
                await cache.discard(credentials)
            }
        }
    }

    /// A URL by which anybody may make this one call within so many seconds, or as long as the credentials are good.
    func presigned(_ call: Call, seconds: Int) async throws -> (url: String, expiry: Timestamp) {
        let credentials = try await cache.credentials()
        let signature = SignatureV4(credentials: credentials, region: url.region, service: "s3")
        var request = request(for: call)
        request.payloadHash = SignatureV4.unsignedPayload
        let now = offset.correct(clock.now())
        let query = signature.presignedQuery(for: request, at: now, seconds: seconds)
        let expiry = now + .seconds(seconds)
        return (target(of: call, query: query), credentials.expiry.map { min($0, expiry) } ?? expiry)
    }

    /// What is not a success, and not the absence of an object, is thrown as a `Fault`, or as an `S3Error` where asking
    /// again would not help.
    private func answer(to call: Call, until deadline: Timestamp) async throws -> OutboundAnswer {
        let credentials = try await cache.credentials()
        let signature = SignatureV4(credentials: credentials, region: url.region, service: "s3")
        var request = request(for: call)
        request.headers.append(("x-amz-content-sha256", call.payloadHash))
        let added = signature.headers(for: request, at: offset.correct(clock.now()))
        let timeout = max(.milliseconds(1), min(Self.attemptTime, deadline - clock.now()))
        let answer: OutboundAnswer
        do {
            answer = try await send(
                OutboundRequest(
                    call.method, target(of: call, query: SignatureV4.canonicalQuery(call.query)),
                    headers: request.headers + added, body: call.body, timeout: timeout,
                    largestAnswer: call.answerLimit))
        } catch {
            if Task.isCancelled { throw CancellationError() }
            throw Fault.passing(S3Error.unavailable(request: name(of: call), reason: "no answer: \(error)"))
        }
        guard answer.isWhole || answer.body.count < call.answerLimit else {
            throw ObjectError.tooLarge(
                key: url.name(of: call.key), bytes: answer.body.count + 1, limit: call.answerLimit)
        }
        guard answer.isWhole else {
            throw Fault.passing(S3Error.unavailable(request: name(of: call), reason: "half an answer"))
        }
        if (200..<300).contains(answer.status) { return answer }
        let refusal = S3Refusal(answer)
        if answer.status == 404, refusal.code == "NoSuchKey" { return answer }
        throw refusal.fault(of: name(of: call), from: url, with: credentials)
    }

    private func request(for call: Call) -> SignatureV4.Request {
        SignatureV4.Request(
            method: call.method.rawValue, path: url.path(of: call.key), query: call.query,
            headers: [("host", url.host)] + call.headers, payloadHash: call.payloadHash)
    }

    private func target(of call: Call, query: String) -> String {
        let path = url.path(of: call.key).percentEncoded(keepsSlashes: true)
        return "\(url.scheme)://\(url.host)\(path)" + (query.isEmpty ? "" : "?\(query)")
    }

    func name(of call: Call) -> String { "\(call.method.rawValue) \(url.name(of: call.key))" }

    private static func wait(after attempt: Int) -> Duration {
        let most = min(longestWait, firstWait * (1 << (attempt - 1)))
        return .microseconds(Int64.random(in: 0...most.microseconds))
    }

    enum Fault: Error {
        /// May be gone soon.
        case passing(any Error)
        /// The request's time is too far from the server's.
        case skewed(serverTime: Timestamp)
        /// The credentials have expired before their time.
        case stale(AWSCredentials, S3Error)
    }
}

/// How far the server's clock is ahead of this machine's, once it has said so.
private final class ClockOffset: Sendable {
    private let offset = Mutex(Duration.zero)

    func correct(_ time: Timestamp) -> Timestamp { time + offset.withLock { $0 } }
    func set(_ new: Duration) { offset.withLock { $0 = new } }
}
