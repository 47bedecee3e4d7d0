import Contracts
import Crypto
import Kernel

/// The `Stripe-Signature` scheme (https://docs.stripe.com/webhooks, "Verify webhook signatures manually"):
/// `t=SECONDS,v1=HEX`, where HEX is HMAC-SHA256 of `SECONDS.BODY` under the endpoint's secret.
///
/// There are several `v1` while Stripe rolls a secret over, and several secrets here while the shop does: one of each
/// that match are enough. Other versions (`v0`) are for tests of Stripe's own and prove nothing.
struct StripeSignature: Sendable {
    /// How far the message's time may be from the clock, either way: an older one may be another's recording.
    static let tolerance = Duration.seconds(300)
    static let mostSignatures = 10

    let secrets: [SymmetricKey]

    /// - Parameter secrets: the whole text that Stripe shows, `whsec_` with it.
    init(secrets: [String]) { self.secrets = secrets.map { SymmetricKey(data: Array($0.utf8)) } }

    /// - Throws: `badSignature`.
    func check(_ header: String?, body: String, now: Timestamp) throws(Problem) {
        guard let header else { throw Self.refusal("there is no Stripe-Signature") }
        let parts = header.split(separator: ",").map { part in
            part.drop { $0 == " " }.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
        }.filter { $0.count == 2 }
        let times = parts.filter { $0[0] == "t" }.map { $0[1] }
        guard times.count == 1, let time = times.first, time.utf8.count <= 12,
            time.utf8.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }), let seconds = Int64(time)
        else { throw Self.refusal("the Stripe-Signature has no time t=…") }
        let signatures = parts.filter { $0[0] == "v1" }.compactMap { Hex.bytes($0[1]) }
        guard !signatures.isEmpty, signatures.count <= Self.mostSignatures else {
            throw Self.refusal("the Stripe-Signature has no v1=…, or more than \(Self.mostSignatures)")
        }
        let message = Array("\(time).\(body)".utf8)
        let isOfStripe = signatures.contains { signature in
            secrets.contains {
                HMAC<SHA256>.isValidAuthenticationCode(signature, authenticating: message, using: $0)
            }
        }
        guard isOfStripe else { throw Self.refusal("the signature is not that of the message under the secret") }
        let age = now - Timestamp(seconds: seconds)
        guard age <= Self.tolerance, age >= .zero - Self.tolerance else {
            throw Self.refusal("the message's time is more than \(Self.tolerance) from this clock's")
        }
    }

    private static func refusal(_ detail: String) -> Problem { Problem(.badSignature, detail) }
}
