import Kernel
import Metrics
import NIOCore

/// One answer in all the forms it is sent in.
// Unchecked: once it is in its shard it is touched under that one's lock only, and before that by its maker only.
final class EdgeEntry: @unchecked Sendable {
    /// Head and body as they go over the wire, but for the date.
    struct Ready {
        private(set) var bytes: ByteBuffer
        /// Of the head without the empty line that ends it.
        private let headLength: Int
        private let dateOffset: Int
        private var second: Int64

        init(_ answer: Answer, _ renderer: Renderer) {
            bytes = ByteBuffer()
            bytes.reserveCapacity(1_024 + answer.body.count)
            renderer.writeHead(answer, to: &bytes)
            headLength = bytes.readableBytes
            dateOffset = Renderer.dateOffset(answer.status)
            bytes.writeStaticString("\r\n")
            if answer.status != 304 { bytes.writeBytes(answer.body) }
            second = HTTPDate.second()
        }

        var body: ByteBuffer { bytes.getSlice(at: headLength + 2, length: bytes.writerIndex - headLength - 2) ?? bytes }

        /// The whole, or only the head, with today's date and maybe further header lines.
        mutating func hit(isHead: Bool, extra: String?) -> EdgeHit {
            let now = HTTPDate.second()
            if now != second {
                second = now
                // Copies the bytes once if they are being written somewhere at this moment.
                bytes.setBytes(HTTPDate.now(), at: dateOffset)
            }
            if let extra {
                var head = ByteBuffer()
                head.reserveCapacity(headLength + extra.utf8.count + 2)
                head.writeBytes(bytes.readableBytesView.prefix(headLength))
                head.writeString(extra)
                head.writeStaticString("\r\n")
                return EdgeHit(bytes: head, rest: isHead || bytes.writerIndex == headLength + 2 ? nil : body)
            }
            guard isHead, let head = bytes.getSlice(at: 0, length: headLength + 2) else { return EdgeHit(bytes: bytes) }
            return EdgeHit(bytes: head)
        }
    }

    enum Gzip {
        /// It would not get smaller.
        case never
        /// Nobody asked for it yet.
        case possible
        case ready(Ready)
    }

    let target: [UInt8]
    let hash: Int
    let tags: [String]
    let isImmutable: Bool
    let etag: [UInt8]
    private let expiry: NIODeadline?
    /// Without its body, which is in `plain`.
    private let template: Answer
    private var plain: Ready
    private var gzip: Gzip
    private var unchanged: Ready
    private let answered: Counter
    private let answeredUnchanged: Counter
    /// Hit since the hand of the clock passed.
    var isReferenced = false
    var isRemoved = false
    /// Since when something that it shows was written. It is kept for when no new one can be made, and found for
    /// nothing else.
    private(set) var staleSince: NIODeadline?
    /// How old a stale one may become.
    private static let longestStale = TimeAmount.hours(1)

    init(
        _ target: [UInt8], _ hash: Int, _ answer: Answer, _ keeping: Answer.Keeping, _ expiry: NIODeadline?,
        _ metrics: RouteMetrics, _ renderer: Renderer
    ) {
        self.target = target
        self.hash = hash
        self.expiry = expiry
        tags = keeping.tags
        isImmutable = keeping.isImmutable
        etag = Array((answer.etag ?? "").utf8)
        plain = Ready(answer, renderer)
        gzip = Wire.Gzip.isWorthIt(answer.contentType, answer.body.count) ? .possible : .never
        unchanged = Ready(answer.unchanged, renderer)
        answered = metrics.counter(status: 200)
        answeredUnchanged = metrics.counter(status: 304)
        var template = answer
        template.body = []
        self.template = template
    }

    var size: Int {
        var size = plain.bytes.capacity + unchanged.bytes.capacity + 1_024 + tags.count * 64
        if case .ready(let ready) = gzip { size += ready.bytes.capacity }
        return size
    }

    func isServable(_ target: UnsafeRawBufferPointer) -> Bool {
        guard staleSince == nil, isOf(target) else { return false }
        return expiry.map { NIODeadline.now() < $0 } ?? true
    }

    /// Whether it may stand in for a newer one that cannot be made.
    func isLeftover(_ target: UnsafeRawBufferPointer) -> Bool {
        guard isOf(target) else { return false }
        return (staleSince ?? expiry).map { NIODeadline.now() < $0 + Self.longestStale } ?? true
    }

    func isOf(_ target: UnsafeRawBufferPointer) -> Bool {
        target.count == self.target.count && self.target.elementsEqual(target)
    }

    func becomeStale() {
        staleSince = .now()
        isReferenced = false
    }

    /// - Parameter needsGzip: nil if the gzip form is asked for and not made yet; otherwise the plain one will do.
    func hit(_ head: RequestHead, _ bytes: UnsafeRawBufferPointer, needsGzip: Bool) -> EdgeHit? {
        isReferenced = true
        let extra = Self.extra(for: head, bytes)
        if let range = head.ifNoneMatch, !etag.isEmpty,
            etag.withUnsafeBytes({ ETag.matches(bytes, range, $0) })
        {
            answeredUnchanged.increment()
            return unchanged.hit(isHead: true, extra: extra)
        }
        if head.acceptsGzip {
            switch gzip {
            case .never: break
            case .possible where needsGzip: return nil
            case .possible: break
            case .ready(var ready):
                // Taken out while it is changed: a second reference would make every change a copy.
                gzip = .never
                let hit = ready.hit(isHead: head.isHead, extra: extra)
                gzip = .ready(ready)
                answered.increment()
                return hit
            }
        }
        answered.increment()
        return plain.hit(isHead: head.isHead, extra: extra)
    }

    func add(gzip ready: Ready) { gzip = .ready(ready) }

    var answer: Answer {
        var answer = template
        answer.body = Array(plain.body.readableBytesView)
        return answer
    }

    /// The header lines that this one answer has besides; nil without.
    static func extra(for head: RequestHead, _ bytes: UnsafeRawBufferPointer) -> String? {
        guard head.traceparent != nil || !head.keepsAlive else { return nil }
        var extra = head.keepsAlive ? "" : "connection: close\r\n"
        if let range = head.traceparent {
            let trace = TraceContext(traceparent: String(decoding: bytes[range], as: UTF8.self))?.child() ?? .root()
            extra += "traceparent: \(trace.traceparent)\r\n"
        }
        return extra
    }
}
