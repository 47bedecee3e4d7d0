public import Contracts
public import Kernel

extension Payments {
    public func authorize(_ authorization: Authorize, _ context: CallContext) async throws -> Payment {
        let order = authorization.order
        let answer = try await answer(to: authorization)
        let recorded = try await store.record(
            answer, authorization, provider: provider(of: authorization), at: clock.now())
        switch recorded {
        case .payment(let payment) where payment.status == .declined:
            throw Self.declined(payment.reason ?? "declined")
        case .payment(let payment): return payment
        case .voided:
            // It was let go of while the gateway was asked.
            if authorization.amount.amount > 0 { _ = try await gateway.void(key: order.description) }
            throw Self.declined("the payment of this order was let go of before")
        case .otherAmount(let amount):
            throw Problem(
                .conflict, "the payment of \(order) is known with \(amount), now \(authorization.amount) was asked for")
        }
    }

    private static func declined(_ reason: String) -> Problem {
        var extensions = JSONObject()
        extensions["reason"] = .string(reason)
        return Problem(.paymentDeclined, "the payment was declined: \(reason)", extensions: extensions)
    }

    /// Nothing is asked of the gateway for an order that costs nothing.
    private func provider(of authorization: Authorize) -> String {
        authorization.amount.amount == 0 ? PaymentsStore.noProvider : gateway.provider
    }

    private func answer(to authorization: Authorize) async throws -> GatewayAnswer {
        guard authorization.amount.amount > 0 else { return .approved(reference: "") }
        let key = authorization.order.description
        do {
            return try await gateway.authorize(key: key, amount: authorization.amount, token: authorization.token)
        } catch let problem as Problem {
            throw problem
        } catch {
            // Not a refusal: the money may be held. The gateway is asked, never guessed for.
            if let answer = try? await gateway.find(key: key) {
                note(error, authorization.order, becameOfIt: answer)
                return answer
            }
            if let known = try await store.markPending(authorization, provider: gateway.provider, at: clock.now()) {
                note(error, authorization.order, becameOfIt: known)
                return known
            }
            // Whoever asked for it logs it.
            throw OutcomeUnknown("the payment provider did not say what became of \(key): \(error)")
        }
    }

    private func note(_ error: any Error, _ order: OrderID, becameOfIt answer: GatewayAnswer) {
        var outcome = "approved"
        if case .declined = answer { outcome = "declined" }
        logger.warning(
            "the payment provider did not say what became of a payment, and was asked again",
            metadata: ["order": "\(order)", "outcome": "\(outcome)", "error": "\(error)"])
    }

    public func webhook(_ delivery: PaymentWebhook, _ context: CallContext) async throws -> Nothing {
        guard delivery.provider == gateway.provider else {
            throw Problem(.notFound, "there is no payment provider of that name here")
        }
        guard let news = try gateway.news(in: delivery), try await store.isNew(news, of: gateway.provider) else {
            return Nothing()
        }
        // The message says only that there is news; what is true is asked for.
        if let order = OrderID(news.key), let pending = try await store.payment(order),
            pending.payment?.status == .pending, let amount = pending.payment?.amount,
            let answer = try await gateway.find(key: news.key)
        {
            let authorization = Authorize(order: order, amount: amount, token: "", customer: pending.customer)
            _ = try await store.record(answer, authorization, provider: gateway.provider, at: clock.now())
        }
        try await store.remember(news, of: gateway.provider, at: clock.now())
        return Nothing()
    }
}
