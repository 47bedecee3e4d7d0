public import Kernel

/// One generation of a continuous copy, up to a moment: first its base, then its cuts, each proved as it is read.
public struct LogReader: Sendable {
    public let id: BackupID
    public let manifest: Manifest
    private let cuts: [LogRepository.Cut]
    private let backups: BackupRepository
    private let base: Sealing
    private let links: Sealing

    /// Objects that are fetched at the same time; each may take the memory of two parts.
    private static let window = 8

    init(id: BackupID, manifest: Manifest, cuts: [LogRepository.Cut], _ backups: BackupRepository, base: Sealing) {
        self.id = id
        self.manifest = manifest
        self.cuts = cuts
        self.backups = backups
        self.base = base
        links = Sealing(backups.key, salt: Hex.bytes(manifest.encryption?.salt ?? "") ?? [], of: .cuts)
    }

    var pool: BlockingPool { backups.pool }
    /// The moment that it shows.
    public var until: Timestamp { cuts.last?.until ?? manifest.taken_at }
    /// How many objects are read: for a bar.
    public var objects: Int { manifest.parts.count + cuts.count }

    /// The parts of the base, in the order in which they were added.
    ///
    /// - Throws: `BackupError.missingPart`, `.damagedPart`, and what the body throws.
    public func forEachPart(_ body: (_ part: Manifest.Part, _ content: [UInt8]) async throws -> Void) async throws {
        let parts = Array(manifest.parts.enumerated())
        try await inOrder(parts) { [base, backups, id] number, part in
            let key = LogRepository.key(of: id, base: number, part.name)
            return try await backups.part(number, part, key, base)
        } then: {
            try await body($0.element, $1)
        }
    }

    /// What was committed since, in its order. `until` is nil where more of the cut follows; the last has one.
    ///
    /// - Throws: `BackupError.brokenLog`, which tells up to when it can be restored, and what the body throws.
    public func forEachCut(
        _ body: (_ content: [UInt8], _ until: Timestamp?, _ details: [String: String]) async throws -> Void
    ) async throws {
        var reach = manifest.taken_at
        var previous = ""
        try await inOrder(cuts) { [links, backups] cut in
            await Result.of {
                guard let bytes = try await backups.bytes(at: cut.key) else {
                    throw BackupError.missingPart(key: cut.key)
                }
                return try await backups.pool.run { try LogLink.open(bytes, number: cut.number, at: cut.key, links) }
            }
        } then: { cut, opened in
            let link: LogLink
            do {
                link = try opened.get()
            } catch BackupError.missingPart {
                throw BackupError.brokenLog(key: cut.key, detail: "missing", reach: reach)
            } catch BackupError.damagedPart(_, let detail) {
                throw BackupError.brokenLog(key: cut.key, detail: "damaged (\(detail))", reach: reach)
            }
            guard link.header.previous == previous, link.header.until == cut.until else {
                throw BackupError.brokenLog(
                    key: cut.key, detail: "damaged (it does not follow the one before)", reach: reach)
            }
            previous = link.hash
            try await body(link.content, link.header.until, link.header.details ?? [:])
            reach = link.header.until ?? reach
        }
    }

    /// Reads it to its end, as a restore would, and keeps nothing.
    ///
    /// - Parameter onObjects: told of so many objects more.
    public func verify(onObjects: (Int) -> Void) async throws {
        try await forEachPart { _, _ in onObjects(1) }
        try await forEachCut { _, _, _ in onObjects(1) }
    }

    /// Fetches a few at the same time, and hands them on one after the other.
    private func inOrder<Item: Sendable, Fetched: Sendable>(
        _ items: [Item], _ fetch: @escaping @Sendable (Item) async throws -> Fetched,
        then body: (Item, Fetched) async throws -> Void
    ) async throws {
        for start in stride(from: 0, to: items.count, by: Self.window) {
            let few = items[start..<min(start + Self.window, items.count)]
            let fetched = try await withThrowingTaskGroup(of: (Int, Fetched).self) { group in
                for index in few.indices { group.addTask { (index, try await fetch(items[index])) } }
                return try await group.reduce(into: [Int: Fetched]()) { $0[$1.0] = $1.1 }
            }
            for index in few.indices {
                if let content = fetched[index] { try await body(items[index], content) }
            }
        }
    }
}

extension Result where Success: Sendable, Failure == any Error {
    fileprivate static func of(_ work: @Sendable () async throws -> Success) async -> Self {
        do { return .success(try await work()) } catch { return .failure(error) }
    }
}
