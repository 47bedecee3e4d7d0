public import Events
import Contracts
import Kernel
import Logging
import Mail

extension Notifications {
    /// How many letters are written before others get their turn on the thread.
    private static let lettersAtOnce = 16

    /// Writes to those whom the events concern, each once. Safe to be given the same events again: what was sent is
    /// known, and what was handed to the mailer without being written down goes out under the same Message-ID.
    ///
    /// - Throws: `unavailable` while mail cannot be handed on; then nothing is written down, and the events come again.
    public func handle(_ events: [Event]) async throws {
        var due: [String: Letter] = [:]
        var order: [String] = []
        for (index, event) in events.enumerated() where Self.eventTypes.contains(event.type) {
            if index % Self.lettersAtOnce == Self.lettersAtOnce - 1 { await Task.yield() }
            let key = Letters.key(of: event)
            guard due[key] == nil else { continue }
            due[key] = try letters.letter(for: event)
            order.append(key)
        }
        let known = try await store.known(order)
        let new = order.filter { !known.contains($0) }.compactMap { due[$0] }
        guard !new.isEmpty else { return }
        let failures = try await send(new.map(\.message))
        let rows = new.map { NotificationsStore.Row($0, at: clock.now(), error: failures[$0.message.messageID]) }
        try await store.insert(rows)
        sent.increment(by: new.count - failures.count)
        unsendable.increment(by: failures.count)
    }

    /// Sends all but those that can never be sent, and says why of these.
    private func send(_ messages: [Message]) async throws -> [String: String] {
        var left = messages
        var failures: [String: String] = [:]
        while !left.isEmpty {
            do {
                try await mailer.send(left)
                break
            } catch let error as MailError {
                let count = left.count
                left.removeAll { $0.messageID == error.messageID }
                guard left.count < count else { throw error }
                failures[error.messageID] = "\(error.field): \(error.reason)"
                logger.error("a message cannot be sent, and never will be", metadata: ["reason": "\(error)"])
            } catch let error as CancellationError {
                throw error
            } catch {
                deferred.increment(by: left.count)
                logger.warning("mail cannot be handed on at the moment", metadata: ["reason": "\(error)"])
                throw Problem(.unavailable, "mail cannot be handed on at the moment", retryAfter: 5)
            }
        }
        return failures
    }
}
