public import Kernel

extension StripeGateway {
    // MARK: - Capture

    /// - Throws: `OutcomeUnknown` if it stays unknown of one. Asking again costs nothing.
    public func capture(_ keys: [String]) async throws -> Set<String> {
        let held = try await intents.entries(keys).filter { $0.intent != nil }
        return try await withThrowingTaskGroup(of: String?.self) { group in
            var rest = held[...]
            var captured: Set<String> = []
            for entry in rest.prefix(Self.capturesAtOnce) { group.addTask { try await take(entry) } }
            rest = rest.dropFirst(Self.capturesAtOnce)
            while let key = try await group.next() {
                if let key { captured.insert(key) }
                if let entry = rest.popFirst() { group.addTask { try await take(entry) } }
            }
            return captured
        }
    }

    /// The key, if its money is taken now or was before.
    private func take(_ entry: StripeIntents.Entry) async throws -> String? {
        guard let intent = entry.intent else { return nil }
        do {
            // What is being voided is not taken any more; it may have been before.
            let status =
                try await entry.isVoided
                ? status(of: intent) : move(intent, by: "capture", key: entry.key)
            return status == "succeeded" ? entry.key : nil
        } catch let problem as Problem where problem.type == .conflict {
            logger.error("Stripe refuses a capture", metadata: ["reason": "\(problem.detail)"])
            return nil
        }
    }

    private func status(of intent: String) async throws -> String {
        guard case .object(let found) = try await api.get("/v1/payment_intents/\(intent)") else {
            throw OutcomeUnknown("Stripe does not say what became of \(intent)")
        }
        return found["status"]?.stringValue ?? ""
    }

    /// Captures or cancels, and gives the status of the intent after that. Its state makes each of them happen once.
    func move(_ intent: String, by operation: String, key: String) async throws -> String {
        let path = "/v1/payment_intents/\(intent)/\(operation)"
        var answer = try await api.post(path, [], key: "\(key):\(operation)")
        // Under its key the 500 would be said again for a day.
        if case .broken = answer { answer = try await api.post(path, [], key: nil) }
        switch answer {
        case .object(let intent): return intent["status"]?.stringValue ?? ""
        case .refused(let refusal):
            if let status = refusal.intent?["status"]?.stringValue { return status }
            throw Problem(.conflict, "Stripe refuses to \(operation) \(intent): \(refusal.message)")
        case .broken: throw OutcomeUnknown("Stripe broke when asked to \(operation) \(intent)")
        }
    }

    // MARK: - Void

    public func void(key: String) async throws -> GatewayVoid {
        let entry = try await intents.void(key, at: clock.now())
        if let intent = try await intentToCancel(entry) {
            switch try await move(intent, by: "cancel", key: key) {
            case "canceled": break
            case "succeeded":
                try await intents.endVoid(key, of: .captured)
                return .captured
            case let status: throw OutcomeUnknown("Stripe does not cancel \(intent), which is \(status)")
            }
        }
        try await intents.endVoid(key, of: .voided)
        return .voided
    }

    /// Nil: nothing is held, and the request for it is not on its way any more.
    private func intentToCancel(_ entry: StripeIntents.Entry) async throws -> String? {
        if let intent = entry.intent { return intent }
        guard let amount = entry.amount, entry.answer == nil else { return nil }
        var entry = entry
        if canRepeat(entry) {
            let burnt = try await api.post(
                "/v1/payment_intents", Self.form(entry.key, amount) + [("confirm", "false")],
                key: idempotencyKey(entry))
            switch burnt {
            case .object(let intent): return try await remember(intent, of: entry)
            // Too small, or a currency that Stripe does not know: the request itself fares no better.
            case .refused(let refusal) where refusal.type != "idempotency_error": return nil
            case .refused: break
            case .broken: entry = try await intents.markBroken(entry)
            }
        }
        switch try await outcome(of: entry, amount) {
        case .told(.object(let intent), let entry): return try await remember(intent, of: entry)
        case .told(.refused(let refusal), let entry):
            guard let intent = refusal.intent else { return nil }
            return try await remember(intent, of: entry)
        case .told(.broken, let entry): throw OutcomeUnknown("Stripe broke while it was asked about \(entry.key)")
        case .nothing: return nil
        }
    }

    private func remember(_ intent: JSON, of entry: StripeIntents.Entry) async throws -> String {
        guard let id = intent["id"]?.stringValue else {
            throw OutcomeUnknown("Stripe's answer about \(entry.key) is no payment intent")
        }
        return try await intents.remember(id, of: entry.key).intent ?? id
    }

    // MARK: - Refund

    /// Stripe forgets an idempotency key after a day, but lists refunds for ever, and at once: so the list is looked at
    /// first, and the key holds off a second request at the same moment.
    public func refund(key: String, amount: Money, refundKey: String) async throws {
        guard let intent = try await intents.entry(key)?.intent, let units = StripeAmount.units(amount) else {
            throw Problem(.refundTooLarge, "Stripe holds nothing of \(key) that \(amount) can be given back of")
        }
        if let known = try await knownRefund(refundKey, of: intent) { return try Self.check(known, units) }
        let form: StripeAPI.Fields = [
            ("payment_intent", intent), ("amount", String(units)), ("metadata[order]", key),
            ("metadata[refund]", refundKey),
        ]
        switch try await api.post("/v1/refunds", form, key: "\(key):refund:\(refundKey)") {
        case .object(let refund): try Self.check(refund, units)
        case .refused(let refusal):
            let isTooLarge = refusal.code == "charge_already_refunded" || refusal.code == "amount_too_large"
            throw Problem(isTooLarge ? .refundTooLarge : .conflict, "Stripe refuses the refund: \(refusal.message)")
        case .broken: throw OutcomeUnknown("Stripe broke when asked for the refund \(refundKey) of \(key)")
        }
    }

    private func knownRefund(_ refundKey: String, of intent: String) async throws -> JSON? {
        var query: StripeAPI.Fields = [("payment_intent", intent), ("limit", "100")]
        for _ in 0..<Self.mostPagesOfRefunds {
            guard case .object(let list) = try await api.get("/v1/refunds", query),
                let refunds = list["data"]?.arrayValue
            else { throw OutcomeUnknown("Stripe does not list the refunds of \(intent)") }
            if let known = refunds.first(where: { $0["metadata"]?["refund"]?.stringValue == refundKey }) {
                return known
            }
            guard list["has_more"]?.boolValue == true, let last = refunds.last?["id"]?.stringValue else { return nil }
            query = [("payment_intent", intent), ("limit", "100"), ("starting_after", last)]
        }
        throw Problem(.conflict, "\(intent) has too many refunds to look through")
    }

    private static func check(_ refund: JSON, _ units: Int64) throws {
        guard refund["amount"]?.integerValue == units else {
            throw Problem(.conflict, "Stripe knows this refund with another amount")
        }
        let status = refund["status"]?.stringValue
        guard status != "failed", status != "canceled" else {
            let reason = refund["failure_reason"]?.stringValue ?? "no reason given"
            throw Problem(.conflict, "Stripe could not give the money back: \(reason)")
        }
    }
}
