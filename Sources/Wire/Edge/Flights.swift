import Kernel
import Synchronization

/// Lets one make what many ask for at the same time.
final class Flights: Sendable {
    struct Landing: Sendable {
        let answer: Answer
        /// Taken before the answer was made.
        let ticket: UInt64
    }

    private enum Place {
        case leader
        case follower(Landing?)
    }

    private let waiting = Mutex<[String: [CheckedContinuation<Landing?, Never>]]>([:])

    /// The leader's answer, if it may be shared: the edge may keep it, and nothing it shows was written since.
    /// Otherwise each makes its own.
    func answer(
        for key: String, _ edge: EdgeCache, make: @Sendable () async throws -> Answer,
        keep: @Sendable (Answer, UInt64) -> Void
    ) async throws -> Answer {
        switch await place(key) {
        case .leader:
            let ticket = edge.ticket
            do {
                let answer = try await make()
                keep(answer, ticket)
                land(key, Landing(answer: answer, ticket: ticket))
                return answer
            } catch {
                land(key, nil)
                throw error
            }
        case .follower(let landing?):
            if let keeping = landing.answer.keeping, edge.isFresh(keeping.tags, since: landing.ticket) {
                return landing.answer
            }
            return try await make()
        case .follower(nil): return try await make()
        }
    }

    private func place(_ key: String) async -> Place {
        var leads = false
        let landing = await withCheckedContinuation { continuation in
            leads = waiting.withLock { waiting in
                if waiting[key] == nil {
                    waiting[key] = []
                    return true
                }
                waiting[key]?.append(continuation)
                return false
            }
            if leads { continuation.resume(returning: nil) }
        }
        return leads ? .leader : .follower(landing)
    }

    private func land(_ key: String, _ landing: Landing?) {
        let followers = waiting.withLock { $0.removeValue(forKey: key) ?? [] }
        for follower in followers { follower.resume(returning: landing) }
    }
}
