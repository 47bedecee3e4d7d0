/// The members of a JSON object, in their order, each name once.
///
/// Two objects with the same members are equal whatever their order. A name is looked up by a scan, which beats hashing
/// for the few members that objects have.
public struct JSONObject: Sendable {
    /// Beyond so many members a set finds a repeated name faster than a scan, and without quadratic cost.
    static let scanned = 16

    private(set) var members: [(key: String, value: JSON)]

    public init() { members = [] }

    /// A later value replaces an earlier one of the same name.
    public init(_ members: [(String, JSON)]) {
        self.init()
        self.members.reserveCapacity(members.count)
        for (name, value) in members { self[name] = value }
    }

    /// Members whose names are known to differ.
    init(unique members: [(key: String, value: JSON)]) { self.members = members }

    /// The member of that name. Setting nil removes it; a new one goes to the end.
    public subscript(name: String) -> JSON? {
        get { position(of: name).map { members[$0].value } }
        set {
            switch (position(of: name), newValue) {
            case (let found?, let value?): members[found].value = value
            case (let found?, nil): members.remove(at: found)
            case (nil, let value?): members.append((name, value))
            case (nil, nil): break
            }
        }
    }

    public var names: [String] { members.map(\.key) }

    /// Looks from `hint` to the end and then from the start: who asks in the document's order finds at once.
    func position(of name: String, from hint: Int = 0) -> Int? {
        members.withUnsafeBufferPointer { members in
            for position in hint..<members.count where members[position].key == name { return position }
            for position in 0..<hint where members[position].key == name { return position }
            return nil
        }
    }
}

extension JSONObject: RandomAccessCollection {
    public typealias Element = (key: String, value: JSON)

    public var startIndex: Int { 0 }
    public var endIndex: Int { members.count }
    public subscript(position: Int) -> Element { members[position] }
}

extension JSONObject: Hashable {
    public static func == (left: JSONObject, right: JSONObject) -> Bool {
        guard left.count == right.count else { return false }
        if left.count > scanned {
            let named = Dictionary(right.members.lazy.map { ($0.key, $0.value) }) { first, _ in first }
            return left.members.allSatisfy { named[$0.key] == $0.value }
        }
        for (position, member) in left.members.enumerated() {
            guard let found = right.position(of: member.key, from: position),
                right.members[found].value == member.value
            else { return false }
        }
        return true
    }

    public func hash(into hasher: inout Hasher) {
        var mixed = 0
        for member in members {
            var one = Hasher()
            one.combine(member.key)
            one.combine(member.value)
            mixed ^= one.finalize()
        }
        hasher.combine(members.count)
        hasher.combine(mixed)
    }
}

extension JSONObject: ExpressibleByDictionaryLiteral {
    public init(dictionaryLiteral members: (String, JSON)...) { self.init(members) }
}
