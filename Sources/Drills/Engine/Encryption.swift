import NIOCore
import NIOPosix
import NIOSSL
import NIOTLS

/// TLS to a target: its certificate has to be good, as a browser would ask.
struct Encryption: Sendable {
    private let context: NIOSSLContext
    private let target: Target

    /// - Parameter authorities: a PEM file of those who may sign the certificate; the system's list if nil.
    /// - Throws: `DrillError` if the file holds none.
    init(to target: Target, authorities: String?) throws {
        var configuration = TLSConfiguration.makeClientConfiguration()
        configuration.applicationProtocols = ["http/1.1"]
        do {
            if let authorities {
                configuration.trustRoots = .certificates(try NIOSSLCertificate.fromPEMFile(authorities))
            }
            context = try NIOSSLContext(configuration: configuration)
        } catch {
            throw DrillError(
                "\(authorities ?? "the system's list of certificates") cannot be read: \(error), expected PEM")
        }
        self.target = target
    }

    func add(to channel: any Channel) throws {
        // A name is sent and compared; an address is compared by the handler itself.
        let handler = try NIOSSLClientHandler(context: context, serverHostname: target.isAddress ? nil : target.host)
        try channel.pipeline.syncOperations.addHandler(handler)
    }

    /// Once, before load: a certificate that nobody trusts is told with its reason, not as so many lost connections.
    func check(_ address: SocketAddress, on group: any EventLoopGroup, timeout: TimeAmount) async throws {
        let promise = group.next().makePromise(of: Void.self)
        do {
            let channel = try await ClientBootstrap(group: promise.futureResult.eventLoop)
                .connectTimeout(timeout)
                .channelInitializer { channel in
                    channel.eventLoop.makeCompletedFuture {
                        try add(to: channel)
                        try channel.pipeline.syncOperations.addHandler(Handshake(promise))
                    }
                }
                .connect(to: address).get()
            let giveUp = channel.eventLoop.scheduleTask(in: timeout) {
                promise.fail(ChannelError.connectTimeout(timeout))
            }
            defer { giveUp.cancel() }
            try await promise.futureResult.get()
            try await channel.close()
        } catch let error as NIOSSLExtraError where error == .failedToValidateHostname {
            throw DrillError("\(target.authority) does not prove who it is: its certificate is for another name")
        } catch let error as NIOSSLError {
            throw DrillError("\(target.authority) does not prove who it is: \(error)")
        } catch {
            promise.fail(error)
            throw DrillError("\(target.authority) does not speak TLS: \(error)")
        }
    }

    private final class Handshake: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer
        private let done: EventLoopPromise<Void>

        init(_ done: EventLoopPromise<Void>) { self.done = done }

        func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
            if let event = event as? TLSUserEvent, case .handshakeCompleted = event { done.succeed() }
            context.fireUserInboundEventTriggered(event)
        }

        func errorCaught(context: ChannelHandlerContext, error: any Error) {
            done.fail(error)
            context.close(promise: nil)
        }

        func channelInactive(context: ChannelHandlerContext) { done.fail(ChannelError.eof) }
    }
}
