import NIOCore

/// One kept connection and the visit that it serves at the moment. Confined to its lane's event loop.
final class Connection: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private let lane: Lane
    private var context: ChannelHandlerContext?
    private var parser = AnswerParser()
    private(set) var visit: Visit?
    /// Nanoseconds of the lane's clock.
    private(set) var sentAt: Int64 = 0
    /// Where the lane's list has it.
    var index = -1

    init(_ lane: Lane) { self.lane = lane }

    func handlerAdded(context: ChannelHandlerContext) { self.context = context }

    func handlerRemoved(context: ChannelHandlerContext) { self.context = nil }

    func send(_ visit: Visit) {
        self.visit = visit
        sentAt = Lane.now()
        parser.expect(keepsBody: visit.request.keepsBody)
        // Without a context the connection has ended, and its visit is told so in `channelInactive`.
        context?.writeAndFlush(wrapOutboundOut(visit.request.bytes), promise: nil)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let buffer = unwrapInboundIn(data)
        guard visit != nil else { return close() }  // Nobody asked for anything.
        let (used, step) = buffer.withUnsafeReadableBytes { parser.read($0) }
        switch step {
        case .more: return
        case .broken: fail(.malformed)
        case .answered: finish(isKept: parser.answer.keepsConnection && used == buffer.readableBytes)
        }
    }

    private func finish(isKept: Bool) {
        guard let visit else { return }
        self.visit = nil
        let answer = parser.answer
        let body = parser.body
        if isKept { lane.release(self) } else { close() }
        lane.answered(visit, answer, body)
    }

    /// What it serves has failed, and so has the connection.
    func fail(_ failing: Failing) {
        let failed = visit
        visit = nil
        close()
        if let failed { lane.failed(failed, failing) }
    }

    func close() { context?.close(promise: nil) }

    func channelInactive(context: ChannelHandlerContext) {
        if parser.end() { finish(isKept: false) } else { fail(.reset) }
        lane.closed(self)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }
}

/// A visitor on the way through a course. Confined to its lane's event loop, and used again for the next visitor.
final class Visit {
    private(set) var number = 0
    var course: any Course = Nowhere()
    var request = Request(step: 0, bytes: ByteBuffer())
    /// 1 for the first.
    var attempt = 1
    /// When this attempt is meant to be sent, in nanoseconds of the lane's clock.
    var intended: Int64 = 0
    /// When the step's first attempt was.
    var begun: Int64 = 0

    func start(_ number: Int, _ course: any Course) {
        self.number = number
        self.course = course
    }

    private struct Nowhere: Course {
        mutating func next(_ answer: Answered?) -> Move { .leave }
    }
}
