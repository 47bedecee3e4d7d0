import NIOCore

/// One connection on its event loop: bytes become requests, one at a time and in their order; answers become bytes.
///
/// What a peer may take of time and memory is bounded here: the head, the body, the time for each, and the bytes that
/// wait while a request is being served.
final class ConnectionHandler: ChannelDuplexHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = Incoming
    typealias OutboundIn = Outgoing
    typealias OutboundOut = ByteBuffer

    private enum State {
        /// Between two requests, or in a head.
        case head
        case body(Head, remaining: Int)
        case chunks(Head, ChunkedBody)
        /// A request was handed on and its answer has not come.
        case serving
        /// The last answer was sent; what still comes is thrown away.
        case lingering
    }

    private struct Head {
        let head: RequestHead
        let bytes: ByteBuffer
    }

    /// Bytes that may wait behind a request that is being served.
    static let mostWaiting = 64 << 10
    /// How long a peer may take to close after the last answer, and to take an answer at all.
    static let lingerTime = TimeAmount.seconds(2)
    static let stallTime = TimeAmount.seconds(30)

    private let limits: ConnectionLimits
    private let edge: EdgeCache?
    private let turnstile: Turnstile?
    private let drain: Drain
    private let watch: TaskWatch

    private var state = State.head
    private var buffer = ByteBuffer()
    private var head = RequestHead()
    /// Bytes of an unfinished head in which no end was found.
    private var searched = 0
    private var peer = ""
    private var since = NIODeadline.now()
    private var stalledSince: NIODeadline?
    private var isDraining = false
    private var inputClosed = false
    private var needsFlush = false
    private var handedOn = false
    private var heldRead = false
    private var alarm: Scheduled<Void>?

    init(limits: ConnectionLimits, edge: EdgeCache?, turnstile: Turnstile?, drain: Drain, watch: TaskWatch) {
        self.limits = limits
        self.edge = edge
        self.turnstile = turnstile
        self.drain = drain
        self.watch = watch
    }

    func handlerAdded(context: ChannelHandlerContext) {
        since = .now()
        setAlarm(context)
        if context.channel.isActive { peer = context.remoteAddress?.ipAddress ?? "" }
    }

    func channelActive(context: ChannelHandlerContext) {
        peer = context.remoteAddress?.ipAddress ?? ""
        context.fireChannelActive()
    }

    func channelInactive(context: ChannelHandlerContext) {
        alarm?.cancel()
        alarm = nil
        context.fireChannelInactive()
    }

    func handlerRemoved(context: ChannelHandlerContext) { alarm?.cancel() }

    // MARK: - Bytes in

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        var bytes = unwrapInboundIn(data)
        if case .lingering = state { return }
        if case .head = state, buffer.readableBytes == 0 { since = .now() }
        if buffer.readableBytes == 0 { buffer = bytes } else { buffer.writeBuffer(&bytes) }
        process(context)
    }

    /// Goes on only where a request did: what the edge answered concerns nobody behind.
    func channelReadComplete(context: ChannelHandlerContext) { settle(context) }

    func read(context: ChannelHandlerContext) {
        if mustWait(context) { heldRead = true } else { context.read() }
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        if context.channel.isWritable {
            stalledSince = nil
            process(context)
            settle(context)
        } else {
            stalledSince = .now()
        }
        context.fireChannelWritabilityChanged()
    }

    private func mustWait(_ context: ChannelHandlerContext) -> Bool {
        guard buffer.readableBytes >= Self.mostWaiting else { return false }
        if case .serving = state { return true }
        return !context.channel.isWritable
    }

    /// Lets what was written and handed on take effect.
    private func settle(_ context: ChannelHandlerContext) {
        flushIfNeeded(context)
        if handedOn {
            handedOn = false
            context.fireChannelReadComplete()
        }
    }

    private func flushIfNeeded(_ context: ChannelHandlerContext) {
        if needsFlush {
            needsFlush = false
            context.flush()
        }
    }

    // MARK: - Requests

    private func process(_ context: ChannelHandlerContext) {
        do throws(Refusal) {
            while try step(context) {}
        } catch {
            refuse(error, context)
        }
        if heldRead, !mustWait(context) {
            heldRead = false
            context.read()
        }
        if inputClosed { finishInput(context) }
    }

    /// - Returns: whether there may be more to do.
    private func step(_ context: ChannelHandlerContext) throws(Refusal) -> Bool {
        switch state {
        case .serving, .lingering: return false
        case .head: return try readHead(context)
        case .body(let head, let remaining):
            guard buffer.readableBytes >= remaining else { return false }
            hand(on: head, body: buffer.readSlice(length: remaining) ?? ByteBuffer(), context)
        case .chunks(let head, var body):
            // Taken out while it grows: a second reference would copy the body with every piece.
            state = .serving
            let isComplete = try body.read(&buffer, limit: limits.body)
            state = .chunks(head, body)
            guard isComplete else { return false }
            hand(on: head, body: body.body, context)
        }
        return true
    }

    private func readHead(_ context: ChannelHandlerContext) throws(Refusal) -> Bool {
        while buffer.readableBytes >= 2, buffer.getInteger(at: buffer.readerIndex, as: UInt16.self) == 0x0D0A {
            buffer.moveReaderIndex(forwardBy: 2)
        }
        guard buffer.readableBytes > 0, context.channel.isWritable else { return false }
        if searched > 0, !mayBeComplete() { return try unfinished() }
        let isComplete = try buffer.withUnsafeReadableBytes { bytes throws(Refusal) in try head.read(bytes) }
        guard isComplete else { return try unfinished() }
        searched = 0
        // In a drain each answer says that it is the last, which kept ones do not: they are made anew.
        if let edge, !drain.isOn, !isDraining, !head.hasBody, head.isPlain, head.isGet || head.isHead {
            if let hit = buffer.withUnsafeReadableBytes({ edge.hit(head, $0) }) {
                buffer.moveReaderIndex(forwardBy: head.length)
                send(hit, context)
                return true
            }
        }
        try begin(context)
        return true
    }

    private func send(_ hit: EdgeHit, _ context: ChannelHandlerContext) {
        context.write(wrapOutboundOut(hit.bytes), promise: nil)
        if let rest = hit.rest { context.write(wrapOutboundOut(rest), promise: nil) }
        needsFlush = true
        since = .now()
        if !head.keepsAlive { end(context) }
    }

    /// Whether the end of the head may be among the bytes that came since the last look: a line ended that is empty,
    /// or wrongly.
    private func mayBeComplete() -> Bool {
        let view = buffer.readableBytesView
        var position = view.startIndex + max(0, searched - 3)
        while position < view.endIndex {
            if view[position] == ASCII.lineFeed, position >= view.startIndex + 1 {
                guard view[position - 1] == ASCII.carriageReturn else { return true }
                if position >= view.startIndex + 3, view[position - 2] == ASCII.lineFeed { return true }
            }
            position += 1
        }
        return false
    }

    private func unfinished() throws(Refusal) -> Bool {
        searched = buffer.readableBytes
        guard searched > RequestHead.longest else { return false }
        // Too long for any head: reading it again says what is too long.
        _ = try buffer.withUnsafeReadableBytes { bytes throws(Refusal) in try head.read(bytes) }
        throw .headersTooLarge(limit: RequestHead.largestHeaders)
    }

    private func begin(_ context: ChannelHandlerContext) throws(Refusal) {
        guard let bytes = buffer.readSlice(length: head.length) else { return }
        let whole = Head(head: head, bytes: bytes)
        since = .now()
        guard head.hasBody else { return hand(on: whole, body: ByteBuffer(), context) }
        if let length = head.contentLength {
            guard length <= limits.body else { throw .bodyTooLarge(limit: limits.body) }
            state = .body(whole, remaining: length)
        } else {
            state = .chunks(whole, ChunkedBody(allocator: context.channel.allocator))
        }
        if head.expectsContinue, buffer.readableBytes == 0 {
            context.writeAndFlush(wrapOutboundOut(ByteBuffer(string: "HTTP/1.1 100 Continue\r\n\r\n")), promise: nil)
        }
    }

    private func hand(on head: Head, body: ByteBuffer, _ context: ChannelHandlerContext) {
        let incoming = Incoming(
            bytes: head.bytes, head: head.head, body: body, refusal: nil, peer: peer, arrival: since,
            keepsAlive: head.head.keepsAlive && !isDraining)
        if !drain.isOn, !isDraining, let answer = turnstile?.answer(incoming) {
            state = .head
            return send(answer, context)
        }
        state = .serving
        since = .now()
        context.fireChannelRead(wrapInboundOut(incoming))
        handedOn = true
    }

    /// Answers with a problem and ends the connection: where the next request would start is not known.
    private func refuse(_ refusal: Refusal, _ context: ChannelHandlerContext) {
        buffer.clear()
        state = .serving
        let incoming = Incoming(
            bytes: ByteBuffer(), head: RequestHead(), body: ByteBuffer(), refusal: refusal, peer: peer, arrival: since,
            keepsAlive: false)
        context.fireChannelRead(wrapInboundOut(incoming))
        handedOn = true
    }

    // MARK: - Answers

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        let answer = unwrapOutboundIn(data)
        context.write(wrapOutboundOut(answer.bytes), promise: promise)
        needsFlush = true
        since = .now()
        state = answer.closes ? .lingering : .head
        if answer.closes {
            buffer.clear()
            setAlarm(context)
        } else if isDraining, buffer.readableBytes == 0 {
            // The answer was on its way when the drain began.
            end(context)
        } else {
            process(context)
            settle(context)
        }
    }

    func flush(context: ChannelHandlerContext) {
        needsFlush = false
        context.flush()
    }

    private func end(_ context: ChannelHandlerContext) {
        flushIfNeeded(context)
        state = .lingering
        since = .now()
        setAlarm(context)
        context.close(mode: .output, promise: nil)
    }

    // MARK: - Ends

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        switch event {
        case is ChannelShouldQuiesceEvent:
            isDraining = true
            if case .head = state, buffer.readableBytes == 0 { context.close(promise: nil) }
        case ChannelEvent.inputClosed:
            // Not passed on: the requests that came before are answered first.
            inputClosed = true
            finishInput(context)
        default: context.fireUserInboundEventTriggered(event)
        }
    }

    private func finishInput(_ context: ChannelHandlerContext) {
        switch state {
        case .serving: break
        case .head, .body, .chunks, .lingering:
            flushIfNeeded(context)
            inputClosed = false
            context.close(promise: nil)
        }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }

    // MARK: - Time

    /// One alarm a connection, set again only when it rings: most requests pay nothing for their deadlines.
    private func setAlarm(_ context: ChannelHandlerContext) {
        let bound = NIOLoopBound((self, context), eventLoop: context.eventLoop)
        alarm?.cancel()
        alarm = context.eventLoop.scheduleTask(deadline: max(deadline, .now() + .milliseconds(100))) {
            let (handler, context) = bound.value
            handler.ring(context)
        }
    }

    private var deadline: NIODeadline {
        var next: NIODeadline
        switch state {
        case .head: next = since + (buffer.readableBytes == 0 ? limits.idleTime : limits.headTime)
        case .body, .chunks: next = since + limits.bodyTime
        case .serving: next = since + limits.serveTime
        case .lingering: next = since + Self.lingerTime
        }
        if let stalledSince { next = min(next, stalledSince + Self.stallTime) }
        // A later state may end sooner than this one, so look again soon enough for the shortest.
        return min(next, .now() + limits.headTime)
    }

    private func ring(_ context: ChannelHandlerContext) {
        // On a busy machine it may take longer than the first alarm until a connection is there.
        guard context.channel.isActive else { return setAlarm(context) }
        let now = NIODeadline.now()
        if let stalledSince, now >= stalledSince + Self.stallTime { return context.close(promise: nil) }
        switch state {
        case .head where buffer.readableBytes == 0 && now >= since + limits.idleTime:
            return context.close(promise: nil)
        case .head where buffer.readableBytes > 0 && context.channel.isWritable && now >= since + limits.headTime:
            refuse(.timedOut("the request's head did not arrive within \(limits.headTime.text)"), context)
        case .body where now >= since + limits.bodyTime, .chunks where now >= since + limits.bodyTime:
            refuse(.timedOut("the request's body did not arrive within \(limits.bodyTime.text)"), context)
        case .serving where now >= since + limits.serveTime:
            watch.cancel()
        case .lingering where now >= since + Self.lingerTime:
            return context.close(promise: nil)
        default: break
        }
        settle(context)
        setAlarm(context)
    }
}

/// What one connection may take.
struct ConnectionLimits {
    var body: Int
    var headTime: TimeAmount
    var bodyTime: TimeAmount
    var idleTime: TimeAmount
    var serveTime: TimeAmount
}

extension TimeAmount {
    fileprivate var text: String { "\(Double(nanoseconds) / 1e9) seconds" }
}
