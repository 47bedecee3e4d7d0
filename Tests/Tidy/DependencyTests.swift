import Foundation
import Testing

/// Dependencies point one way: Kernel ← seams, Wire, Telemetry, Contracts ← services and Storefront ← souk.
///
/// The compiler holds what Package.swift declares; this holds Package.swift's declarations, by the imports.
@Suite("Imports point one way") struct DependencyTests {
    static let seams: Set = ["Database", "Cache", "Objects", "Events", "Mail"]
    static let services: Set = ["Products", "Orders", "Payments", "Users", "Auth", "Notifications"]
    static let frameworks: Set = [
        "Hummingbird", "HummingbirdCore", "NIOCore", "NIOPosix", "NIOHTTP1", "GRDB", "AsyncHTTPClient", "JWTKit",
        "Crypto", "Logging", "Metrics", "Tracing", "ServiceLifecycle", "Mustache", "ArgumentParser", "Configuration",
    ]

    /// What each target may import of this package; `souk`, which puts everything together, may import all.
    static let allowed: [String: Set<String>] = {
        var allowed: [String: Set<String>] = [
            "Kernel": [], "Contracts": ["Kernel"], "Telemetry": ["Kernel"], "Wire": ["Kernel"],
            "Storefront": ["Kernel", "Contracts", "Wire"], "Drills": ["Kernel", "Contracts"], "Forecast": ["Kernel"],
        ]
        // Not a seam: what two of them reach Redis with.
        allowed["Redis"] = ["Kernel"]
        // Above two seams, and beside the services: it knows their tables from the databases themselves.
        allowed["Backups"] = ["Kernel", "Database", "Objects"]
        for seam in seams { allowed[seam] = ["Kernel", "Database", "Redis"] }
        for service in services { allowed[service] = seams.union(["Kernel", "Contracts"]) }
        return allowed
    }()

    static var own: Set<String> { Set(allowed.keys).union(["souk"]) }

    @Test("a target imports only what stands below it") func direction() {
        let wrong = SourceTree.offences(in: SourceTree.sources) { file, index in
            guard let module = file.lines[index].importedModule, Self.own.contains(module), file.target != "souk"
            else { return false }
            return !(Self.allowed[file.target]?.contains(module) ?? false)
        }
        #expect(wrong == [])
    }

    @Test("every folder of Sources has its place in the house") func everyTargetIsKnown() {
        #expect(Set(SourceTree.sources.map(\.target)).subtracting(Self.own) == [])
    }

    @Test("Kernel and Contracts import no framework", arguments: ["Kernel", "Contracts"])
    func lightweight(_ target: String) {
        let files = SourceTree.sources.filter { $0.target == target }
        let heavy = SourceTree.offences(in: files) { file, index in
            file.lines[index].importedModule.map(Self.frameworks.contains) ?? false
        }
        #expect(heavy == [])
    }

    @Test(
        "each framework stays behind its seam",
        arguments: [
            ("GRDB", ["Database"]), ("Hummingbird", ["Wire"]), ("NIOCore", ["Wire", "Telemetry", "Drills"]),
            ("NIOHTTP1", ["Wire"]),
            ("JWTKit", ["Auth"]), ("ArgumentParser", ["souk"]),
        ])
    func behindItsSeam(framework: String, targets: [String]) {
        let files = SourceTree.sources.filter { !targets.contains($0.target) }
        let wrong = SourceTree.offences(in: files) { file, index in file.lines[index].importedModule == framework }
        #expect(wrong == [])
    }
}

extension String {
    /// The module of an `import` line: `@preconcurrency public import struct Foundation.URL` is `Foundation`.
    var importedModule: String? {
        let words = code.split(separator: " ").map(String.init)
        guard let position = words.firstIndex(of: "import"), position < 3, words.count > position + 1,
            words[..<position].allSatisfy({ $0.hasPrefix("@") || ["public", "package", "internal"].contains($0) })
        else { return nil }
        let kinds: Set = ["struct", "class", "enum", "protocol", "func", "var", "let", "typealias"]
        let name = kinds.contains(words[position + 1]) ? words.dropFirst(position + 2).first : words[position + 1]
        return name.flatMap { $0.split(separator: ".").first.map(String.init) }
    }
}
