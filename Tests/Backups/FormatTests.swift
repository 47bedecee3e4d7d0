import Database
import Kernel
import Testing

@testable import Backups

@Suite struct FormatTests {
    static let key = (try? BackupKey(String(repeating: "a1", count: 32))) ?? { preconditionFailure("it is one") }()

    static func value(_ generator: inout SeededGenerator) -> Value {
        switch Int.random(in: 0..<6, using: &generator) {
        case 0: .null
        case 1: .integer(Int64.random(in: .min ... .max, using: &generator))
        case 2: .integer(Int64.random(in: -130...130, using: &generator))
        case 3: .real(Double.random(in: -1e9...1e9, using: &generator))
        case 4:
            .text(
                ["", "lamp", "Zoë\t\n\\N 🛒", String(repeating: "x", count: 300)].randomElement(using: &generator) ?? "")
        default:
            .blob((0..<Int.random(in: 0...200, using: &generator)).map { _ in .random(in: 0...255, using: &generator) })
        }
    }

    @Test(arguments: 0..<100) func rowsReadAsTheyWereWritten(_ seed: Int) throws {
        var generator = SeededGenerator(seed: UInt64(seed))
        let columns = Int.random(in: 1...9, using: &generator)
        let rows = (0..<Int.random(in: 0...50, using: &generator)).map { _ in
            (0..<columns).map { _ in Self.value(&generator) }
        }
        var writer = RowWriter()
        for row in rows { writer.append(row) }
        let written = writer.take()
        #expect(written.rows == rows.count)
        #expect(try Deflate.unpack(Deflate.pack(written.bytes), size: written.bytes.count) == written.bytes)
        var reader = RowReader(written.bytes, columns: columns)
        var read: [[Value]] = []
        while let row = try reader.next() { read.append(row) }
        #expect(read == rows)
    }

    @Test func theEndsOfIntegers() throws {
        var writer = RowWriter()
        let row: [Value] = [.integer(.min), .integer(.max), .integer(0), .integer(-1)]
        writer.append(row)
        var reader = RowReader(writer.take().bytes, columns: 4)
        #expect(try reader.next() == row)
    }

    /// Whatever bytes there are: rows, or an error; never a trap.
    @Test(arguments: 0..<200) func damagedRowsAreRefusedOrRead(_ seed: Int) throws {
        var generator = SeededGenerator(seed: UInt64(seed))
        let bytes = (0..<Int.random(in: 0...100, using: &generator)).map { _ in
            UInt8.random(in: 0...5, using: &generator) &* UInt8.random(in: 0...51, using: &generator)
        }
        var reader = RowReader(bytes, columns: 3)
        do { while try reader.next() != nil {} } catch { #expect(error as? BackupError == .damagedRows) }
        #expect(throws: BackupError.self) { try Deflate.unpack(bytes, size: 10) }
    }

    // MARK: - Keys

    @Test func keysInEitherWriting() throws {
        let hex = String(repeating: "0f", count: 32)
        let base64 = [UInt8](repeating: 0x0F, count: 32).base64
        let keys = try [hex, hex.uppercased(), base64, base64.replacing("=", with: ""), " \(hex)\n"].map {
            try BackupKey($0)
        }
        #expect(Set(keys.map(\.fingerprint)).count == 1)
        #expect(try BackupKey(String(repeating: "1f", count: 32)).fingerprint != keys[0].fingerprint)
        // What AWS makes up: 48 letters and digits.
        #expect(throws: Never.self) { try BackupKey("kA3dPq9ZtR5mXw2LbN7vYc4JhG8sFe6UoT1iQzKxWnVyBrEj") }
    }

    @Test(arguments: [
        "", "secret", "0f0f", String(repeating: "0f", count: 16), "!!" + String(repeating: "a", count: 62),
    ])
    func whatIsNoKeyIsRefused(_ text: String) {
        #expect(throws: BackupError.invalidKey(name: "SOUK_BACKUP_KEY")) { try BackupKey(text) }
    }

    @Test func aKeyIsNotPrinted() throws {
        let text = String(repeating: "0f", count: 32)
        #expect(!"\(try BackupKey(text)) \(String(reflecting: try BackupKey(text)))".contains("0f0f"))
    }

    // MARK: - Sealing

    private func sealed(_ number: Int, _ backup: String, _ sealing: Sealing) throws -> SealedPart {
        try SealedPart.seal(
            Array("rows \(number)".utf8), count: 1, number: number, name: "orders.orders", of: backup, sealing)
    }

    /// Another number, name, backup, key or salt, or any bit of it: it does not open.
    @Test func aPartOpensInItsPlaceAlone() throws {
        let (salt, other) = (BackupKey.salt(), BackupKey.salt())
        let sealing = Sealing(Self.key, salt: salt)
        let part = try sealed(3, "one", sealing)
        let name = Manifest.key(of: "one", part: 3, "orders.orders")
        func opens(_ bytes: [UInt8], _ sealing: Sealing, number: Int = 3, key: String? = nil) -> Bool {
            var entry = part.entry
            entry.bytes = bytes.count
            entry.sha256 = Hex.text(Hashed.sha256(bytes))
            return (try? SealedPart.open(bytes, entry, number: number, key: key ?? name, sealing)) != nil
        }
        #expect(opens(part.bytes, sealing))
        #expect(!opens(part.bytes, sealing, number: 4))
        #expect(!opens(part.bytes, sealing, key: Manifest.key(of: "two", part: 3, "orders.orders")))
        #expect(!opens(part.bytes, sealing, key: Manifest.key(of: "one", part: 3, "orders.carts")))
        #expect(!opens(part.bytes, Sealing(Self.key, salt: other)))
        #expect(!opens(part.bytes, Sealing(try BackupKey(String(repeating: "b2", count: 32)), salt: salt)))
        for index in part.bytes.indices {
            var damaged = part.bytes
            damaged[index] ^= 1
            #expect(!opens(damaged, sealing))
        }
        for count in part.bytes.indices { #expect(!opens(Array(part.bytes.prefix(count)), sealing)) }
        // As the manifest has it, it is refused before any key is tried.
        #expect(throws: BackupError.self) {
            try SealedPart.open(Array(part.bytes.dropLast()), part.entry, number: 3, key: name, sealing)
        }
    }

    @Test func equalRowsLookDifferent() throws {
        let sealing = Sealing(Self.key, salt: BackupKey.salt())
        let rows = Array("the same rows".utf8)
        let parts = try (0..<2).map {
            try SealedPart.seal(rows, count: 1, number: $0, name: "orders.orders", of: "one", sealing)
        }
        #expect(parts[0].bytes != parts[1].bytes)
    }

    @Test func aManifestIsProved() throws {
        let salt = BackupKey.salt()
        let sealing = Sealing(Self.key, salt: salt)
        let time = Timestamp(seconds: 1_764_000_000)
        var manifest = Manifest(
            id: "one", release: "1", taken_at: time, finished_at: time, engine: "sqlite",
            encryption: .init(cipher: "AES-256-GCM", salt: Hex.text(salt), key: Self.key.fingerprint),
            stores: [], objects: nil, parts: [])
        let bytes = try manifest.signed(by: sealing)
        #expect(try Manifest.read(bytes, of: "one", Self.key).0 == manifest)
        let text = String(decoding: bytes, as: UTF8.self)
        for wrong in [text.replacing("sqlite", with: "sqlitf"), String(text.dropLast(70)), "", "{}\n\n"] {
            #expect(throws: BackupError.self) { try Manifest.read(Array(wrong.utf8), of: "one", Self.key) }
        }
        #expect(throws: BackupError.self) { try Manifest.read(bytes, of: "two", Self.key) }
        #expect(throws: BackupError.needsKey) { try Manifest.read(bytes, of: "one", nil) }
        let other = try BackupKey(String(repeating: "b2", count: 32))
        #expect(throws: BackupError.wrongKey(backup: "one")) { try Manifest.read(bytes, of: "one", other) }
        // Who cannot encrypt cannot pass off one in the clear either.
        manifest.encryption = nil
        let clear = try manifest.signed(by: Sealing(nil, salt: []))
        #expect(throws: BackupError.notEncrypted(backup: "one")) { try Manifest.read(clear, of: "one", Self.key) }
        #expect(try Manifest.read(clear, of: "one", nil).0 == manifest)
    }

    @Test func picturesAreNamedByTheirContent() throws {
        for sealing in [ContentSealing(Self.key), ContentSealing(nil)] {
            let bytes = Array("<svg/>".utf8)
            let name = sealing.name(of: bytes)
            let sealed = try sealing.seal(bytes, name: name)
            #expect(sealing.open(sealed, name: name) == bytes)
            #expect(sealing.open(sealed, name: sealing.name(of: Array("<svg />".utf8))) == nil)
            #expect(sealing.open(Array(sealed.dropLast()), name: name) == nil)
        }
        #expect(ContentSealing(Self.key).name(of: []) != ContentSealing(nil).name(of: []))
    }

    // MARK: - Tables

    @Test func tablesComeBehindThoseTheyReferTo() {
        func table(_ name: String, _ references: Set<String> = []) -> StoreSchema.Table {
            StoreSchema.Table(name: name, columns: [], references: references)
        }
        let ordered = StoreSchema.ordered([
            table("cart_lines", ["carts"]), table("carts"), table("lines", ["orders", "skus"]), table("orders"),
            table("skus", ["orders"]),
        ])
        #expect(ordered.map(\.name) == ["carts", "cart_lines", "orders", "skus", "lines"])
        #expect(StoreSchema.ordered([table("a", ["b"]), table("b", ["a"])]).count == 2)
    }
}
