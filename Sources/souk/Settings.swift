import Configuration
import Contracts
import FoundationEssentials
import Kernel
import Redis
import SystemPackage

/// A setting that is not as expected, or cannot be read: named, with what was expected. Exit code 64.
struct SettingsError: Error, CustomStringConvertible {
    let description: String
    init(_ description: String) { self.description = description }
}

/// Everything that `souk` can be told, validated once at the start. Flags come before the environment, that before the
/// file, that before the defaults.
struct Settings: Sendable {
    var data: String
    var database: BackEnd
    var cache: BackEnd
    var events: BackEnd
    var objects: BackEnd
    var mail: BackEnd
    var payments: BackEnd

    var host: String
    var port: Int
    var publicURL: String
    var shop: ShopPolicy
    var staffEmail: String
    /// Nil: one is made up when the first staff account is opened, and printed once.
    var staffPassword: String?
    var webhookSecret: String?

    /// Requests a second and in a burst that one client may make.
    var clientRate: Double
    var clientBurst: Double
    var trustedProxies: [String]
    var maximumConnections: Int
    var headerTimeout: Duration
    var drainDelay: Duration
    var edgeCacheBytes: Int
    /// Orders and other writes that share one commit at the most; 1 commits each alone.
    var groupCommit: Int
    /// How long what is held for an unfinished order stays held.
    var reservationTime: Duration

    var logLevel: String
    var logFormat: String
    var traceEndpoint: String?
    var traceRatio: Double

    /// How each was found, for `souk config`.
    var report: [Found]

    struct Found: Sendable {
        var name: String
        /// `(secret)` for a secret.
        var value: String?
        var source: String
        var about: String
    }

    /// A back end by URL: `sqlite:var/`, `memory:`.
    struct BackEnd: Sendable, Equatable {
        var scheme: String
        var rest: String
        var text: String { scheme + ":" + rest }

        /// Nil unless it is Redis. `setting` is named if the URL is not as expected.
        func redis(_ setting: String) throws -> RedisURL? {
            guard scheme == "redis" else { return nil }
            do { return try RedisURL(text) } catch { throw SettingsError("\(setting): \(error)") }
        }
    }
}

extension Settings {
    /// - Parameter flags: setting names (`SOUK_PORT`) to the values that the command line gave.
    static func read(
        flags: [String: String] = [:], environment: [String: String] = ProcessInfo.processInfo.environment,
        file: String? = nil
    ) async throws -> Settings {
        let path = file ?? environment["SOUK_CONFIG"]
        var reader = SettingsReader(flags: flags, environment: environment)
        if let path { try await reader.use(file: path) }
        return try Settings(&reader)
    }

    private init(_ reader: inout SettingsReader) throws {
        let data = try reader.text("SOUK_DATA", "var", "The folder of everything embedded")
        self.data = data
        database = try reader.backEnd(
            "SOUK_DATABASE", "sqlite:\(data)/", ["sqlite": "sqlite:FOLDER/"], "Where the services keep their rows")
        cache = try reader.backEnd(
            "SOUK_CACHE", "memory:", ["memory": "memory:", "redis": RedisURL.form], "What may be forgotten")
        events = try reader.backEnd(
            "SOUK_EVENTS", "local:", ["local": "local:", "redis": RedisURL.form], "From one service to the others")
        _ = try (cache.redis("SOUK_CACHE"), events.redis("SOUK_EVENTS"))
        objects = try reader.backEnd(
            "SOUK_OBJECTS", "file:\(data)/objects", ["file": "file:FOLDER"], "Pictures and other files")
        mail = try reader.backEnd("SOUK_MAIL", "spool:\(data)/mail", ["spool": "spool:FOLDER"], "Where mail goes")
        payments = try reader.backEnd(
            "SOUK_PAYMENTS", "sandbox:", ["sandbox": "sandbox:"], "The payment gateway")

        host = try reader.text("SOUK_HOST", "127.0.0.1", "The address to listen on; 0.0.0.0 is all")
        port = Int(try reader.integer("SOUK_PORT", 8080, 1...65_535, "The port to listen on"))
        let url = try reader.text("SOUK_PUBLIC_URL", "http://\(host):\(port)", "How shoppers reach the shop")
        guard url.hasPrefix("http://") || url.hasPrefix("https://"), !url.hasSuffix("/") else {
            throw SettingsError("SOUK_PUBLIC_URL is '\(url)', expected http(s)://HOST without a slash at its end")
        }
        publicURL = url
        shop = try Self.shop(&reader)
        staffEmail = try reader.text("SOUK_STAFF_EMAIL", "staff@souk.example", "The first staff account")
        staffPassword = try reader.secret("SOUK_STAFF_PASSWORD", "Its password; made up if not given")
        if let password = staffPassword, !RegisterUser.passwordLength.contains(password.unicodeScalars.count) {
            let length = RegisterUser.passwordLength
            throw SettingsError(
                "SOUK_STAFF_PASSWORD has \(password.unicodeScalars.count) characters, "
                    + "expected \(length.lowerBound) to \(length.upperBound)")
        }
        webhookSecret = try reader.secret("SOUK_WEBHOOK_SECRET", "Signs what payment providers send")

        clientRate = Double(
            try reader.integer("SOUK_CLIENT_RATE", 200, 1...10_000_000, "Requests a second from one client"))
        clientBurst = Double(
            try reader.integer("SOUK_CLIENT_BURST", 400, 1...10_000_000, "Requests at once from one client"))
        trustedProxies = try reader.text(
            "SOUK_TRUSTED_PROXIES", "", "Addresses whose X-Forwarded-For is believed, by comma"
        ).split(separator: ",").map(String.init)
        maximumConnections = Int(
            try reader.integer("SOUK_MAX_CONNECTIONS", 10_000, 1...1_000_000, "Open connections at the most"))
        headerTimeout = try reader.duration(
            "SOUK_HEADER_TIMEOUT", .seconds(10), "How long a request may take to arrive")
        drainDelay = try reader.duration("SOUK_DRAIN_DELAY", .zero, "Between not being ready and stopping")
        edgeCacheBytes =
            Int(try reader.integer("SOUK_EDGE_CACHE_MIB", 32, 0...65_536, "Ready answers kept, in MiB")) << 20
        groupCommit = Int(try reader.integer("SOUK_GROUP_COMMIT", 512, 1...4_096, "Writes in one commit at the most"))
        reservationTime = try reader.duration(
            "SOUK_RESERVATION_TIME", .seconds(86_400), "How long stock is held for an unfinished order")

        logLevel = try reader.choice(
            "SOUK_LOG_LEVEL", "info", ["trace", "debug", "info", "notice", "warning", "error", "critical"], "Log level")
        logFormat = try reader.choice(
            "SOUK_LOG_FORMAT", "auto", ["auto", "json", "text"], "auto is text on a terminal")
        traceEndpoint = try reader.optional(
            "OTEL_EXPORTER_OTLP_ENDPOINT", "Where spans go by OTLP/HTTP, e.g. http://127.0.0.1:4318")
        traceRatio = Double(try reader.integer("SOUK_TRACE_PERCENT", 1, 0...100, "Traces kept, in percent")) / 100
        report = reader.found
    }

    private static func shop(_ reader: inout SettingsReader) throws -> ShopPolicy {
        let name = try reader.text("SOUK_SHOP_NAME", "Souk", "The shop's name")
        let code = try reader.text("SOUK_CURRENCY", "GBP", "The shop's currency")
        guard let currency = Currency(code) else {
            throw SettingsError("SOUK_CURRENCY is '\(code)', expected an ISO 4217 code such as GBP")
        }
        var policy = ShopPolicy(name: name, currency: currency)
        if let shipping: [ShopPolicy.ShippingMethod] = try reader.json(
            "SOUK_SHIPPING", #"[{"id":"standard","title":"Standard delivery","price":0}]"#, "Shipping methods")
        {
            policy.shipping = shipping
        }
        if let taxes: [ShopPolicy.TaxRate] = try reader.json(
            "SOUK_TAXES",
            #"[{"country":"GB","name":"VAT","basis_points":2000,"inclusive":true,"on_shipping":true}]"#,
            "Tax rates by country")
        {
            policy.taxes = taxes
        }
        if let coupons: [ShopPolicy.Coupon] = try reader.json(
            "SOUK_COUPONS", #"[{"code":"WELCOME","basis_points":1000}]"#, "Coupons")
        {
            policy.coupons = coupons
        }
        guard !policy.shipping.isEmpty, Set(policy.shipping.map(\.id)).count == policy.shipping.count,
            policy.shipping.allSatisfy({ $0.price >= 0 && $0.price <= Money.limit })
        else {
            throw SettingsError("SOUK_SHIPPING: expected one method or more, each with its own id and a price ≥ 0")
        }
        guard policy.taxes.allSatisfy({ (0...100_000).contains($0.basis_points) }) else {
            throw SettingsError("SOUK_TAXES: expected basis_points from 0 to 100000 (2000 is 20 %)")
        }
        guard policy.coupons.allSatisfy({ ($0.basis_points == nil) != ($0.amount == nil) }) else {
            throw SettingsError("SOUK_COUPONS: expected either basis_points or amount in each")
        }
        return policy
    }
}

extension Settings {
    /// Whether somebody gave the setting a value.
    func isSet(_ name: String) -> Bool { report.contains { $0.name == name && $0.source != "default" } }
}
