import Synchronization

/// Lets retries be a part of all calls only: each call pays in a tenth of a retry.
package final class RetryBudget: Sendable {
    static let part = 0.1
    static let most = 10.0
    private let tokens = Mutex(RetryBudget.most)

    package init() {}

    package func deposit() { tokens.withLock { $0 = min(Self.most, $0 + Self.part) } }

    package func withdraw() -> Bool {
        tokens.withLock { tokens in
            guard tokens >= 1 else { return false }
            tokens -= 1
            return true
        }
    }
}
