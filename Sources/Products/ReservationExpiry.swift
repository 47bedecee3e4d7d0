import Kernel
import Logging
public import ServiceLifecycle

/// Each minute gives back the reservations that nobody ended in time, and forgets old idempotency keys.
public struct ReservationExpiry: Service {
    private let products: Products
    private let interval: Duration

    public init(_ products: Products, every interval: Duration = .seconds(60)) {
        self.products = products
        self.interval = interval
    }

    public func run() async throws {
        try await cancelWhenGracefulShutdown {
            while !Task.isCancelled {
                do {
                    try await once()
                    try await products.clock.sleep(for: interval)
                } catch is CancellationError {
                    return
                }
            }
        }
    }

    /// A database that is away at the moment is asked again a minute later.
    private func once() async throws {
        do {
            let now = products.clock.now()
            while try await products.releaseExpired(now: now) > 0 {}
            try await products.forgetKeys(before: now - Products.keyLifetime)
        } catch let error where !(error is CancellationError) {
            products.logger.error("expired reservations were not given back", metadata: ["error": "\(error)"])
        }
    }
}
