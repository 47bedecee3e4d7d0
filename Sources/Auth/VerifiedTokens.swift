import Crypto
import Kernel
import Synchronization

/// Access tokens whose signature was found right, so that a busy caller costs a hash and no curve arithmetic; and the
/// sessions that ended here, whose tokens are no longer let in.
final class VerifiedTokens: Sendable {
    struct Token {
        var caller: Caller
        var session: SessionID
        var expiry: Timestamp
    }

    enum Found {
        case known(Caller)
        case ended
        case unknown
    }

    /// Of each of two generations: when the young one is full it becomes the old one, and the old one is forgotten.
    static let limit = 8_192
    /// Sessions that ended and whose last access token may still be around.
    static let endedLimit = 65_536

    private struct State {
        var young: [SHA256Digest: Token] = [:]
        var old: [SHA256Digest: Token] = [:]
        var ended: [SessionID: Timestamp] = [:]
    }
    private let state = Mutex(State())

    func look(up key: SHA256Digest, now: Timestamp) -> Found {
        state.withLock { state in
            guard let token = state.young[key] ?? state.old[key] else { return .unknown }
            guard token.expiry > now, state.ended[token.session] == nil else { return .ended }
            return .known(token.caller)
        }
    }

    /// False if its session ended.
    func keep(_ token: Token, as key: SHA256Digest, now: Timestamp) -> Bool {
        state.withLock { state in
            guard state.ended[token.session] == nil else { return false }
            if state.young.count >= Self.limit {
                state.old = state.young
                state.young = [:]
            }
            state.young[key] = token
            return true
        }
    }

    /// `until`: when the last access token of the session has run out by itself.
    func end(_ session: SessionID, until: Timestamp, now: Timestamp) {
        state.withLock { state in
            if state.ended.count >= Self.endedLimit {
                state.ended = state.ended.filter { $0.value > now }
                // So many at once: the bound on memory wins, and the earliest run out soonest.
                if state.ended.count >= Self.endedLimit, let first = state.ended.min(by: { $0.value < $1.value }) {
                    state.ended[first.key] = nil
                }
            }
            state.ended[session] = until
        }
    }
}
