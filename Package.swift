// swift-tools-version: 6.2
import PackageDescription

// Dependencies point one way: Kernel <- seams, Wire, Telemetry, Contracts <- services and Storefront <- souk.

let strict: [SwiftSetting] = [
    .treatAllWarnings(as: .error),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("InternalImportsByDefault"),
]

let collections: Target.Dependency = .product(name: "DequeModule", package: "swift-collections")
let heap: Target.Dependency = .product(name: "HeapModule", package: "swift-collections")
let histogram: Target.Dependency = .product(name: "Histogram", package: "hdrhistogram-swift")
let configuration: Target.Dependency = .product(name: "Configuration", package: "swift-configuration")
let crypto: Target.Dependency = .product(name: "Crypto", package: "swift-crypto")
let cryptoExtras: Target.Dependency = .product(name: "CryptoExtras", package: "swift-crypto")
let sqlite: Target.Dependency = .product(name: "GRDBSQLite", package: "GRDB.swift")
let httpClient: Target.Dependency = .product(name: "AsyncHTTPClient", package: "async-http-client")
/// For the zlib that it brings.
let compression: Target.Dependency = .product(name: "NIOHTTPCompression", package: "swift-nio-extras")
let hummingbirdCore: Target.Dependency = .product(name: "HummingbirdCore", package: "hummingbird")
let jwt: Target.Dependency = .product(name: "JWTKit", package: "jwt-kit")
let lifecycle: Target.Dependency = .product(name: "ServiceLifecycle", package: "swift-service-lifecycle")
let logging: Target.Dependency = .product(name: "Logging", package: "swift-log")
/// What was logged, for tests.
let loggedInMemory: Target.Dependency = .product(name: "InMemoryLogging", package: "swift-log")
let metrics: Target.Dependency = .product(name: "Metrics", package: "swift-metrics")
let mustache: Target.Dependency = .product(name: "Mustache", package: "swift-mustache")
let nio: [Target.Dependency] = [
    .product(name: "NIOCore", package: "swift-nio"),
    .product(name: "NIOPosix", package: "swift-nio"),
    .product(name: "NIOHTTP1", package: "swift-nio"), compression,
]
let tls: [Target.Dependency] = [
    .product(name: "NIOSSL", package: "swift-nio-ssl"), .product(name: "NIOTLS", package: "swift-nio"),
]
let system: Target.Dependency = .product(name: "SystemPackage", package: "swift-system")
let tracing: Target.Dependency = .product(name: "Tracing", package: "swift-distributed-tracing")
/// Rendered charts are YAML.
let yaml: Target.Dependency = .product(name: "Yams", package: "Yams")
let unixSignals: Target.Dependency = .product(name: "UnixSignals", package: "swift-service-lifecycle")
let arguments: Target.Dependency = .product(name: "ArgumentParser", package: "swift-argument-parser")

/// What a service may see: the shared values, the contracts of the others, and the seams.
let seams: [Target.Dependency] = ["Kernel", "Contracts", "Database", "Cache", "Objects", "Events", "Mail"]

func library(_ name: String, _ dependencies: [Target.Dependency], resources: [Resource]? = nil) -> Target {
    .target(name: name, dependencies: dependencies, resources: resources, swiftSettings: strict)
}

func test(_ name: String, _ dependencies: [Target.Dependency]) -> Target {
    .testTarget(name: name + "Tests", dependencies: dependencies, path: "Tests/" + name, swiftSettings: strict)
}

let package = Package(
    name: "souk",
    platforms: [.macOS(.v15)],
    products: [.executable(name: "souk", targets: ["souk"])],
    dependencies: [
        .package(url: "https://github.com/HdrHistogram/hdrhistogram-swift", from: "0.2.0"),
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        .package(url: "https://github.com/apple/swift-collections", from: "1.6.0"),
        .package(url: "https://github.com/apple/swift-configuration", from: "1.4.0"),
        .package(url: "https://github.com/apple/swift-crypto", from: "4.5.2"),
        .package(url: "https://github.com/apple/swift-distributed-tracing", from: "1.7.3"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
        .package(url: "https://github.com/apple/swift-metrics", from: "2.13.0"),
        .package(url: "https://github.com/apple/swift-nio", from: "2.101.2"),
        .package(url: "https://github.com/apple/swift-nio-extras", from: "1.35.2"),
        .package(url: "https://github.com/apple/swift-nio-ssl", from: "2.37.6"),
        .package(url: "https://github.com/apple/swift-system", from: "1.8.1"),
        .package(url: "https://github.com/groue/GRDB.swift", from: "7.10.0"),
        .package(url: "https://github.com/hummingbird-project/hummingbird", from: "2.28.1"),
        .package(url: "https://github.com/hummingbird-project/swift-mustache", from: "2.1.1"),
        .package(url: "https://github.com/jpsim/Yams", from: "6.2.2"),
        .package(url: "https://github.com/swift-server/async-http-client", from: "1.37.0"),
        .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.13.0"),
        .package(url: "https://github.com/vapor/jwt-kit", from: "5.7.1"),
    ],
    targets: [
        library("Kernel", []),
        library("Contracts", ["Kernel"]),

        .systemLibrary(name: "CPostgreSQL", providers: [.apt(["libpq-dev"]), .brew(["libpq"])]),
        library("Database", ["Kernel", "CPostgreSQL", sqlite, metrics]),
        .systemLibrary(name: "CHiredis", providers: [.apt(["libhiredis-dev"]), .brew(["hiredis"])]),
        library("Redis", ["Kernel", "CHiredis", logging, metrics]),
        library("Cache", ["Kernel", "Redis", lifecycle, logging]),
        library("Objects", ["Kernel", crypto]),
        library("Events", ["Kernel", "Database", "Redis", lifecycle, logging, metrics]),
        .systemLibrary(name: "CCurl", providers: [.apt(["libcurl4-openssl-dev"]), .brew(["curl"])]),
        library("Mail", ["Kernel", "CCurl"]),
        library("Backups", ["Kernel", "Database", "Objects", crypto, compression]),
        library("Telemetry", ["Kernel", httpClient, lifecycle, logging, metrics, tracing] + nio),
        library(
            "Wire",
            ["Kernel", collections, crypto, httpClient, hummingbirdCore, lifecycle, logging, metrics, tracing] + nio),

        library("Products", seams + [lifecycle, logging, metrics]),
        library("Orders", seams + [lifecycle, logging, metrics]),
        library("Payments", seams + [logging, metrics, crypto]),
        library("Users", seams + [crypto, cryptoExtras]),
        library("Auth", seams + [crypto, jwt]),
        library(
            "Notifications", seams + [crypto, lifecycle, logging, metrics], resources: [.embedInCode("Resources")]),
        library(
            "Storefront", ["Kernel", "Contracts", "Wire", crypto, mustache],
            resources: [.embedInCode("Resources")]),

        // The drills speak HTTP to a shop from outside: they see its contracts and none of its services.
        library(
            "Drills", ["Kernel", "Contracts", collections, heap, histogram] + nio + tls,
            resources: [.embedInCode("Resources")]),

        .executableTarget(
            name: "souk",
            dependencies: [
                "Kernel", "Contracts", "Database", "Redis", "Cache", "Objects", "Events", "Mail", "Backups",
                "Telemetry", "Wire", "Products", "Orders", "Payments", "Users", "Auth", "Notifications", "Storefront",
                "Drills", arguments, configuration, lifecycle, logging, system, unixSignals, yaml,
            ],
            swiftSettings: strict),

        // What tests start for themselves.
        .target(
            name: "PostgresPeer", dependencies: ["Database"], path: "Tests/PostgresPeer", swiftSettings: strict),
        .target(
            name: "LoopbackPeer", dependencies: ["Kernel", "Wire", lifecycle, logging], path: "Tests/LoopbackPeer",
            swiftSettings: strict),

        test("Kernel", ["Kernel"]),
        test("Contracts", ["Products", "Orders", "Payments", "Wire", "PostgresPeer", lifecycle, logging] + seams),
        test(
            "Seams",
            [
                "Database", "Redis", "Cache", "Objects", "Events", "Mail", "Kernel", "Wire", "PostgresPeer", crypto,
                lifecycle, logging,
            ]),
        test("Backups", ["Backups", "Database", "Objects", "Kernel", "PostgresPeer", crypto]),
        test("Telemetry", ["Telemetry", "Kernel"]),
        test(
            "Wire",
            ["Wire", "Kernel", "LoopbackPeer", crypto, lifecycle, logging, loggedInMemory]
                + nio + [.product(name: "NIOEmbedded", package: "swift-nio")]),
        test("Products", ["Products", "PostgresPeer", logging] + seams),
        test("Orders", ["Orders", "PostgresPeer", loggedInMemory] + seams),
        test(
            "Payments",
            ["Payments", "Wire", "PostgresPeer", "LoopbackPeer", crypto, lifecycle, logging, loggedInMemory] + seams),
        test("Users", ["Users", "PostgresPeer"] + seams),
        test("Auth", ["Auth", "PostgresPeer"] + seams),
        test(
            "Notifications",
            ["Notifications", "Wire", "PostgresPeer", "LoopbackPeer", crypto, lifecycle, logging] + seams),
        test("Drills", ["Drills", "Kernel", "Contracts", histogram] + nio + tls),
        test("Storefront", ["Storefront", "Wire", "Contracts", "Kernel"]),
        test("Tidy", []),
    ],
    swiftLanguageModes: [.v6]
)
