public enum UserKind: Identified { public static let idPrefix = "user" }
public typealias UserID = ID<UserKind>

/// What an account may do. Each role may do all that the one before may.
public enum Role: String, Codable, Sendable, CaseIterable, Comparable {
    case customer, staff, admin

    private var rank: Int {
        switch self {
        case .customer: 0
        case .staff: 1
        case .admin: 2
        }
    }

    public static func < (left: Role, right: Role) -> Bool { left.rank < right.rank }
}

/// Who calls.
public enum Caller: Hashable, Sendable {
    case anonymous
    case user(UserID, Role)
    /// Another role of Souk itself.
    case service(String)

    public var userID: UserID? {
        if case .user(let id, _) = self { id } else { nil }
    }

    public var isStaff: Bool {
        switch self {
        case .user(_, let role): role >= .staff
        case .service: true
        case .anonymous: false
        }
    }
}

/// What travels with every call, in one process and between processes.
public struct CallContext: Sendable {
    public var caller: Caller
    /// After this moment nobody waits for the answer any more.
    public var deadline: ContinuousClock.Instant
    /// The caller's `Idempotency-Key`, without its quotes; at most 255 characters.
    public var idempotencyKey: String?
    /// The version that a conditional write expects (`If-Match`).
    public var expectedVersion: Int64?
    /// The token that the caller came with, which log-out ends. A secret: it is never shown.
    public var accessToken: String?
    /// The network address that the request came from, as far as the edge knows it: for throttling alone.
    public var clientAddress: String?
    public var trace: TraceContext

    public static let defaultTimeout: Duration = .seconds(30)

    public init(
        caller: Caller = .anonymous, timeout: Duration = defaultTimeout, idempotencyKey: String? = nil,
        expectedVersion: Int64? = nil, trace: TraceContext = .root()
    ) {
        self.caller = caller
        self.deadline = .now + timeout
        self.idempotencyKey = idempotencyKey
        self.expectedVersion = expectedVersion
        self.trace = trace
    }

    /// A call that Souk makes for itself: a saga taken up again, an event delivered.
    public static func service(_ name: String, timeout: Duration = defaultTimeout) -> CallContext {
        CallContext(caller: .service(name), timeout: timeout)
    }

    /// The same call made on by `name`: the deadline and trace go on, the key and condition do not.
    public func acting(as name: String) -> CallContext {
        var context = self
        context.caller = .service(name)
        context.idempotencyKey = nil
        context.expectedVersion = nil
        context.accessToken = nil
        return context
    }

    public func checkDeadline() throws(Problem) {
        if ContinuousClock.now > deadline {
            throw Problem(.deadlineExceeded, "the caller's deadline passed before the work was done", retryAfter: 1)
        }
    }
}

extension CallContext: CustomStringConvertible, CustomReflectable {
    public var description: String {
        "CallContext(\(caller), trace: \(trace.traceID), accessToken: \(accessToken == nil ? "none" : "redacted"))"
    }

    /// `dump` and string interpolation of what holds a context look here: the token is not among it.
    public var customMirror: Mirror { Mirror(self, children: ["description": description]) }
}

/// The W3C Trace Context of a call.
public struct TraceContext: Hashable, Sendable {
    public var traceHigh: UInt64
    public var traceLow: UInt64
    public var span: UInt64
    public var isSampled: Bool

    public init(traceHigh: UInt64, traceLow: UInt64, span: UInt64, isSampled: Bool) {
        self.traceHigh = traceHigh
        self.traceLow = traceLow
        self.span = span
        self.isSampled = isSampled
    }

    /// A new trace.
    public static func root(isSampled: Bool = false) -> TraceContext {
        TraceContext(
            traceHigh: .random(in: 1...UInt64.max), traceLow: .random(in: 1...UInt64.max),
            span: .random(in: 1...UInt64.max), isSampled: isSampled)
    }

    /// The same trace, a new span.
    public func child() -> TraceContext {
        var child = self
        child.span = .random(in: 1...UInt64.max)
        return child
    }

    /// Reads a `traceparent` header of version 00 (or a later one's first fields); nil if it is malformed.
    public init?(traceparent: some StringProtocol) {
        // By position and in one pass: it comes with every request and every event.
        var text = String(traceparent)
        let found: TraceContext? = text.withUTF8 { bytes in
            guard bytes.count >= 55, bytes[2] == Self.dash, bytes[35] == Self.dash,
                bytes[52] == Self.dash,
                let version = Self.hex(bytes, 0..<2), version != 0xFF,
                bytes.count == 55 || version != 0 && bytes[55] == Self.dash,
                let high = Self.hex(bytes, 3..<19), let low = Self.hex(bytes, 19..<35), high | low != 0,
                let span = Self.hex(bytes, 36..<52), span != 0, let flags = Self.hex(bytes, 53..<55)
            else { return nil }
            return TraceContext(traceHigh: high, traceLow: low, span: span, isSampled: flags & 1 == 1)
        }
        guard let found else { return nil }
        self = found
    }

    private static let dash = UInt8(ascii: "-")

    /// Lower case only, as the standard has it.
    private static func hex(_ bytes: UnsafeBufferPointer<UInt8>, _ range: Range<Int>) -> UInt64? {
        var value: UInt64 = 0
        for byte in bytes[range] {
            switch byte {
            case UInt8(ascii: "0")...UInt8(ascii: "9"): value = value << 4 | UInt64(byte - UInt8(ascii: "0"))
            case UInt8(ascii: "a")...UInt8(ascii: "f"): value = value << 4 | UInt64(byte - UInt8(ascii: "a") + 10)
            default: return nil
            }
        }
        return value
    }

    public var traceparent: String { "00-\(traceID)-\(Self.hex(span))-\(isSampled ? "01" : "00")" }
    public var traceID: String { Self.hex(traceHigh) + Self.hex(traceLow) }
    public var spanID: String { Self.hex(span) }

    private static func hex(_ value: UInt64) -> String {
        String(unsafeUninitializedCapacity: 16) { buffer in
            for index in 0..<16 {
                let digit = UInt8(truncatingIfNeeded: value >> UInt64(60 - index * 4)) & 15
                buffer[index] = digit < 10 ? digit + UInt8(ascii: "0") : digit - 10 + UInt8(ascii: "a")
            }
            return 16
        }
    }
}
