import Kernel
import Objects
import Synchronization
import Testing

@testable import Backups

/// Objects in memory, of which some cannot be kept.
final class FlakyObjects: ObjectStore {
    struct Refused: Error {}
    private struct State {
        var objects: [String: Object] = [:]
        var refusals = 0
        var refusesDeletion = false
        /// Nil: nothing is broken off. Otherwise whether it is.
        var isBrokenOff: Bool?
    }
    private let state = Mutex(State())

    /// The next so many are refused.
    func refuse(_ count: Int) { state.withLock { $0.refusals = count } }

    /// Behind the first object of the next cut that has several, all are refused until `goOn`.
    func breakOff() { state.withLock { $0.isBrokenOff = false } }
    func goOn() { state.withLock { $0.isBrokenOff = nil } }

    func refuseDeletion() { state.withLock { $0.refusesDeletion = true } }

    func put(_ key: String, _ bytes: [UInt8], contentType: String) async throws -> String {
        try state.withLock { state in
            if state.refusals > 0 {
                state.refusals -= 1
                throw Refused()
            }
            if state.isBrokenOff == true { throw Refused() }
            if state.isBrokenOff == false, key.hasSuffix("-more") { state.isBrokenOff = true }
            state.objects[key] = Object(bytes: bytes, contentType: contentType, etag: "\(bytes.count)")
            return "\(bytes.count)"
        }
    }

    func get(_ key: String) async throws -> Object? { state.withLock { $0.objects[key] } }

    func delete(_ key: String) async throws {
        try state.withLock { state in
            if state.refusesDeletion { throw Refused() }
            state.objects[key] = nil
        }
    }

    func list(prefix: String, after: String?, limit: Int) async throws -> [String] {
        state.withLock { state in
            let keys = state.objects.keys.filter { $0.hasPrefix(prefix) && $0 > after ?? "" }
            return Array(keys.sorted().prefix(limit))
        }
    }

    func bytes(_ key: String) -> [UInt8] { state.withLock { $0.objects[key]?.bytes ?? [] } }
    var keys: [String] { state.withLock { $0.objects.keys.sorted() } }

    func change(_ key: String, _ change: ([UInt8]) -> [UInt8]?) {
        state.withLock { state in
            guard let object = state.objects[key] else { return }
            state.objects[key] = change(object.bytes).map {
                Object(bytes: $0, contentType: object.contentType, etag: object.etag)
            }
        }
    }
}

@Suite struct LogRepositoryTests {
    let store = FlakyObjects()
    let start = Timestamp(seconds: 1_790_000_000)

    func repository(_ key: BackupKey? = FormatTests.key) -> LogRepository {
        LogRepository(BackupRepository(store, key: key, name: "memory"))
    }

    /// A base of two parts, then cuts after 1, 2 … seconds: the third is two objects.
    @discardableResult
    func write(_ repository: LogRepository, at time: Timestamp, cuts: Int = 4) async throws -> LogWriter {
        let writer = try await repository.begin(at: time, release: "1", engine: "sqlite")
        let give: LogWriter.Retry = { throw $0 }
        try await writer.addBase(Array("base".utf8), count: 1, name: "orders", retrying: give)
        for number in 1...max(1, cuts) where cuts > 0 {
            if number == 3 { try await writer.append(Array("more ".utf8), until: nil, retrying: give) }
            try await writer.append(
                Array("cut \(number)".utf8), until: time + .seconds(number), details: ["lsn": "\(number)"],
                retrying: give)
        }
        try await writer.addBase(Array("more".utf8), count: 2, name: "users", retrying: give)
        _ = try await writer.finishBase(showing: time, finishedAt: time, details: ["page": "4096"], retrying: give)
        return writer
    }

    func text(_ repository: LogRepository, until: Timestamp? = nil) async throws -> [String] {
        let reader = try await repository.open(until: until)
        var found: [String] = []
        try await reader.forEachPart { part, content in
            found.append("\(part.name)=\(String(decoding: content, as: UTF8.self))")
        }
        try await reader.forEachCut { content, until, details in
            found.append(String(decoding: content, as: UTF8.self) + (until == nil ? "…" : ""))
            #expect(until == nil || details["lsn"] != nil)
        }
        return found
    }

    @Test(arguments: [true, false]) func whatIsAppendedIsReadInItsOrder(_ isSealed: Bool) async throws {
        let repository = repository(isSealed ? FormatTests.key : nil)
        try await write(repository, at: start)
        let base = ["orders=base", "users=more"]
        let cuts = ["cut 1", "cut 2", "more …", "cut 3", "cut 4"]
        #expect(try await text(repository) == base + cuts)
        #expect(try await text(repository, until: start) == base)
        #expect(try await text(repository, until: start + .milliseconds(2_999)) == base + cuts.prefix(2))
        #expect(try await text(repository, until: start + .seconds(3)) == base + cuts.prefix(4))
        #expect(try await text(repository, until: start + .seconds(99)) == base + cuts)
        await #expect(throws: BackupError.noLog(until: start - .seconds(1), place: "memory")) {
            try await repository.open(until: start - .seconds(1))
        }
        let listed = try await repository.list()
        #expect(listed.map(\.until) == [start + .seconds(4)])
        #expect(listed.first?.manifest?.details == ["page": "4096"])
    }

    /// A cut of which the last object is not there does not count.
    @Test func halfACutIsNone() async throws {
        let writer = try await write(repository(), at: start, cuts: 2)
        try await writer.append([1], until: nil) { throw $0 }
        #expect(try await text(repository()).last == "cut 2")
        #expect(try await repository().open(until: nil).until == start + .seconds(2))
    }

    @Test func aRefusedObjectIsTriedAgainAsItWas() async throws {
        let writer = try await write(repository(), at: start, cuts: 1)
        store.refuse(3)
        let told = Mutex(0)
        try await writer.append(Array("cut 2".utf8), until: start + .seconds(2), details: ["lsn": "2"]) { _ in
            told.withLock { $0 += 1 }
        }
        #expect(told.withLock { $0 } == 3)
        #expect(try await text(repository()).suffix(2) == ["cut 1", "cut 2"])
    }

    static let damage: [(String, @Sendable (FlakyObjects, [String]) -> Void)] = [
        ("missing", { store, keys in store.change(keys[1]) { _ in nil } }),
        ("damaged", { store, keys in store.change(keys[1]) { $0.dropLast() + [$0[$0.count - 1] ^ 1] } }),
        ("damaged", { store, keys in store.change(keys[1]) { _ in [] } }),
        (
            "damaged",
            { store, keys in
                let next = store.bytes(keys[2])
                store.change(keys[1]) { _ in next }
            }
        ),
    ]

    @Test(arguments: damage.indices, [true, false])
    func aCutThatIsNotAsItWasIsRefusedByName(_ index: Int, _ isSealed: Bool) async throws {
        let repository = repository(isSealed ? FormatTests.key : nil)
        try await write(repository, at: start)
        let keys = store.keys.filter { $0.contains("/cuts/") }
        Self.damage[index].1(store, keys)
        let error = await #expect(throws: BackupError.self) { try await text(repository) }
        guard case .brokenLog(let key, let detail, let reach)? = error else {
            Issue.record("\(String(describing: error))")
            return
        }
        #expect(key.contains("/cuts/000000002"))
        #expect(detail.hasPrefix(Self.damage[index].0))
        #expect(try await text(repository, until: start + .seconds(1)).last == "cut 1")
        #expect(reach == start + .seconds(1))
    }

    @Test func aGenerationWithoutAManifestIsNotRestored() async throws {
        try await write(repository(), at: start)
        let later = try await repository().begin(at: start + .seconds(60), release: "1", engine: "sqlite")
        try await later.append([1], until: start + .seconds(61)) { throw $0 }
        #expect(try await text(repository()).last == "cut 4")
        try await write(repository(), at: start + .seconds(120), cuts: 1)
        #expect(try await text(repository()).last == "cut 1")
        #expect(try await text(repository(), until: start + .seconds(119)).last == "cut 4")
        let listed = try await repository().list()
        #expect(listed.map(\.isComplete) == [true, false, true])
    }

    @Test func aGenerationIsGoneOnWith() async throws {
        #expect(try await repository().resume(engine: "sqlite")?.details == nil)
        store.refuseDeletion()
        let first = try await write(repository(), at: start, cuts: 0)
        let begun = try await repository().resume(engine: "sqlite")
        #expect(begun?.writer.id == first.id && begun?.details == ["page": "4096"])
        #expect(try await repository().resume(engine: "postgres")?.details == nil)
        try await begun?.writer.append(
            Array("cut 1".utf8), until: start + .seconds(1), details: ["lsn": "1"]
        ) { throw $0 }
        // A cut that is broken off goes on in the next one, from where it was.
        try await begun?.writer.append(Array("a part, ".utf8), until: nil, details: ["lsn": "2"]) { throw $0 }
        #expect(try await text(repository()).last == "cut 1")
        let again = try await repository().resume(engine: "sqlite")
        #expect(again?.details == ["lsn": "2"])
        try await again?.writer.append(
            Array("cut 2".utf8), until: start + .seconds(2), details: ["lsn": "3"]
        ) { throw $0 }
        #expect(try await text(repository()) == ["orders=base", "users=more", "cut 1", "a part, …", "cut 2"])
    }

    @Test func anotherKeyOpensNothing() async throws {
        try await write(repository(), at: start)
        let other = try BackupKey(String(repeating: "b2", count: 32))
        let id = BackupID(at: start).description
        await #expect(throws: BackupError.wrongKey(backup: id)) { try await repository(other).open(until: nil) }
        await #expect(throws: BackupError.needsKey) { try await repository(nil).open(until: nil) }
    }

    @Test func oldGenerationsGoWithTheirCuts() async throws {
        let policy = try KeepPolicy("1d")
        for day in 0..<3 { try await write(repository(), at: start + .seconds(day * 86_400)) }
        let now = start + .seconds(3 * 86_400)
        let removed = try await repository().prune(policy, current: BackupID(at: start), now: now)
        #expect(removed == [BackupID(at: start + .seconds(86_400))])
        #expect(try await repository().prune(policy, current: nil, now: now) == [BackupID(at: start)])
        #expect(try await repository().list().map(\.cuts) == [5])
    }
}
