public import Contracts
public import Kernel

/// What a payment provider says of an authorisation.
public enum GatewayAnswer: Sendable, Equatable {
    /// The money is held.
    case approved(reference: String)
    case declined(reason: String)
}

public enum GatewayVoid: Sendable, Equatable {
    /// Nothing is held under the key, and nothing ever will be.
    case voided
    /// The money was taken before: give it back by a refund.
    case captured
}

/// What a provider tells of its own accord.
public struct GatewayNews: Sendable, Equatable {
    /// The same each time this message is sent: with the event it counts once.
    public var id: String
    /// The provider's word for it, at most 100 characters.
    public var event: String
    /// The authorisation that it is about.
    public var key: String
}

/// A payment provider.
///
/// The caller chooses the keys, and asking again with one is asking once: an authorisation that is known is answered as
/// it was, whatever token comes with it. Each call returns within the provider's own timeout. It throws a `Problem`
/// where it refuses, and any other error (`OutcomeUnknown`) where nobody knows what became of it.
public protocol Gateway: Sendable {
    /// Its name in payments and in webhooks' paths.
    var provider: String { get }

    /// Holds the amount. A key that was voided is declined.
    /// - Throws: `conflict` if the key is known with another amount.
    func authorize(key: String, amount: Money, token: String) async throws -> GatewayAnswer

    /// What became of an authorisation; nil if it never got there.
    func find(key: String) async throws -> GatewayAnswer?

    /// Takes the money held, whole. Answers with those that are captured now, or were before.
    func capture(_ keys: [String]) async throws -> Set<String>

    /// Lets go of what is held. From then on an authorisation with that key is declined.
    func void(key: String) async throws -> GatewayVoid

    /// Gives captured money back.
    /// - Parameter refundKey: names this refund among those of `key`.
    func refund(key: String, amount: Money, refundKey: String) async throws

    /// What a message says that the provider itself made; nil if it concerns no authorisation of this shop's.
    /// - Throws: `badSignature` if somebody else made it, or it was altered or comes too late; compared in constant
    ///   time.
    func news(in delivery: PaymentWebhook) throws -> GatewayNews?

    /// For a provider inside this process: where its webhooks go. Others reach the HTTP route.
    func deliver(to receiver: @escaping @Sendable (PaymentWebhook) async throws -> Void)
}

extension Gateway {
    public func deliver(to receiver: @escaping @Sendable (PaymentWebhook) async throws -> Void) {}
}
