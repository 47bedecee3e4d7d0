import Crypto
public import Kernel

/// Writes one generation of a continuous copy: a base, and beside it the cuts, each in the store before the next.
///
/// A *cut* is one moment, with all that was committed since the one before. One that is larger than a part is several
/// objects, of which the last bears the moment's time: a cut without it does not count.
public actor LogWriter {
    /// Called when the store has refused an object. Returning lets it be tried again, the very same bytes; throwing
    /// gives up, and then nothing more can be written to this generation.
    public typealias Retry = @Sendable (any Error) async throws -> Void

    public nonisolated let id: BackupID
    private let repository: BackupRepository
    private let release: String
    private let engine: String
    private let salt: [UInt8]
    private let base: Sealing
    private let cuts: Sealing
    private var parts: [Manifest.Part] = []
    private var number = 0
    private var previous = ""

    /// - Parameters:
    ///   - salt: of the generation that is gone on with.
    ///   - last: its last object.
    init(
        _ id: BackupID, _ repository: BackupRepository, release: String, engine: String,
        salt: [UInt8] = BackupKey.salt(), after last: LogLink? = nil
    ) {
        self.id = id
        self.repository = repository
        self.release = release
        self.engine = engine
        self.salt = salt
        number = last?.header.number ?? 0
        previous = last?.hash ?? ""
        base = Sealing(repository.key, salt: salt, of: .base)
        cuts = Sealing(repository.key, salt: salt, of: .cuts)
    }

    // MARK: - The base

    /// Keeps a part of the base, and reads it back. One call at a time; cuts may be appended meanwhile.
    ///
    /// - Parameters:
    ///   - content: at most `LogRepository.partSize` bytes.
    ///   - count: of what it holds, as the engine counts: pages, files.
    ///   - name: of an object's key: letters, digits and `-_.`.
    /// - Returns: how many bytes it has as it is kept.
    @discardableResult
    public func addBase(_ content: [UInt8], count: Int, name: String, retrying: Retry) async throws -> Int {
        let number = parts.count
        let key = LogRepository.key(of: id, base: number, name)
        let part = try await repository.pool.run { [base] in
            try SealedPart.seal(content, count: count, number: number, name: name, at: key, base)
        }
        parts.append(part.entry)
        try await put(part.bytes, at: key, retrying)
        _ = try await repository.part(number, part.entry, key, base)
        return part.entry.bytes
    }

    /// Makes the generation one that can be restored.
    ///
    /// - Parameters:
    ///   - moment: what the base shows; the cuts go on from there.
    ///   - details: what the engine wants to be told at the restore; anybody who can read the place reads it.
    public func finishBase(
        showing moment: Timestamp, finishedAt: Timestamp, details: [String: String], retrying: Retry
    ) async throws -> Manifest {
        let manifest = Manifest(
            id: id.description, release: release, taken_at: moment, finished_at: finishedAt, engine: engine,
            encryption: repository.key.map {
                Manifest.Encryption(cipher: "AES-256-GCM", salt: Hex.text(salt), key: $0.fingerprint)
            },
            stores: [], objects: nil, parts: parts, details: details)
        try await put(try manifest.signed(by: base), at: LogRepository.manifestKey(of: id), retrying)
        return manifest
    }

    // MARK: - Cuts

    /// Keeps what was committed; when this returns, it is in the store. One call at a time.
    ///
    /// - Parameters:
    ///   - content: at most `LogRepository.partSize` bytes, or a little more; empty where nothing was new.
    ///   - until: all that was committed before is in what was appended; nil where more of the cut follows.
    ///   - details: sealed with it.
    /// - Returns: how many bytes it has as it is kept.
    @discardableResult
    public func append(
        _ content: [UInt8], until: Timestamp?, details: [String: String] = [:], retrying: Retry
    ) async throws -> Int {
        number += 1
        let time = until.map { BackupID(at: $0) }
        let header = LogLink.Header(
            number: number, previous: previous, until: time?.time, details: details.isEmpty ? nil : details)
        let key = LogRepository.key(of: id, cut: number, time)
        let bytes = try await repository.pool.run { [cuts] in try LogLink.seal(header, content, at: key, cuts) }
        previous = LogLink.hash(bytes)
        try await put(bytes, at: key, retrying)
        return bytes.count
    }

    private func put(_ bytes: [UInt8], at key: String, _ retrying: Retry) async throws {
        while true {
            do {
                _ = try await repository.store.put(key, bytes, contentType: BackupRepository.contentType)
                return
            } catch {
                try await retrying(error)
            }
        }
    }
}

/// One object of a cut, as it is sealed: eight bytes that say how large it is unpacked, and packed a line of JSON and
/// the content. It is chained to the one before by its number and that one's hash.
struct LogLink: Sendable {
    struct Header: Codable, Sendable, Equatable {
        var number: Int
        /// SHA-256 of the object before, hexadecimal; empty in the first.
        var previous: String
        /// Nil where more of the cut follows.
        var until: Timestamp?
        var details: [String: String]?
    }

    let header: Header
    let content: [UInt8]
    /// Of the object as it is kept.
    let hash: String

    /// A part, its header, and what does not fit into its last bytes.
    static let largest = 2 * LogRepository.partSize

    static func hash(_ bytes: [UInt8]) -> String { Hex.text(SHA256.hash(data: bytes)) }

    static func seal(_ header: Header, _ content: [UInt8], at key: String, _ sealing: Sealing) throws -> [UInt8] {
        let plain = try JSON.encode(header) + [UInt8(ascii: "\n")] + content
        precondition(plain.count <= largest, "a cut is divided into parts")
        let size = withUnsafeBytes(of: UInt64(plain.count).bigEndian) { Array($0) }
        return try sealing.seal(size + (try Deflate.pack(plain)), name: key)
    }

    /// Throws `BackupError.damagedPart` unless it is what was sealed under that number and key.
    static func open(_ bytes: [UInt8], number: Int, at key: String, _ sealing: Sealing) throws -> LogLink {
        let plain = try sealing.open(bytes, name: key)
        let size = plain.prefix(8).reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
        guard plain.count > 8, size <= UInt64(largest),
            let unpacked = try? Deflate.unpack(Array(plain.dropFirst(8)), size: Int(size)),
            let newline = unpacked.firstIndex(of: UInt8(ascii: "\n")),
            let header = try? JSON.parse(Array(unpacked[..<newline])).decode(Header.self), header.number == number
        else { throw BackupError.damagedPart(key: key, detail: "it does not read as it was written") }
        return LogLink(header: header, content: Array(unpacked[(newline + 1)...]), hash: hash(bytes))
    }
}
