import Kernel
import Testing

private enum Prefix: Identified { static let idPrefix = "prefix" }
private enum SplitPrefix: Identified { static let idPrefix = "pre_fix" }

/// The vectors are those of the TypeID specification 0.3.0 (spec/valid.json, spec/invalid.json).
@Suite("Identifiers are TypeIDs") struct IDTests {
    private typealias PrefixID = ID<Prefix>

    @Test(
        "what the specification has as valid is read and written back",
        arguments: [
            "prefix_00000000000000000000000000", "prefix_00000000000000000000000001",
            "prefix_0000000000000000000000000a", "prefix_0000000000000000000000000g",
            "prefix_00000000000000000000000010", "prefix_7zzzzzzzzzzzzzzzzzzzzzzzzz",
            "prefix_0123456789abcdefghjkmnpqrs", "prefix_01h455vb4pex5vsknk084sn02q",
        ])
    func valid(_ text: String) throws {
        #expect(try #require(PrefixID(text)).description == text)
    }

    @Test("a prefix may have an underscore inside") func underscore() {
        let text = "pre_fix_00000000000000000000000000"
        #expect(ID<SplitPrefix>(text)?.description == text)
        #expect(PrefixID(text) == nil)
    }

    @Test(
        "what the specification has as invalid is refused",
        arguments: [
            "PREFIX_00000000000000000000000000", "12345_00000000000000000000000000",
            "pre.fix_00000000000000000000000000", "préfix_00000000000000000000000000",
            "  prefix_00000000000000000000000000",
            "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcdefghijkl_00000000000000000000000000",
            "_00000000000000000000000000", "_", "prefix_1234567890123456789012345",
            "prefix_123456789012345678901234567", "prefix_1234567890123456789012345 ",
            "prefix_0123456789ABCDEFGHJKMNPQRS", "prefix_123456789-123456789-123456",
            "prefix_ooooooiiiiiiuuuuuuulllllll", "prefix_i23456789ol23456789oi23456",
            "prefix_123456789-0123456789-0123456", "prefix_8zzzzzzzzzzzzzzzzzzzzzzzzz",
            "_prefix_00000000000000000000000000", "prefix__00000000000000000000000000",
            // And what the specification does not name:
            "", "prefix", "prefix_", "prefix-01h455vb4pex5vsknk084sn02q", "prefix_01h455vb4pex5vsknk084sn0é",
            "order_01h455vb4pex5vsknk084sn02q", "01h455vb4pex5vsknk084sn02q", "prefix_/1h455vb4pex5vsknk084sn02q",
        ])
    func invalid(_ text: String) {
        #expect(PrefixID(text) == nil)
        #expect(!PrefixID.schema.violations(in: .string(text)).isEmpty)
    }

    @Test("the specification's UUIDv7 carries its time") func time() throws {
        // 01890a5d-ac96: milliseconds since 1970.
        let id = try #require(PrefixID("prefix_01h455vb4pex5vsknk084sn02q"))
        #expect(id.time == Timestamp(microseconds: 0x0189_0a5d_ac96 * 1_000))
    }

    @Test("text, JSON and back, for as many as one likes") func roundTrip() throws {
        var random = SeededGenerator(seed: 4)
        for _ in 0..<2_000 {
            let time = Timestamp(microseconds: Int64.random(in: 0..<1 << 57, using: &random))
            let id = PrefixID(at: time, using: &random)
            #expect(PrefixID(id.description) == id)
            #expect(try JSON(encoding: id).decode(PrefixID.self) == id)
            #expect(id.time.microseconds == time.microseconds / 1_000 * 1_000)
            #expect(PrefixID.schema.violations(in: .string(id.description)).isEmpty)
        }
    }

    @Test("one made in a later millisecond comes later, as a value and as text") func order() {
        var random = SeededGenerator(seed: 5)
        var last = PrefixID(at: Timestamp(seconds: 0), using: &random)
        for millisecond in 1...2_000 as ClosedRange<Int64> {
            let next = PrefixID(at: Timestamp(microseconds: millisecond * 1_000), using: &random)
            #expect(last < next)
            #expect(last.description < next.description)
            last = next
        }
    }

    @Test("the order of values is the order of their texts") func textOrder() {
        var random = SeededGenerator(seed: 6)
        let ids = (0..<1_000).map { _ in
            PrefixID(at: Timestamp(microseconds: Int64.random(in: 0..<1 << 57, using: &random)), using: &random)
        }
        #expect(
            ids.sorted().map(\.description)
                == ids.map(\.description).sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) })
    }

    @Test("74 bits are random, 6 are those of a UUIDv7") func randomness() throws {
        let time = Timestamp(microseconds: 0)
        var seen = [Set<UInt8>](repeating: [], count: 128)
        for _ in 0..<200 { for (bit, value) in bits(PrefixID(at: time)).enumerated() { seen[bit].insert(value) } }
        let fixed = seen.indices.filter { seen[$0].count == 1 }
        // Each random bit has been both: that one was not has a chance of 2^-199.
        #expect(fixed == Array(0..<48) + [48, 49, 50, 51] + [64, 65])
        let one = bits(PrefixID(at: time))
        #expect(Array(one[48..<52]) == [0, 1, 1, 1])
        #expect(Array(one[64..<66]) == [1, 0])
    }

    @Test("no two of 100,000 made in one millisecond are the same") func uniqueness() {
        let time = Timestamp(seconds: 1_767_225_600)
        #expect(Set((0..<100_000).map { _ in PrefixID(at: time) }).count == 100_000)
    }

    @Test("a time before 1970 counts as 1970") func early() {
        #expect(PrefixID(at: Timestamp(seconds: -5)).time == Timestamp(seconds: 0))
    }

    @Test("one of another kind is refused, naming what was expected") func decodingAnother() {
        let error = #expect(throws: (any Error).self) {
            try JSON.string("order_01h455vb4pex5vsknk084sn02q").decode(PrefixID.self)
        }
        #expect(error != nil)
        let violations = PrefixID.schema.violations(in: .string("order_01h455vb4pex5vsknk084sn02q"))
        #expect(violations.first?.detail.contains("prefix_01h455vb4pex5vsknk084sn02q") == true)
    }

    /// The 128 bits, the highest first.
    private func bits(_ id: PrefixID) -> [UInt8] {
        let alphabet = Array("0123456789abcdefghjkmnpqrstvwxyz")
        let digits = id.description.suffix(26).map { alphabet.firstIndex(of: $0) ?? 0 }
        let all = digits.flatMap { digit in (0..<5).map { UInt8(digit >> (4 - $0) & 1) } }
        return Array(all.suffix(128))
    }
}
