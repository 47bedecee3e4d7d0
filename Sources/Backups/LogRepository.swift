public import Kernel

/// Continuous copies, beside the backups of the same place and sealed with the same key. Of any engine: what the bytes
/// mean is its own affair.
///
/// `log/GENERATION/` is one copy, named by the moment at which it was begun. `manifest` and `base/NUMBER-NAME` are its
/// base, a physical copy of one moment; `cuts/NUMBER-TIME` is what was committed since, one object after another,
/// without a gap. TIME is how far the copy reaches with that one; `more` stands in its place where the same cut goes on
/// in the next object.
public struct LogRepository: Sendable {
    /// Bytes of content in an object, before they are packed.
    public static let partSize = SealedPart.size

    let backups: BackupRepository

    public init(_ backups: BackupRepository) { self.backups = backups }

    static func folder(of id: BackupID) -> String { "log/\(id)/" }
    static func manifestKey(of id: BackupID) -> String { folder(of: id) + "manifest" }
    static func key(of id: BackupID, base number: Int, _ name: String) -> String {
        "\(folder(of: id))base/\(padded(number))-\(name)"
    }
    static func key(of id: BackupID, cut number: Int, _ time: BackupID?) -> String {
        "\(folder(of: id))cuts/\(padded(number))-\(time?.description ?? "more")"
    }

    /// Thirty years of a cut a second.
    private static func padded(_ number: Int) -> String {
        let digits = String(number)
        return String(repeating: "0", count: max(0, 9 - digits.count)) + digits
    }

    // MARK: - Writing

    /// A new generation, of which nothing is kept yet.
    ///
    /// - Parameters:
    ///   - release: of Souk.
    ///   - engine: `sqlite` or `postgres`.
    public func begin(at time: Timestamp, release: String, engine: String) async throws -> LogWriter {
        let id = BackupID(at: time)
        guard try await backups.store.list(prefix: Self.folder(of: id), after: nil, limit: 1).isEmpty else {
            throw BackupError.exists(backup: id.description)
        }
        return LogWriter(id, backups, release: release, engine: engine)
    }

    /// Goes on with the latest generation, where that is complete and of this engine. Nobody else writes to it.
    ///
    /// Nothing is removed: not everybody who may write may do that. A cut that was broken off is gone on with by the
    /// next one, and they count as one.
    ///
    /// - Returns: nil where there is none; its manifest, and the details of its last object of a cut (of the base where
    ///   it has none): by them the engine tells whether it has all that came since.
    /// - Throws: `BackupError`, for one that was made with another key too.
    public func resume(
        engine: String
    ) async throws -> (writer: LogWriter, manifest: Manifest, details: [String: String])? {
        guard let id = try await ids().last, let bytes = try await backups.store.get(Self.manifestKey(of: id))?.bytes
        else { return nil }
        let (manifest, _) = try Manifest.read(bytes, of: id.description, backups.key, as: .base)
        guard manifest.engine == engine else { return nil }
        let salt = Hex.bytes(manifest.encryption?.salt ?? "") ?? []
        var last: LogLink?
        if let cut = try await cuts(of: id).last {
            guard let kept = try await backups.bytes(at: cut.key) else { throw BackupError.missingPart(key: cut.key) }
            let sealing = Sealing(backups.key, salt: salt, of: .cuts)
            last = try LogLink.open(kept, number: cut.number, at: cut.key, sealing)
        }
        let writer = LogWriter(
            id, backups, release: manifest.release, engine: engine, salt: salt, after: last)
        return (writer, manifest, last.map { $0.header.details ?? [:] } ?? manifest.details ?? [:])
    }

    // MARK: - Looking

    /// An object of a cut, by its key alone.
    struct Cut: Sendable {
        let key: String
        let number: Int
        /// Nil where more of the cut follows.
        let until: Timestamp?
    }

    public struct Generation: Sendable {
        public let id: BackupID
        /// What it says of itself, without a proof; nil where its base is not complete, or cannot be read.
        public let manifest: Manifest?
        /// How far it reaches: that of the last cut that is whole, or of the base.
        public let until: Timestamp?
        /// How many objects of cuts it has.
        public let cuts: Int
        public var isComplete: Bool { manifest != nil }
    }

    /// All of them, the oldest first; without a look into their cuts, and without a proof.
    public func list() async throws -> [Generation] {
        var generations: [Generation] = []
        for id in try await ids() {
            let bytes = try await backups.store.get(Self.manifestKey(of: id))?.bytes
            let manifest = bytes.flatMap { try? Manifest.unproved($0, of: id.description) }
            let cuts = try await cuts(of: id)
            generations.append(
                Generation(
                    id: id, manifest: manifest, until: cuts.last { $0.until != nil }?.until ?? manifest?.taken_at,
                    cuts: cuts.count))
        }
        return generations
    }

    private func ids() async throws -> [BackupID] {
        let base = "log/"
        var ids: [BackupID] = []
        var after: String?
        while let key = try await backups.store.list(prefix: base, after: after, limit: 1).first {
            let folder = key.dropFirst(base.count).prefix { $0 != "/" }
            if let id = BackupID(String(folder)) { ids.append(id) }
            // The next character after the slash.
            after = base + folder + "0"
        }
        return ids.sorted()
    }

    /// In their order.
    func cuts(of id: BackupID) async throws -> [Cut] {
        let folder = Self.folder(of: id) + "cuts/"
        var cuts: [Cut] = []
        var after: String?
        while true {
            let keys = try await backups.store.list(prefix: folder, after: after, limit: 1_000)
            for key in keys {
                let name = key.dropFirst(folder.count).split(separator: "-", maxSplits: 1).map(String.init)
                guard name.count == 2, let number = Int(name[0]) else { continue }
                cuts.append(Cut(key: key, number: number, until: BackupID(name[1])?.time))
            }
            guard keys.count == 1_000 else { return cuts }
            after = keys.last
        }
    }

    // MARK: - Reading

    /// The copy that shows the shop as it was at a time, or as late as there is one.
    ///
    /// - Parameter until: nil for the latest.
    /// - Throws: `BackupError` where none goes back so far, a cut before that time is missing, or the base is not what
    ///   was written with this key.
    public func open(until: Timestamp?) async throws -> LogReader {
        for id in try await ids().reversed() {
            guard let bytes = try await backups.store.get(Self.manifestKey(of: id))?.bytes else { continue }
            let (manifest, sealing) = try Manifest.read(bytes, of: id.description, backups.key, as: .base)
            if let until, manifest.taken_at > until { continue }
            let wanted = try await wanted(of: id, manifest, until)
            return LogReader(id: id, manifest: manifest, cuts: wanted, backups, base: sealing)
        }
        throw BackupError.noLog(until: until, place: backups.name)
    }

    /// Up to the last one that ends a cut at or before that time.
    private func wanted(of id: BackupID, _ manifest: Manifest, _ until: Timestamp?) async throws -> [Cut] {
        let all = try await cuts(of: id)
        let last = all.last { cut in cut.until.map { $0 <= until ?? $0 } ?? false }
        let wanted = all.prefix { $0.number <= last?.number ?? 0 }
        var reach = manifest.taken_at
        for (index, cut) in wanted.enumerated() {
            guard cut.number == index + 1 else {
                let missing = Self.folder(of: id) + "cuts/" + Self.padded(index + 1)
                throw BackupError.brokenLog(key: missing, detail: "missing", reach: reach)
            }
            reach = cut.until ?? reach
        }
        return Array(wanted)
    }

    // MARK: - What is kept

    /// Removes generations that the policy does not keep, with their cuts, and what was broken off long ago. Of the
    /// policy's days all are kept, so that one can go back to any moment of them, and not to one a day.
    ///
    /// - Parameter current: is being written, and stays.
    /// - Returns: those that were removed.
    public func prune(_ policy: KeepPolicy, current: BackupID?, now: Timestamp) async throws -> [BackupID] {
        var complete: Set<BackupID> = []
        let all = try await ids()
        for id in all where try await backups.store.get(Self.manifestKey(of: id)) != nil { complete.insert(id) }
        var kept = policy.kept(of: Array(complete))
        let days = policy.rules.first { $0.period == .day }?.count ?? 0
        for (id, next) in zip(complete.sorted(), complete.sorted().dropFirst())
        where now - next.time < .seconds(days * 86_400) {
            kept.insert(id)
        }
        var removed: [BackupID] = []
        for id in all where id != current && !kept.contains(id) {
            guard complete.contains(id) || now - id.time > BackupRepository.longestBackup else { continue }
            try await remove(id)
            removed.append(id)
        }
        return removed
    }

    /// The manifest first, so that what is half removed cannot be restored.
    public func remove(_ id: BackupID) async throws {
        try await backups.remove(folder: Self.folder(of: id), first: Self.manifestKey(of: id))
    }
}
