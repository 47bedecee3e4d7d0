import Contracts
import Kernel
import Wire

/// Events that a consumer could not take: staff see them, and have them delivered once more.
extension Storefront {
    var staffEventRoutes: [PageRoute] {
        [
            personal(.get, "/staff/events", priority: .reports, role: .staff) { visit in
                try await eventsPage(visit, notice: Self.notice(visit.request.query.first("done")))
            },
            personal(
                .post, "/staff/events/{publisher}/{number}/replay", priority: .reports, role: .staff, replayEvent),
        ]
    }

    private static func notice(_ done: String?) -> String? {
        switch done {
        case "replayed": "It is on its way once more. If it fails again, it comes back here."
        case "gone": "It is not here any more: somebody had it delivered already."
        default: nil
        }
    }

    private func eventsPage(_ visit: Visit, notice: String?) async throws -> PageResponse {
        var pages = [DeadLetterPage?](repeating: nil, count: services.publishers.count)
        try await withThrowingTaskGroup(of: (Int, DeadLetterPage?).self) { group in
            for (index, publisher) in services.publishers.enumerated() {
                let after = visit.request.query.first(publisher.name).flatMap { Int64($0) }
                let query = try checked(
                    DeadLetterQuery(limit: Self.staffRows, after: after), as: publisher.api.list, visit.context)
                group.addTask {
                    (
                        index,
                        try await optional(visit.context, within: .seconds(2)) {
                            try await publisher.deadLetters.list(query, $0)
                        }
                    )
                }
            }
            for try await (index, page) in group { pages[index] = page }
        }
        let sections = zip(services.publishers, pages).map { Self.section($0.name, $1) }
        return await staffPage(
            "staff_events", "Events", tab: "Events",
            ["sections": sections, "notice": notice.orFalse], visit: visit)
    }

    private static func section(_ publisher: String, _ page: DeadLetterPage?) -> View {
        [
            "id": publisher, "name": "From " + publisher, "isKnown": page != nil,
            "hasRows": page?.items.isEmpty == false,
            "more": (page?.next).map { Links.path("/staff/events", [(publisher, $0)]) }.orFalse,
            "rows": (page?.items ?? []).map { letter -> View in
                [
                    "died": Texts.time(letter.died_at), "consumer": Texts.words(letter.consumer),
                    "type": letter.type, "subject": letter.subject, "error": letter.error,
                    "link": OrderID(letter.subject).map { "/staff/orders/\($0)" }.orFalse,
                    "number": String(letter.number),
                    "action": "/staff/events/\(publisher)/\(letter.number)/replay",
                ]
            },
        ]
    }

    /// Sent twice, the second finds nothing: it was done.
    private func replayEvent(_ visit: Visit) async throws -> PageResponse {
        let name = visit.request.parameters["publisher"]
        guard let publisher = services.publishers.first(where: { $0.name == name }),
            let number = visit.request.parameters["number"].flatMap({ Int64($0) })
        else { throw Problem(.notFound, "that is not the address of an event") }
        do {
            let letter = try checked(DeadLetterByNumber(number: number), as: publisher.api.replay, visit.context)
            _ = try await publisher.deadLetters.replay(letter, visit.context)
            return redirect("/staff/events?done=replayed")
        } catch let problem as Problem where problem.type == .notFound {
            return redirect("/staff/events?done=gone")
        }
    }
}
