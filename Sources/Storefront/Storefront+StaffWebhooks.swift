import Contracts
import Kernel
import Wire

/// Where the shop's events are told to merchants' own servers, and what became of each message.
extension Storefront {
    var staffWebhookRoutes: [PageRoute] {
        [
            personal(.get, "/staff/webhooks", priority: .reports, role: .staff) { visit in
                let isDeleted = visit.request.query.first("done") == "deleted"
                return try await webhooksPage(
                    visit, notice: isDeleted ? "It is told no more, and what it was told is forgotten." : nil)
            },
            personal(.post, "/staff/webhooks", priority: .reports, role: .staff, addWebhook),
            personal(.get, "/staff/webhooks/{id}", priority: .reports, role: .staff) { visit in
                let isDone = visit.request.query.first("done") == "replayed"
                return try await webhookPage(visit, notice: isDone ? "It is told once more." : nil)
            },
            personal(.post, "/staff/webhooks/{id}/deletion", priority: .reports, role: .staff, deleteWebhook),
            personal(
                .post, "/staff/webhooks/{id}/deliveries/{delivery}/replay", priority: .reports, role: .staff,
                replayDelivery),
        ]
    }

    private static func webhookID(_ visit: Visit) throws -> WebhookID {
        guard let id = WebhookID(visit.request.parameters["id"] ?? "") else {
            throw Problem(.notFound, "that is not the address of a webhook")
        }
        return id
    }

    // MARK: All of them

    private static func fields(url: String) -> [Field] {
        [
            Field(
                name: "url", label: "Address", control: .input(type: "url"), value: url,
                hint: "Of a server that answers https and knows the secret", inputmode: "url", maxlength: 2_000)
        ]
    }

    /// - Parameter created: the one that was added just now: its secret is shown this once.
    private func webhooksPage(
        _ visit: Visit, created: CreatedWebhook? = nil, notice: String? = nil, url: String = "",
        types: [String] = Webhook.types, errors: FormErrors = FormErrors(), status: Int = 200
    ) async throws -> PageResponse {
        let query = try checked(Nothing(), as: WebhooksAPI.list, visit.context)
        // What was created must be shown, whether the others can be or not.
        let found =
            created == nil
            ? try await services.webhooks.list(query, visit.context).items
            : try await optional(visit.context) { try await services.webhooks.list(query, $0).items }
        let webhooks = found ?? (created.map { [$0.webhook] } ?? [])
        return await staffPage(
            "staff_webhooks", "Webhooks", tab: "Webhooks",
            [
                "rows": webhooks.map { hook -> View in
                    [
                        "link": "/staff/webhooks/\(hook.id)", "address": hook.url,
                        "types": hook.types.joined(separator: ", "), "made": Texts.time(hook.created_at),
                        "status": Texts.words(hook.status.rawValue), "tone": hook.status == .enabled ? "good" : "bad",
                    ]
                },
                "hasRows": !webhooks.isEmpty,
                "created": created.map { ["address": $0.webhook.url, "secret": $0.secret] as View }.orFalse,
                "fields": errors.views(Self.fields(url: url)),
                "choices": Webhook.types.map { type -> View in
                    [
                        "code": type, "text": Texts.words(type), "selected": types.contains(type),
                        "id": "type-" + type.split(separator: ".").joined(separator: "-"),
                    ]
                },
                "problems": errors.view, "notice": notice.orFalse,
            ], visit: visit, status: status)
    }

    private func addWebhook(_ visit: Visit) async throws -> PageResponse {
        let (url, types) = (visit.form("url"), visit.request.form.all("types"))
        do {
            let draft = try checked(WebhookDraft(url: url, types: types), as: WebhooksAPI.create, visit.context)
            let created = try await services.webhooks.create(draft, visit.context)
            return try await webhooksPage(visit, created: created)
        } catch let problem as Problem where [409, 422].contains(problem.type.status) {
            let fields = Self.fields(url: url)
            var errors = FormErrors(problem, fields: fields)
            if problem.type == .webhookTargetRefused {
                errors = FormErrors()
                errors.add(fields[0], "Address: \(problem.detail)")
            } else if types.isEmpty {
                errors = FormErrors()
                if url.isEmpty { errors.add(fields[0], "Address is needed") }
                errors.add(nil, "What it is told: choose at least one kind of event")
            }
            return try await webhooksPage(visit, url: url, types: types, errors: errors, status: problem.type.status)
        }
    }

    private func deleteWebhook(_ visit: Visit) async throws -> PageResponse {
        do {
            let webhook = try checked(
                WebhookByID(id: try Self.webhookID(visit)), as: WebhooksAPI.delete, visit.context)
            _ = try await services.webhooks.delete(webhook, visit.context)
        } catch let problem as Problem where problem.type == .notFound {
            // Somebody was faster: it is gone, as was wished.
        }
        return redirect("/staff/webhooks?done=deleted")
    }

    // MARK: One, and what it was told

    private func webhookPage(
        _ visit: Visit, notice: String? = nil, errors: FormErrors = FormErrors(), code: Int = 200
    ) async throws -> PageResponse {
        let id = try Self.webhookID(visit)
        let status = visit.request.query.first("status").flatMap(WebhookDeliveryStatus.init)
        let after = visit.request.query.first("after").flatMap { $0.isEmpty ? nil : $0 }
        let query = try checked(
            WebhookDeliveryQuery(id: id, status: status, limit: Self.staffRows, after: after),
            as: WebhooksAPI.deliveries, visit.context)
        async let all = services.webhooks.list(Nothing(), visit.context)
        let page = try await services.webhooks.deliveries(query, visit.context)
        guard let hook = try await all.items.first(where: { $0.id == id }) else {
            throw Problem(.notFound, "there is no webhook \(id)")
        }
        let base = "/staff/webhooks/\(id)"
        let filter = Field(
            name: "status", label: "Status",
            control: .select(
                [("", "Any")] + WebhookDeliveryStatus.allCases.map { ($0.rawValue, Texts.words($0.rawValue)) }),
            value: status?.rawValue ?? "")
        return await staffPage(
            "staff_webhook", "Webhook", tab: "Webhooks",
            [
                "address": hook.url, "types": hook.types.joined(separator: ", "), "made": Texts.time(hook.created_at),
                "status": Texts.words(hook.status.rawValue), "tone": hook.status == .enabled ? "good" : "bad",
                "isEnabled": hook.status == .enabled, "action": base, "deletion": base + "/deletion",
                "filters": [Self.filter(filter)], "hasRows": !page.items.isEmpty,
                "rows": page.items.map { Self.row($0, base: base, isEnabled: hook.status == .enabled) },
                "more": page.next.map { Links.path(base, [("status", status?.rawValue), ("after", $0)]) }.orFalse,
                "problems": errors.view, "notice": notice.orFalse,
            ], visit: visit, status: code)
    }

    private static func row(_ delivery: WebhookDelivery, base: String, isEnabled: Bool) -> View {
        let tone =
            switch delivery.status {
            case .pending: "warn"
            case .delivered: "good"
            case .failed: "bad"
            }
        return [
            "type": delivery.type, "subject": delivery.subject,
            "link": OrderID(delivery.subject).map { "/staff/orders/\($0)" }.orFalse,
            "status": Texts.words(delivery.status.rawValue), "tone": tone, "made": Texts.time(delivery.created_at),
            "attempts": Texts.count(delivery.attempts),
            "answer": delivery.response_status.map { "It said \($0)" } ?? (delivery.attempts > 0 ? "No answer" : ""),
            "error": delivery.error.orFalse,
            "next": delivery.next_attempt_at.map { "Next try " + Texts.time($0) }.orFalse,
            "action": isEnabled ? "\(base)/deliveries/\(delivery.id)/replay" : false, "message": delivery.message,
        ]
    }

    private func replayDelivery(_ visit: Visit) async throws -> PageResponse {
        let id = try Self.webhookID(visit)
        guard let delivery = WebhookDeliveryID(visit.request.parameters["delivery"] ?? "") else {
            throw Problem(.notFound, "that is not the address of a delivery")
        }
        do {
            let replay = try checked(
                WebhookReplay(id: id, delivery: delivery), as: WebhooksAPI.replay, visit.context)
            _ = try await services.webhooks.replay(replay, visit.context)
            return redirect("/staff/webhooks/\(id)?done=replayed")
        } catch let problem as Problem where problem.type == .webhookDisabled {
            var errors = FormErrors()
            errors.add(nil, "It is disabled: its server said that it is gone. Add it anew to tell it again.")
            return try await webhookPage(visit, errors: errors, code: 409)
        }
    }
}
