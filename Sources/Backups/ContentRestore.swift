import Database
import Kernel
import Objects
import Synchronization

/// Pictures on their way back, each under the key it had.
struct ContentRestore: Sendable {
    private let repository: BackupRepository
    private let options: BackupRestorer.Options

    init(_ repository: BackupRepository, _ options: BackupRestorer.Options) {
        self.repository = repository
        self.options = options
    }

    /// Throws `BackupError.missingObjects` after the others are there.
    func run(_ manifest: Manifest, _ sealing: Sealing, into objects: any ObjectStore) async throws {
        try await repository.forEachObject(of: manifest, sealing) { listed, bytes in
            try await objects.put(listed.key, bytes, contentType: listed.type)
            options.onObjects(1)
        }
    }
}

/// A line of a backup's list of pictures.
struct ListedObject: Sendable {
    let key, type, name: String
    let size: Int

    init(_ row: [Value]) throws {
        guard row.count == 4, case .text(let key) = row[0], case .text(let type) = row[1],
            case .text(let name) = row[2], case .integer(let size) = row[3]
        else { throw BackupError.damagedRows }
        (self.key, self.type, self.name, self.size) = (key, type, name, Int(size))
    }
}

private final class Missing: Sendable {
    private let state = Mutex<(count: Int, first: String)>((0, ""))

    var all: (count: Int, first: String) { state.withLock { $0 } }
    func add(_ key: String) { state.withLock { $0 = ($0.count + 1, $0.count == 0 ? key : $0.first) } }
}

extension BackupRepository {
    /// The pictures of a backup, a few at a time and in no order. Those that cannot be had are counted, and told at the
    /// end: `BackupError.missingObjects`.
    func forEachObject(
        of manifest: Manifest, _ sealing: Sealing,
        _ work: @escaping @Sendable (ListedObject, [UInt8]) async throws -> Void
    ) async throws {
        guard let week = manifest.objects?.week else { return }
        let missing = Missing()
        for number in manifest.parts.indices where manifest.parts[number].name == ContentCopy.partName {
            var reader = RowReader(
                try await part(number, of: manifest, sealing), columns: ContentCopy.columns.count)
            try await withThrowingTaskGroup(of: Void.self) { group in
                var running = 0
                while let row = try reader.next() {
                    let object = try ListedObject(row)
                    if running == ContentCopy.atOnce { try await group.next() } else { running += 1 }
                    group.addTask {
                        let bytes: [UInt8]
                        do {
                            bytes = try await content(object.name, week: week, size: object.size)
                        } catch is BackupError {
                            return missing.add(object.key)
                        }
                        try await work(object, bytes)
                    }
                }
                try await group.waitForAll()
            }
        }
        let (count, first) = missing.all
        if count > 0 { throw BackupError.missingObjects(count: count, first: first) }
    }
}
