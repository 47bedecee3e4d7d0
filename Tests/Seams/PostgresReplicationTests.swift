import Database
import Foundation
import Kernel
import PostgresPeer
import Testing

/// A server's files and its log, as a standby gets them.
@Suite("Database: PostgreSQL's replication", .enabled(if: PostgresPeer.isInstalled, "apt-get install postgresql"))
struct PostgresReplicationTests {
    /// The thread that replication needs for itself.
    static func onThread<T: Sendable>(_ work: @escaping @Sendable () throws -> T) async throws -> T {
        try await withCheckedThrowingContinuation { continuation in
            startThread(named: "replication test") { continuation.resume(with: Result { try work() }) }
        }
    }

    @Test("what was committed before a moment is in the log up to there, and the slot goes on from what is confirmed")
    func log() async throws {
        let server = try PostgresPeer()
        let database = try await PostgresPlace(server.url).openWithNumbers()
        let url = server.url
        let confirmed = try await Self.onThread {
            let replication = try PostgresReplication(url: url, slot: "copy")
            #expect(try replication.slotState() == .absent)
            try replication.createSlot()
            return try replication.moment().end
        }
        try await database.write { _ = try $0.execute("INSERT INTO numbers VALUES (42, 4242424242)") }
        let end = try await Self.onThread {
            let replication = try PostgresReplication(url: url, slot: "copy")
            let (facts, moment) = (try replication.server(), try replication.moment())
            #expect(facts.timeline == 1 && facts.segmentSize == 16 << 20)
            let start = confirmed.segmentStart(facts.segmentSize)
            try replication.start(at: start, timeline: facts.timeline)
            var bytes: [UInt8] = []
            while start + bytes.count < moment.end {
                let piece = try #require(try replication.receive(within: .seconds(30)))
                #expect(piece.start == start + bytes.count)
                bytes += piece.bytes
            }
            let row = [42, 4_242_424_242].flatMap { (number: Int64) in
                withUnsafeBytes(of: number.littleEndian, Array.init)
            }
            #expect(bytes.firstRange(of: row) != nil)
            try replication.confirm(moment.end)
            return moment.end
        }
        let state = try await Self.onThread {
            let replication = try PostgresReplication(url: url, slot: "copy")
            while try replication.slotState() != .kept(from: end) { usleep(10_000) }
            return try replication.slotState()
        }
        #expect(state == .kept(from: end))
        await database.close()
        withExtendedLifetime(server) {}
    }

    @Test("a base is a tar archive of the data folder") func base() async throws {
        let server = try PostgresPeer()
        let url = server.url
        try await Self.onThread {
            let replication = try PostgresReplication(url: url, slot: "copy")
            var bytes: [UInt8] = []
            let base = try replication.base(isStopped: { false }, each: { bytes += $0 })
            #expect(base.start < base.end && base.timeline == 1)
            #expect(bytes.count % 512 == 0 && bytes.count > 1 << 20)
            #expect(bytes.prefix(13) == Array("backup_label\0".utf8)[...])
            #expect(bytes[257..<262] == Array("ustar".utf8)[...])
            #expect(throws: CancellationError.self) { try replication.base(isStopped: { true }, each: { _ in }) }
        }
        withExtendedLifetime(server) {}
    }

    @Test("who may not, and where it cannot be, is told what to do")
    func refusals() async throws {
        let server = try PostgresPeer(["wal_level=minimal", "max_wal_senders=0"])
        let url = server.url
        await expectRefusal(url, "wal_level is minimal")
        withExtendedLifetime(server) {}
        let shared = try PostgresPeer.shared.get()
        let role = "clerk_" + PostgresPeer.schema().suffix(8)
        let database = try await PostgresPlace(shared.url).open()
        try await database.write { _ = try $0.execute("CREATE ROLE \(role) LOGIN PASSWORD 'clerk'") }
        await expectRefusal(shared.url(database: "souk", user: role, password: "clerk"), "ALTER ROLE \"\(role)\"")
        await expectRefusal(shared.url, "not a slot's name", slot: "Drop; --")
        await expectRefusal(shared.url(database: "souk", user: role, password: "wrong"), "authentication failed")
        await database.close()
    }

    private func expectRefusal(_ url: String, _ part: String, slot: String = "copy") async {
        let error = await #expect(throws: ReplicationError.self) {
            try await Self.onThread { _ = try PostgresReplication(url: url, slot: slot) }
        }
        guard case .refused(_, let reason) = error, reason.contains(part) else {
            Issue.record("expected a refusal that says \(part), found \(String(describing: error))")
            return
        }
    }

    @Test("a place in the log reads as the server writes it, and names its file")
    func places() throws {
        let place = try #require(LSN("16/B374D848"))
        #expect("\(place)" == "16/B374D848")
        #expect(place.segmentName(timeline: 1, segmentSize: 16 << 20) == "0000000100000016000000B3")
        #expect(place.segmentStart(16 << 20) == LSN("16/B3000000"))
        #expect(LSN("0/0") == LSN(0) && LSN("FFFFFFFF/FFFFFFFF") == LSN(.max))
        for text in ["", "16", "16/", "1/2/3", "100000000/0", "x/1"] { #expect(LSN(text) == nil) }
    }
}
