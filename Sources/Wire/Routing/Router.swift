import Kernel

/// Finds what serves a method and a path: literal segments before parameters, parameters before a catch-all.
struct Router<Value: Sendable>: Sendable {
    private struct Node {
        var literals: [String: Int] = [:]
        var parameter: Int?
        var catchAll: [HTTPMethod: Entry] = [:]
        var entries: [HTTPMethod: Entry] = [:]
    }

    private struct Entry {
        let names: [String]
        let value: Value
    }

    struct Match {
        let value: Value
        let parameters: [(String, String)]
    }

    enum Result {
        case found(Match)
        /// The path exists for these methods only.
        case otherMethods([HTTPMethod])
        case nothing
    }

    private var nodes = [Node()]

    /// Two routes for the same requests are a mistake in the program.
    mutating func add(_ method: HTTPMethod, _ path: PathTemplate, _ value: Value) {
        var node = 0
        var names: [String] = []
        for segment in path.segments {
            switch segment {
            case .literal(let text):
                node = nodes[node].literals[text] ?? child { $0.nodes[node].literals[text] = $1 }
            case .parameter(let name) where name.hasSuffix("*"):
                names.append(String(name.dropLast()))
                precondition(nodes[node].catchAll[method] == nil, "\(method.rawValue) \(path) is routed twice")
                nodes[node].catchAll[method] = Entry(names: names, value: value)
                return
            case .parameter(let name):
                names.append(name)
                node = nodes[node].parameter ?? child { $0.nodes[node].parameter = $1 }
            }
        }
        precondition(nodes[node].entries[method] == nil, "\(method.rawValue) \(path) is routed twice")
        nodes[node].entries[method] = Entry(names: names, value: value)
    }

    private mutating func child(_ attach: (inout Self, Int) -> Void) -> Int {
        nodes.append(Node())
        attach(&self, nodes.count - 1)
        return nodes.count - 1
    }

    /// - Parameter method: nil for one that nothing is routed for.
    func find(_ method: HTTPMethod?, _ segments: [String]) -> Result {
        var allowed: Set<HTTPMethod> = []
        var values: [String] = []
        if let match = search(0, segments[...], method, &values, &allowed) { return .found(match) }
        return allowed.isEmpty ? .nothing : .otherMethods(allowed.sorted { $0.rawValue < $1.rawValue })
    }

    private func search(
        _ index: Int, _ segments: ArraySlice<String>, _ method: HTTPMethod?, _ values: inout [String],
        _ allowed: inout Set<HTTPMethod>
    ) -> Match? {
        let node = nodes[index]
        guard let segment = segments.first else {
            return choose(node.entries, values, method, &allowed)
        }
        if let next = node.literals[segment],
            let match = search(next, segments.dropFirst(), method, &values, &allowed)
        {
            return match
        }
        if let next = node.parameter, !segment.isEmpty {
            values.append(segment)
            if let match = search(next, segments.dropFirst(), method, &values, &allowed) { return match }
            values.removeLast()
        }
        guard !node.catchAll.isEmpty else { return nil }
        return choose(node.catchAll, values + [segments.joined(separator: "/")], method, &allowed)
    }

    private func choose(
        _ entries: [HTTPMethod: Entry], _ values: [String], _ method: HTTPMethod?, _ allowed: inout Set<HTTPMethod>
    ) -> Match? {
        if let method, let entry = entries[method] {
            return Match(value: entry.value, parameters: Array(zip(entry.names, values)))
        }
        allowed.formUnion(entries.keys)
        return nil
    }
}
