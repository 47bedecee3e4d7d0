import Contracts
import Database
import Events
import Kernel

/// Dead letters of a publisher that runs here, in its own database.
struct PublishedDeadLetters: DeadLettersService {
    private static let usualLimit = 50

    let database: any Database
    let api: DeadLettersAPI
    /// Called after a commit that appended to the outbox.
    let wake: @Sendable () -> Void

    var routes: [Route] {
        [
            Route(
                api.list,
                reply: { query, context in
                    let page = try await list(query, context)
                    return Reply(page).with(\.next, page.next)
                }),
            Route(api.replay, replay),
        ]
    }

    func list(_ query: DeadLetterQuery, _ context: CallContext) async throws -> DeadLetterPage {
        let limit = min(query.limit ?? Self.usualLimit, Outbox.deadLettersLimit)
        let letters = try await database.read { transaction in
            try Outbox.deadLetters(in: transaction, after: query.after ?? 0, limit: limit)
        }
        let next = letters.count == limit ? letters.last?.number : nil
        return DeadLetterPage(items: letters.map(Self.summary), next: next.map(String.init))
    }

    func replay(_ letter: DeadLetterByNumber, _ context: CallContext) async throws -> Nothing {
        let isThere = try await database.write { try Outbox.replay(letter.number, in: $0) }
        guard isThere else { throw Problem(.notFound, "there is no dead letter \(letter.number)") }
        wake()
        return Nothing()
    }

    private static func summary(_ letter: DeadLetter) -> DeadLetterSummary {
        DeadLetterSummary(
            number: letter.number, consumer: letter.consumer, event: letter.event.id.description,
            type: letter.event.type, subject: letter.event.subject, time: letter.event.time, error: letter.error,
            died_at: letter.diedAt)
    }
}
