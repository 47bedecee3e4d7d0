import Cache
import Events
import Kernel
import Logging
import Notifications
import Orders
import Redis
import ServiceLifecycle

/// What stands between processes, as the settings have it: in this process alone, or shared through Redis.
struct BackEnds: Sendable {
    let cache: any Cache
    let bus: any EventBus
    /// Told what was written.
    let staleness: any Staleness
    /// What clients may ask for; nil where each process counts for itself.
    let clientBuckets: (any SharedBuckets)?
    /// What works behind them as long as the shop is served.
    let services: [any Service]
    private let clients: [RedisClient]
    private let cacheClient: RedisClient?
    private let eventsClient: RedisClient?

    /// Of the whole shop, in whichever process: what is published is kept for them.
    private static let consumers = [Orders.consumer, Notifications.consumer, Webhooks.consumer]

    /// - Parameter staleness: this process's kept copies.
    /// - Throws: `SettingsError` for a URL that is not as expected.
    init(_ settings: Settings, _ staleness: any Staleness, _ clock: any WallClock, _ logger: Logger) throws {
        var clients: [RedisClient] = []
        if let url = try settings.cache.redis("SOUK_CACHE") {
            let (shared, limits) = (RedisClient(url), RedisClient(url, options: RedisBuckets.options))
            let everywhere = RedisStaleness(shared, local: staleness, clock: clock)
            clients += [shared, limits]
            cacheClient = shared
            cache = RedisCache(shared)
            self.staleness = everywhere
            clientBuckets = RedisBuckets(limits, rate: settings.clientRate, burst: settings.clientBurst)
            services = [everywhere]
        } else {
            cacheClient = nil
            cache = MemoryCache(clock: clock)
            self.staleness = staleness
            clientBuckets = nil
            services = []
        }
        if let url = try settings.events.redis("SOUK_EVENTS") {
            let client = RedisClient(url)
            clients.append(client)
            eventsClient = client
            bus = RedisEventBus(
                client, sources: ["orders", "users"], consumers: Self.consumers,
                clock: clock, logger: logger)
        } else {
            eventsClient = nil
            bus = LocalEventBus(clock: clock, logger: logger)
        }
        self.clients = clients
    }

    /// Throws unless what is shared answers at this moment.
    func checkCache() async throws { try await cacheClient?.check() }
    func checkEvents() async throws { try await eventsClient?.check() }

    func close() async { for client in clients { await client.close() } }
}
