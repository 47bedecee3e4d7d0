import Foundation
import Kernel
import Testing

/// Random trees and texts, the same for the same seed.
private struct Sampler: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }

    mutating func below(_ bound: Int) -> Int { Int.random(in: 0..<bound, using: &self) }

    mutating func tree(depth: Int = 4) -> JSON {
        switch below(depth == 0 ? 6 : 9) {
        case 0: return .null
        case 1: return .bool(below(2) == 0)
        case 2: return .integer(Int64(truncatingIfNeeded: next()) >> Int64(below(64)))
        case 3: return .number(double())
        case 4, 5: return .string(string())
        case 6: return .array((0..<below(6)).map { _ in tree(depth: depth - 1) })
        default:
            let count = below(below(20) == 0 ? 40 : 7)
            return .object(JSONObject((0..<count).map { _ in (string(), tree(depth: depth - 1)) }))
        }
    }

    mutating func double() -> Double {
        let value = below(2) == 0 ? Double(bitPattern: next()) : Double(below(1_000_000)) / 1000
        return value.isFinite ? value : 0.5
    }

    mutating func string() -> String {
        let alphabets: [ClosedRange<UInt32>] = [
            0x61...0x7A, 0x20...0x7E, 0x01...0xFF, 0x2020...0x2030, 0x1F600...0x1F640,
        ]
        var text = ""
        for _ in 0..<below(24) {
            let scalar = alphabets[below(alphabets.count)].randomElement(using: &self).flatMap(Unicode.Scalar.init)
            if let scalar { text.unicodeScalars.append(scalar) }
        }
        return text
    }

    /// The tree as text, with white space and escapes where they are allowed.
    mutating func text(_ tree: JSON) -> String {
        let space = ["", "", " ", "\n", "\r\n\t"][below(5)]
        switch tree {
        case .string(let value): return space + quoted(value)
        case .array(let elements):
            return space + "[" + elements.map { text($0) }.joined(separator: space + ",") + space + "]"
        case .object(let object):
            let members = object.map { space + quoted($0.key) + space + ":" + text($0.value) }
            return space + "{" + members.joined(separator: ",") + space + "}"
        default: return space + tree.description + space
        }
    }

    private mutating func quoted(_ value: String) -> String {
        var text = "\""
        for scalar in value.unicodeScalars {
            if scalar.value < 0x20 || scalar == "\"" || scalar == "\\" || below(8) == 0 {
                for unit in String(scalar).utf16 {
                    let digits = String(unit, radix: 16, uppercase: below(2) == 0)
                    text += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
                }
            } else {
                text.unicodeScalars.append(scalar)
            }
        }
        return text + "\""
    }

    /// A few bytes changed, removed, repeated or put in.
    mutating func mutated(_ bytes: [UInt8]) -> [UInt8] {
        var bytes = bytes
        for _ in 0...below(3) where !bytes.isEmpty {
            let position = below(bytes.count)
            switch below(5) {
            case 0: bytes[position] = UInt8(truncatingIfNeeded: next())
            case 1: bytes.remove(at: position)
            case 2: bytes.insert(Array("{}[]\",:\\ue0-+.\u{1}".utf8).randomElement(using: &self) ?? 0, at: position)
            case 3: bytes.removeLast(below(bytes.count))
            default: bytes.insert(contentsOf: bytes[position..<min(position + 8, bytes.count)], at: position)
            }
        }
        return bytes
    }
}

@Suite("JSON: properties")
struct JSONPropertyTests {
    @Test("Every tree comes back from its text, written plainly or with escapes and spaces", arguments: 0..<4)
    func roundTrip(seed: UInt64) throws {
        var sampler = Sampler(state: seed)
        for _ in 0..<500 {
            let tree = sampler.tree()
            #expect(try JSON.parse(tree.serialized()) == tree)
            #expect(try JSON.parse(sampler.text(tree).utf8) == tree)
            #expect(try JSON.encode(tree) == tree.serialized())
            #expect(try JSON.encode([tree]) == JSON.array([tree]).serialized())
            #expect(try tree.decode(JSON.self) == tree)
        }
    }

    @Test("Random bytes are read or refused with a position inside them", arguments: 0..<4)
    func noise(seed: UInt64) {
        var sampler = Sampler(state: seed &+ 100)
        let grammar = Array("{}[]\",:\\u0123456789abcdefED+-.truefalsn \n\"\"".utf8)
        for _ in 0..<5_000 {
            let count = sampler.below(40)
            let isGrammar = sampler.below(4) > 0
            let bytes = (0..<count).map { _ in
                isGrammar ? grammar[sampler.below(grammar.count)] : UInt8(truncatingIfNeeded: sampler.next())
            }
            check(bytes)
        }
    }

    @Test("Damaged documents are refused with a position, or are JSON for Foundation too", arguments: 0..<4)
    func damage(seed: UInt64) throws {
        var sampler = Sampler(state: seed &+ 200)
        for _ in 0..<1_000 {
            let bytes = sampler.mutated(Array(sampler.text(sampler.tree(depth: 3)).utf8))
            guard let tree = check(bytes) else { continue }
            let theirs = try JSONSerialization.jsonObject(with: Data(bytes), options: .fragmentsAllowed)
            #expect(agree(tree, theirs), "\(String(decoding: bytes, as: UTF8.self))")
        }
    }

    @Test("Every beginning of a document is refused, unless it is a number")
    func prefixes() throws {
        var sampler = Sampler(state: 300)
        for _ in 0..<50 {
            let bytes = JSON.array([sampler.tree(depth: 2)]).serialized()
            for count in 0..<bytes.count {
                #expect(throws: JSONError.self) { try JSON.parse(bytes[..<count]) }
            }
        }
    }

    @Test("Foundation reads the same from valid documents", arguments: 0..<4)
    func serialization(seed: UInt64) throws {
        var sampler = Sampler(state: seed &+ 400)
        for _ in 0..<300 {
            let text = sampler.text(sampler.tree())
            let theirs = try JSONSerialization.jsonObject(with: Data(text.utf8), options: .fragmentsAllowed)
            #expect(agree(try JSON.parse(text.utf8), theirs), "\(text)")
        }
    }

    @Test("Coded values pass between Foundation's coders and these, both ways")
    func coders() throws {
        var sampler = Sampler(state: 500)
        for _ in 0..<500 {
            var value = JSONCodingTests.extremes
            value.d = Int64(truncatingIfNeeded: sampler.next())
            value.k = Float(sampler.below(1_000_000)) / 7
            value.l = sampler.double()
            value.n = sampler.string()
            value.o = sampler.below(2) == 0 ? nil : sampler.below(100)
            value.q = (0..<sampler.below(4)).map { _ in [sampler.string()] }
            value.t = [sampler.string(): [sampler.string(): 1]]
            let theirs = try JSONEncoder().encode(value)
            let ours = try JSON.encode(value)
            #expect(try JSON.decode(JSONCodingTests.Everything.self, from: theirs) == value)
            #expect(try JSONDecoder().decode(JSONCodingTests.Everything.self, from: Data(ours)) == value)
        }
        let tree = try JSON.parse(#"{"a": [1, 2.5, true, null, "x", {"b": []}]}"#.utf8)
        #expect(try JSONDecoder().decode(JSON.self, from: Data(tree.serialized())) == tree)
        #expect(try JSON.parse(JSONEncoder().encode(tree)) == tree)
    }

    @discardableResult
    private func check(_ bytes: [UInt8]) -> JSON? {
        do throws(JSONError) {
            let tree = try JSON.parse(bytes)
            #expect((try? JSON.parse(tree.serialized())) == tree)
            return tree
        } catch {
            #expect((0...bytes.count).contains(error.offset) && error.line >= 1 && error.column >= 1)
            #expect(error.line - 1 == bytes.prefix(error.offset).count { $0 == UInt8(ascii: "\n") })
            #expect(!error.message.isEmpty)
            return nil
        }
    }

    private func agree(_ ours: JSON, _ theirs: Any) -> Bool {
        switch ours {
        case .null: theirs is NSNull
        case .bool(let value): theirs as? Bool == value
        case .integer(let value): (theirs as? NSNumber)?.int64Value == value
        case .number(let value):
            // JSONSerialization goes by way of a decimal and loses the last bits; that ours are exact, the coders show.
            (theirs as? NSNumber).map { abs($0.doubleValue - value) <= abs(value) * 1e-14 } ?? false
        case .string(let value): theirs as? String == value
        case .array(let elements):
            (theirs as? [Any]).map { theirs in
                theirs.count == elements.count && zip(elements, theirs).allSatisfy { agree($0, $1) }
            } ?? false
        case .object(let object):
            (theirs as? [String: Any]).map { members in
                members.count == object.count
                    && object.allSatisfy { name, value in members[name].map { agree(value, $0) } ?? false }
            } ?? false
        }
    }
}
