import Configuration
import Contracts
import Database
import FoundationEssentials
import Kernel
import Mail
import Objects
import Redis
import SystemPackage
import Wire

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
    /// Rows are read from there where they may be a moment old; nil for nowhere.
    /// For a server that is not there when a process starts.
    var databaseWait: Duration
    var databaseReplica: String?
    /// The folder of the keys that sign access tokens.
    var signingKeys: String
    var stripeKey: String?
    /// Networks that webhooks may go to, besides what is public.
    var webhookNetworks: String
    var place: Placement

    var host: String
    var port: Int
    var publicURL: String
    var shop: ShopPolicy
    var staffEmail: String
    /// Nil: one is made up when the first staff account is opened, and printed once.
    var staffPassword: String?
    var webhookSecret: String?
    var backupKey: String?

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
    /// Hosts besides this machine that welcome load.
    var loadAllow: [String]

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
        /// In this process, and in a folder of this machine.
        var isEmbedded: Bool { ["sqlite", "memory", "local", "file", "spool", "sandbox"].contains(scheme) }

        /// Nil unless it is Redis. `setting` is named if the URL is not as expected.
        func redis(_ setting: String) throws -> RedisURL? {
            guard scheme == "redis" else { return nil }
            do { return try RedisURL(text) } catch { throw SettingsError("\(setting): \(error)") }
        }

        /// Nil unless it is S3.
        func s3(_ setting: String) throws -> S3URL? {
            guard scheme == "s3" else { return nil }
            do {
                return try S3URL(text, environment: ProcessInfo.processInfo.environment)
            } catch {
                throw SettingsError("\(setting): \(error)")
            }
        }

        /// Nil unless it is a mail server.
        func smtp(_ setting: String) throws -> SMTPURL? {
            guard scheme == "smtp" else { return nil }
            do { return try SMTPURL(text) } catch { throw SettingsError("\(setting): \(error)") }
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
            "SOUK_DATABASE", "sqlite:\(data)/",
            ["sqlite": "sqlite:FOLDER/", "postgres": PostgresDatabase.urlForm, "postgresql": PostgresDatabase.urlForm],
            "Where the services keep their rows")
        let replica = ("SOUK_DATABASE_REPLICA", "A PostgreSQL server to read from what may be a moment old")
        databaseReplica = try reader.url(replica.0, replica.1) ?? reader.optional(replica.0, replica.1)
        cache = try reader.backEnd(
            "SOUK_CACHE", "memory:", ["memory": "memory:", "redis": RedisURL.form], "What may be forgotten")
        events = try reader.backEnd(
            "SOUK_EVENTS", "local:", ["local": "local:", "redis": RedisURL.form], "From one service to the others")
        _ = try (cache.redis("SOUK_CACHE"), events.redis("SOUK_EVENTS"))
        objects = try reader.backEnd(
            "SOUK_OBJECTS", "file:\(data)/objects", ["file": "file:FOLDER", "s3": S3URL.form],
            "Pictures and other files; S3's credentials as AWS's tools find them")
        mail = try reader.backEnd(
            "SOUK_MAIL", "spool:\(data)/mail", ["spool": "spool:FOLDER", "smtp": SMTPURL.form], "Where mail goes")
        _ = try (objects.s3("SOUK_OBJECTS"), mail.smtp("SOUK_MAIL"))
        payments = try reader.backEnd(
            "SOUK_PAYMENTS", "sandbox:", ["sandbox": "sandbox:", "stripe": "stripe:[https://HOST]"],
            "The payment gateway")
        stripeKey = try reader.secret("SOUK_STRIPE_KEY", "Stripe's secret key, sk_… or rk_…")
        signingKeys = try reader.text(
            "SOUK_SIGNING_KEYS", "\(data)/keys", "The folder of the keys that sign access tokens")
        place = try Self.place(&reader)

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
        webhookSecret = try reader.secret(
            "SOUK_WEBHOOK_SECRET", "Signs what payment providers send; two by comma while one is changed")
        backupKey = try reader.secret(
            "SOUK_BACKUP_KEY", "Encrypts backups: 32 bytes in base64 or hexadecimal")
        webhookNetworks = try reader.text(
            "SOUK_WEBHOOK_NETWORKS", "", "Networks that webhooks may go to besides public ones, e.g. 10.0.0.0/8")

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
        databaseWait = try reader.duration(
            "SOUK_DATABASE_WAIT", .zero, "For a database server that is not there when serve or migrate start")
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
        loadAllow = try reader.text(
            "SOUK_LOAD_ALLOW", "", "Hosts besides this machine that `souk load` may put load on, by comma"
        ).split(separator: ",").map { String($0.filter { $0 != " " }) }
        report = reader.found
        try check()
    }

    private static func place(_ reader: inout SettingsReader) throws -> Placement {
        let names = try reader.text(
            "SOUK_ROLES", ShopRole.names.filter { $0 != " " }, "What this process is, by comma")
        let roles = try Set(names.split(separator: ",").map { try role(String($0), of: "SOUK_ROLES") })
        guard !roles.isEmpty else { throw SettingsError("SOUK_ROLES is empty, expected one role or more, by comma") }
        var peers: [ShopRole: String] = [:]
        for text in try reader.text("SOUK_PEERS", "", "Where other roles are: ROLE=URL, by comma").split(separator: ",")
        {
            let parts = text.split(separator: "=", maxSplits: 1).map(String.init)
            guard parts.count == 2 else {
                throw SettingsError("SOUK_PEERS has '\(text)', expected ROLE=http://HOST:PORT")
            }
            peers[try role(parts[0], of: "SOUK_PEERS")] = try peer(parts[1])
        }
        let keys = try reader.secret(
            "SOUK_SERVICE_KEYS", "Under which roles know each other, by comma; the first signs, all verify")
        return Placement(roles: roles, peers: peers, serviceKeys: keys?.split(separator: ",").map(String.init))
    }

    private static func role(_ name: String, of setting: String) throws -> ShopRole {
        guard let role = ShopRole(rawValue: name) else {
            throw SettingsError("\(setting) has '\(name)', expected one of \(ShopRole.names)")
        }
        return role
    }

    private static func peer(_ url: String) throws -> String {
        let base = url.hasSuffix("/") ? String(url.dropLast()) : url
        let host = base.split(separator: "/", omittingEmptySubsequences: false)
        guard base.hasPrefix("http://") || base.hasPrefix("https://"), host.count == 3, !host[2].isEmpty,
            !host[2].contains("@")
        else { throw SettingsError("SOUK_PEERS has '\(url)', expected http(s)://HOST:PORT without a path") }
        return base
    }

    /// What must fit together.
    private func check() throws {
        if let database = databaseReplica, self.database.isEmbedded {
            throw SettingsError(
                "SOUK_DATABASE_REPLICA is '\(database)', but SOUK_DATABASE has no replica: it is SQLite")
        }
        if payments.scheme == "stripe", place.roles.contains(.payments) {
            guard let stripeKey, stripeKey.hasPrefix("sk_") || stripeKey.hasPrefix("rk_") else {
                throw SettingsError("SOUK_STRIPE_KEY is not set, expected Stripe's secret key, sk_… or rk_…")
            }
            guard webhookSecret != nil else {
                throw SettingsError(
                    "SOUK_WEBHOOK_SECRET is not set, expected the secret of the endpoint at Stripe, whsec_…")
            }
        }
        guard !place.isWhole else { return }
        for role in place.called where place.peers[role] == nil {
            throw SettingsError(
                "SOUK_PEERS lacks \(role.rawValue), which is called from here: give --peer \(role.rawValue)=http://…"
            )
        }
        guard let keys = place.serviceKeys, !keys.isEmpty else {
            throw SettingsError(
                "SOUK_SERVICE_KEYS is not set, expected the key by which roles know each other, "
                    + "\(ServiceTokens.shortestKey) characters or more")
        }
        if let short = keys.first(where: { $0.utf8.count < ServiceTokens.shortestKey }) {
            throw SettingsError(
                "SOUK_SERVICE_KEYS has a key of \(short.utf8.count) characters, "
                    + "expected \(ServiceTokens.shortestKey) or more"
            )
        }
        let events = ShopRole.all.filter(\.hasEvents)
        if self.events.scheme == "local", !place.roles.isDisjoint(with: events), !place.roles.isSuperset(of: events) {
            throw SettingsError(
                "SOUK_EVENTS is local:, which reaches this process only: let it be orders, users and notifications "
                    + "all three, or give \(RedisURL.form)")
        }
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
    /// What a process makes up for itself on SQLite, processes that share a server must be told: each would undo what
    /// the other did.
    /// - Throws: `SettingsError` where it was not.
    func requireShared() throws {
        guard database.scheme != "sqlite" else { return }
        if place.roles.contains(.users), staffPassword == nil {
            throw SettingsError(
                "SOUK_STAFF_PASSWORD is not set, expected the password of \(staffEmail): on SQLite one is made up")
        }
        if place.roles.contains(.auth), !isSet("SOUK_SIGNING_KEYS") {
            throw SettingsError(
                "SOUK_SIGNING_KEYS is not set, expected the folder of the keys that all processes of Auth share")
        }
    }

    /// How long an answer may be kept that another process may make stale without a word; nil where every write is
    /// heard of: through Redis, or because there is no other process.
    var edgeMaxAge: Duration? {
        cache.scheme == "redis" || place.isWhole && database.scheme == "sqlite" ? nil : .seconds(1)
    }

    /// What a setting is, without a password that it may have; nil where it is not set.
    func shown(_ name: String) -> String? {
        report.first { $0.name == name }?.value.map { String($0.prefix { $0 != "?" }) }
    }

    /// Whether somebody gave the setting a value.
    func isSet(_ name: String) -> Bool { report.contains { $0.name == name && $0.source != "default" } }
}
