import HummingbirdCore
import Logging
import NIOCore
import Synchronization

/// How Hummingbird's server sets up a connection and serves it: the requests one after the other, each answered before
/// the next is looked at, in one task that belongs to the server's task group.
struct ConnectionChannel: ServerChildChannel {
    struct Value: ServerChildChannelValue {
        let async: NIOAsyncChannel<Incoming, Outgoing>
        let watch: TaskWatch
        var channel: any Channel { async.channel }
    }

    let limits: ConnectionLimits
    let edge: EdgeCache?
    let turnstile: Turnstile?
    let responder: Responder

    func setup(channel: any Channel, logger: Logger) -> EventLoopFuture<Value> {
        channel.eventLoop.makeCompletedFuture {
            let watch = TaskWatch()
            try channel.pipeline.syncOperations.addHandler(
                ConnectionHandler(
                    limits: limits, edge: edge, turnstile: turnstile, drain: responder.drain, watch: watch))
            return Value(
                async: try NIOAsyncChannel(
                    wrappingChannelSynchronously: channel, configuration: .init(isOutboundHalfClosureEnabled: true)),
                watch: watch)
        }
    }

    func handle(value: Value, logger: Logger) async {
        value.watch.begin()
        defer { value.watch.end() }
        do {
            try await value.async.executeThenClose { inbound, outbound in
                for try await request in inbound {
                    let answer = await responder.respond(to: request)
                    if Task.isCancelled {
                        // The deadline passed. A cancelled task can still speak to the channel itself.
                        value.channel.writeAndFlush(Outgoing(bytes: answer.bytes, closes: true), promise: nil)
                        break
                    }
                    try await outbound.write(answer)
                    if answer.closes { break }
                }
                // Closing the output alone lets what was written arrive; the connection's handler closes the rest.
                outbound.finish()
                try await value.channel.closeFuture.get()
            }
        } catch {
            logger.trace("connection ended", metadata: ["error": "\(error)"])
        }
    }
}

/// The task that serves a connection, so that its event loop can cancel a request that takes too long.
final class TaskWatch: Sendable {
    // Unchecked: any thread may cancel a task while it lives, and the lock holds that it does.
    private struct Handle: @unchecked Sendable {
        let task: UnsafeCurrentTask
    }

    private let handle = Mutex<Handle?>(nil)

    func begin() {
        let current = withUnsafeCurrentTask { $0.map { Handle(task: $0) } }
        handle.withLock { $0 = current }
    }

    /// Before the task ends: its handle is not valid any longer.
    func end() { handle.withLock { $0 = nil } }

    func cancel() { handle.withLock { $0?.task.cancel() } }
}
