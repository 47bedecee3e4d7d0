import Database
import Foundation
import Testing

@testable import Backups

/// What a restored server's folder is made of.
@Suite("A server's folder") struct DataFolderTests {
    let folder = NSTemporaryDirectory() + "souk-folder-" + UUID().uuidString
    static let segment = 1 << 20

    /// From 0/100100 to 0/300200, of files of one MiB.
    static let base: ServerBase = {
        var manifest = Manifest(
            id: "1", release: "1", taken_at: .init(seconds: 0), finished_at: .init(seconds: 0), engine: "postgres",
            stores: [], parts: [])
        manifest.details = [
            "system": "7", "timeline": "3", "version": "150004", "segment_size": "\(segment)", "start": "0/100100",
            "end": "0/300200",
        ]
        return (try? ServerBase(manifest)) ?? { preconditionFailure("it is one") }()
    }()

    func files(_ names: [String] = ["backup_label", "global/pg_control"]) throws -> DataFolderWriter {
        var archive = Archive()
        archive.add("global", "5")
        for name in names { archive.add(name, "0", Array(name.utf8)) }
        archive.end()
        var writer = try DataFolderWriter(folder, Self.base).unpacking(archive.bytes)
        try writer.finishFiles()
        return writer
    }

    func text(_ name: String) -> String {
        FileManager.default.contents(atPath: folder + "/" + name).map { String(decoding: $0, as: UTF8.self) } ?? ""
    }

    @Test("the log lies in files of the server's size, for the owner's eyes alone")
    func log() throws {
        let log = (0..<2 << 20 | 0x200).map { UInt8(truncatingIfNeeded: $0 / 7) }
        var writer = try files()
        var place = LSN(0x100000)
        for piece in [log[..<10], log[10..<1_500_000], log[1_500_000...]] {
            let end = place + piece.count
            writer = try writer.adding(Array(piece), Stretch(start: place, end: end))
            place = end
        }
        try writer.finish(nil)
        let names = ["000000030000000000000001", "000000030000000000000002", "000000030000000000000003"]
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder + "/souk_wal").sorted() == names)
        let found = names.map { [UInt8](FileManager.default.contents(atPath: folder + "/souk_wal/\($0)") ?? Data()) }
        #expect(found.map(\.count) == [Self.segment, Self.segment, Self.segment])
        #expect(Array(found.joined().prefix(log.count)) == log)
        #expect(found.joined().dropFirst(log.count).allSatisfy { $0 == 0 })
        for (name, mode) in [
            ("", 0o700), ("global", 0o700), ("global/pg_control", 0o600), ("souk_wal/" + names[0], 0o600),
        ] {
            let attributes = try FileManager.default.attributesOfItem(atPath: folder + "/" + name)
            #expect(attributes[.posixPermissions] as? Int == mode)
        }
        #expect(text("postgresql.auto.conf").contains("restore_command = 'cp \"souk_wal/%f\" \"%p\"'"))
        #expect(text("recovery.signal").isEmpty)
        // Of a server whose settings were elsewhere.
        #expect(text("pg_hba.conf").contains("scram-sha-256"))
        try FileManager.default.removeItem(atPath: folder)
    }

    @Test("a gap in the log, an end before the files are whole, and an archive of something else are refused")
    func refused() throws {
        let writer = try files()
        #expect(throws: TarReader.Damaged.self) {
            try writer.adding([1], Stretch(start: LSN(0x100001), end: LSN(0x100002)))
        }
        #expect(throws: TarReader.Damaged.self) {
            try writer.adding([1], Stretch(start: LSN(0x100000), end: LSN(0x100002)))
        }
        let short = try writer.adding([1], Stretch(start: LSN(0x100000), end: LSN(0x100001)))
        #expect(throws: TarReader.Damaged.self) { try short.finish(nil) }
        try FileManager.default.removeItem(atPath: folder)
        #expect(throws: TarReader.Damaged.self) { try files(["backup_label"]) }
        #expect(throws: BackupError.notEmptyFolder(path: folder)) { try files() }
        try FileManager.default.removeItem(atPath: folder)
    }
}
