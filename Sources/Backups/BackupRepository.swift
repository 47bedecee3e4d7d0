public import Kernel
public import Objects

/// Where backups are kept: a folder or a bucket, which several shops must not share.
///
/// `backups/ID/manifest` and the parts beside it are one backup; `content/WEEK/NAME` are pictures, which the backups of
/// that week share.
public struct BackupRepository: Sendable {
    /// After so long, what has no manifest is the rest of a backup that was broken off.
    static let longestBackup = Duration.seconds(2 * 86_400)
    static let contentType = "application/octet-stream"

    let store: any ObjectStore
    let key: BackupKey?
    /// As messages name it.
    let name: String
    let content: ContentSealing
    let pool = BlockingPool(name: "backup", threads: 2)

    /// - Parameter key: nil for backups in the clear.
    public init(_ store: any ObjectStore, key: BackupKey?, name: String) {
        self.store = store
        self.key = key
        self.name = name
        content = ContentSealing(key)
    }

    public struct Entry: Sendable {
        public let id: BackupID
        /// What it says of itself; nil for one that is not complete, or cannot be read.
        public let manifest: Manifest?
        public var isComplete: Bool { manifest != nil }
    }

    /// All of them, the oldest first; without a look at their parts, and without a proof.
    public func list() async throws -> [Entry] {
        var entries: [Entry] = []
        for id in try await ids() {
            let bytes = try await store.get(Manifest.key(of: id.description))?.bytes
            let manifest = bytes.flatMap { try? Manifest.unproved($0, of: id.description) }
            entries.append(Entry(id: id, manifest: manifest))
        }
        return entries
    }

    /// From one folder to the next: a backup may have any number of parts.
    private func ids() async throws -> [BackupID] {
        let base = "backups/"
        var ids: [BackupID] = []
        var after: String?
        while let key = try await store.list(prefix: base, after: after, limit: 1).first {
            let folder = key.dropFirst(base.count).prefix { $0 != "/" }
            if let id = BackupID(String(folder)) { ids.append(id) }
            // The next character after the slash.
            after = base + folder + "0"
        }
        return ids.sorted()
    }

    /// - Parameter wanted: an ID; nil for the latest complete one.
    /// - Throws: `BackupError` where there is none, or it is not what was written with this key.
    public func manifest(_ wanted: String?) async throws -> Manifest { try await open(wanted).manifest }

    func open(_ wanted: String?) async throws -> (manifest: Manifest, sealing: Sealing) {
        let candidates: [String] =
            if let wanted { [wanted] } else { try await ids().reversed().map(\.description) }
        for id in candidates where BackupID(id) != nil {
            guard let bytes = try await store.get(Manifest.key(of: id))?.bytes else { continue }
            let (manifest, sealing) = try Manifest.read(bytes, of: id, key)
            return (manifest, sealing)
        }
        throw BackupError.noBackup(wanted: wanted ?? "", place: name)
    }

    // MARK: - Parts

    /// The rows of a part, proved and unpacked.
    func part(_ number: Int, of manifest: Manifest, _ sealing: Sealing) async throws -> [UInt8] {
        try await part(number, manifest.parts[number], manifest.key(of: number), sealing)
    }

    func part(_ number: Int, _ part: Manifest.Part, _ key: String, _ sealing: Sealing) async throws -> [UInt8] {
        guard let kept = try await bytes(at: key) else { throw BackupError.missingPart(key: key) }
        return try await pool.run { try SealedPart.open(kept, part, number: number, key: key, sealing) }
    }

    /// What a store itself finds to be damaged is a damaged part.
    func bytes(at key: String) async throws -> [UInt8]? {
        do {
            return try await store.get(key)?.bytes
        } catch ObjectError.damaged {
            throw BackupError.damagedPart(key: key, detail: "its store says so")
        }
    }

    func put(_ part: SealedPart, of backup: String) async throws {
        let key = Manifest.key(of: backup, part: part.number, part.entry.name)
        try await store.put(key, part.bytes, contentType: Self.contentType)
    }

    /// All that was kept under a folder; the manifest first, so that what is half removed is no backup.
    func remove(folder: String, first: String? = nil) async throws {
        if let first { try await store.delete(first) }
        while true {
            let keys = try await store.list(prefix: folder, after: nil, limit: 1_000)
            if keys.isEmpty { return }
            for key in keys { try await store.delete(key) }
        }
    }

    func remove(_ backup: String) async throws {
        try await remove(folder: Manifest.folder(of: backup), first: Manifest.key(of: backup))
    }

    // MARK: - What is kept

    public struct Removed: Sendable {
        public var backups: [BackupID] = []
        public var kept: [BackupID] = []
    }

    /// Removes what the policy does not keep, what was broken off long ago, and the pictures of weeks of which no
    /// backup is left. One that cannot be read stays: it may be another release's.
    public func prune(_ policy: KeepPolicy, now: Timestamp) async throws -> Removed {
        let all = try await list()
        let kept = policy.kept(of: all.filter(\.isComplete).map(\.id))
        var removed = Removed()
        for entry in all {
            let isBroken = try await isBrokenOff(entry, now)
            if kept.contains(entry.id) || !entry.isComplete && !isBroken {
                removed.kept.append(entry.id)
            } else {
                try await remove(entry.id.description)
                removed.backups.append(entry.id)
            }
        }
        try await removeContent(except: Set(removed.kept.map(\.week)), now: now)
        return removed
    }

    private func isBrokenOff(_ entry: Entry, _ now: Timestamp) async throws -> Bool {
        guard !entry.isComplete, now - entry.id.time > Self.longestBackup else { return false }
        return try await store.get(Manifest.key(of: entry.id.description)) == nil
    }

    private func removeContent(except weeks: Set<String>, now: Timestamp) async throws {
        let current = BackupID(at: now).week
        var after: String?
        while let key = try await store.list(prefix: "content/", after: after, limit: 1).first {
            let week = String(key.dropFirst("content/".count).prefix { $0 != "/" })
            if !weeks.contains(week), week < current { try await remove(folder: "content/\(week)/") }
            after = "content/\(week)0"
        }
    }
}
