import Database
import Kernel
import Objects

/// Pictures on their way into a backup. Each is kept once a week under a name made of its content; the backup itself
/// holds a list: key, type, name, size.
struct ContentCopy: Sendable {
    /// At a time. Each is in memory as a whole, twice while it is sealed.
    static let atOnce = 4
    static let partName = "objects"
    static let columns = ["key", "type", "name", "size"]

    private let repository: BackupRepository
    private let week: String
    private let isVerified: Bool
    private let onCopy: @Sendable (Int) -> Void

    init(_ repository: BackupRepository, week: String, isVerified: Bool, onCopy: @escaping @Sendable (Int) -> Void) {
        self.repository = repository
        self.week = week
        self.isVerified = isVerified
        self.onCopy = onCopy
    }

    static func key(of name: String, week: String) -> String { "content/\(week)/\(name.prefix(2))/\(name)" }

    /// - Parameter keep: takes a part of the list.
    func run(
        from objects: any ObjectStore, _ parts: Parts, keep: (SealedPart) async throws -> Void
    ) async throws -> Manifest.Objects {
        var kept = try await namesKept()
        var summary = Manifest.Objects(count: 0, bytes: 0, week: week)
        var writer = RowWriter()
        func flush() async throws {
            let (bytes, count) = writer.take()
            try await keep(
                try await repository.pool.run { try parts.seal(bytes, count: count, name: Self.partName) })
        }
        var after: String?
        while true {
            let keys = try await objects.list(prefix: "", after: after, limit: 1_000)
            guard let last = keys.last else { break }
            after = last
            for start in stride(from: 0, to: keys.count, by: Self.atOnce) {
                let some = keys[start..<min(start + Self.atOnce, keys.count)]
                for copied in try await copy(some, from: objects, unless: kept) {
                    kept.insert(copied.name)
                    summary.count += 1
                    summary.bytes += copied.size
                    writer.append([
                        .text(copied.key), .text(copied.type), .text(copied.name), .integer(Int64(copied.size)),
                    ])
                }
                onCopy(some.count)
                if writer.bytes.count >= SealedPart.size { try await flush() }
            }
        }
        if writer.rows > 0 { try await flush() }
        return summary
    }

    private struct Copied: Sendable {
        let key, type, name: String
        let size: Int
    }

    /// In their order. What was deleted since it was listed is left out.
    private func copy(
        _ keys: ArraySlice<String>, from objects: any ObjectStore, unless kept: Set<String>
    ) async throws -> [Copied] {
        try await withThrowingTaskGroup(of: Copied?.self) { group in
            for key in keys {
                group.addTask {
                    guard let object = try await objects.get(key) else { return nil }
                    let name = try await repository.pool.run { repository.content.name(of: object.bytes) }
                    if !kept.contains(name) { try await keep(object.bytes, name) }
                    return Copied(key: key, type: object.contentType, name: name, size: object.bytes.count)
                }
            }
            return try await group.reduce(into: [Copied]()) { if let copied = $1 { $0.append(copied) } }
                .sorted { $0.key < $1.key }
        }
    }

    private func keep(_ bytes: [UInt8], _ name: String) async throws {
        let key = Self.key(of: name, week: week)
        let sealed = try await repository.pool.run { try repository.content.seal(bytes, name: name) }
        try await repository.store.put(key, sealed, contentType: BackupRepository.contentType)
        if isVerified { _ = try await repository.content(name, week: week, size: bytes.count) }
    }

    /// What this week's backups have copied already. A million pictures are a hundred megabytes here.
    private func namesKept() async throws -> Set<String> {
        var names: Set<String> = []
        var after: String?
        while true {
            let keys = try await repository.store.list(prefix: "content/\(week)/", after: after, limit: 1_000)
            guard let last = keys.last else { return names }
            after = last
            for key in keys { names.insert(String(key.split(separator: "/").last ?? "")) }
        }
    }
}

extension BackupRepository {
    /// A picture's bytes, proved by its name; throws what is wrong with it.
    func content(_ name: String, week: String, size: Int) async throws -> [UInt8] {
        let key = ContentCopy.key(of: name, week: week)
        guard let sealed = try await bytes(at: key) else { throw BackupError.missingPart(key: key) }
        guard let bytes = try await pool.run({ content.open(sealed, name: name) }), bytes.count == size else {
            throw BackupError.damagedPart(key: key, detail: "it is not the content of its name")
        }
        return bytes
    }
}
