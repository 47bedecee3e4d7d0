import Database
import Kernel

/// Reads a backup to its end, as a restore would, and keeps nothing.
public struct BackupVerifier: Sendable {
    private let repository: BackupRepository
    private let onParts: @Sendable (Int) -> Void

    /// - Parameter onParts: told of so many parts, or pictures, more.
    public init(_ repository: BackupRepository, onParts: @escaping @Sendable (Int) -> Void = { _ in }) {
        self.repository = repository
        self.onParts = onParts
    }

    /// - Parameter wanted: an ID; nil for the latest.
    /// - Throws: `BackupError` for the first thing that is wrong.
    public func verify(_ wanted: String?, hasObjects: Bool = true) async throws -> Manifest {
        let (manifest, sealing) = try await repository.open(wanted)
        try await verify(manifest, sealing, hasObjects: hasObjects)
        return manifest
    }

    func verify(_ manifest: Manifest, _ sealing: Sealing, hasObjects: Bool) async throws {
        var counts: [String: Int] = [:]
        let columns = Dictionary(
            manifest.stores.flatMap { store in store.tables.map { ("\(store.name).\($0.name)", $0.columns.count) } }
        ) { first, _ in first }
        for (number, part) in manifest.parts.enumerated() {
            let key = manifest.key(of: number)
            let width = part.name == ContentCopy.partName ? ContentCopy.columns.count : columns[part.name] ?? 0
            let bytes = try await repository.part(number, of: manifest, sealing)
            let rows = try await repository.pool.run {
                var reader = RowReader(bytes, columns: width)
                var rows = 0
                while try reader.next() != nil { rows += 1 }
                return rows
            }
            guard rows == part.rows else { throw BackupError.damagedPart(key: key, detail: "it has \(rows) rows") }
            counts[part.name, default: 0] += rows
            onParts(1)
        }
        for store in manifest.stores {
            for table in store.tables where counts["\(store.name).\(table.name)", default: 0] != table.rows {
                throw BackupError.damagedManifest(backup: manifest.id, detail: "parts of \(table.name) are missing")
            }
        }
        if hasObjects { try await repository.forEachObject(of: manifest, sealing) { _, _ in onParts(1) } }
    }
}
