import CPostgreSQL

/// Where a PostgreSQL server is: a URL as libpq itself reads it, with what is certainly wrong refused by its name.
///
/// No message quotes the text as it was given, nor what libpq says of it: either may hold the password.
struct PostgresURL: Sendable, CustomStringConvertible, CustomReflectable {
    /// libpq's keywords and their values, the password's too.
    let parameters: [String: String]
    /// `pooler=transaction`: a pooler stands before the server and hands out another of its connections for each
    /// transaction.
    let isBehindPooler: Bool
    /// Without the password.
    let description: String

    /// Instead of the parts, among which is the password.
    var customMirror: Mirror { Mirror(self, children: ["url": description]) }

    static let form = "postgres://user:password@host:port/database?sslmode=…"
    private static let ownSetting = "pooler"
    private static let choices = [
        "sslmode": ["disable", "allow", "prefer", "require", "verify-ca", "verify-full"],
        "target_session_attrs": ["any", "read-write", "read-only", "primary", "standby", "prefer-standby"],
    ]

    /// - Throws: `cannotOpen`, naming the setting and what was expected.
    init(_ text: String) throws {
        guard text.hasPrefix("postgres://") || text.hasPrefix("postgresql://") else {
            throw Self.refusal("expected \(Self.form)")
        }
        let library = try LibPQ.load()
        let (own, rest) = try Self.settings(of: text, known: Self.keywords(library))
        switch own {
        case nil, "session": isBehindPooler = false
        case "transaction": isBehindPooler = true
        default: throw Self.refusal("\(Self.ownSetting): expected session or transaction")
        }
        parameters = try Self.parse(rest, library)
        for (name, expected) in Self.choices {
            if let value = parameters[name], !expected.contains(value) {
                throw Self.refusal("\(name): expected one of \(expected.joined(separator: ", "))")
            }
        }
        for port in (parameters["port"] ?? "5432").split(separator: ",", omittingEmptySubsequences: false)
        where !port.isEmpty && !(Int(port).map { (1...65_535).contains($0) } ?? false) {
            throw Self.refusal("port: expected 1 to 65535")
        }
        if let timeout = parameters["connect_timeout"], (Int(timeout) ?? 0) < 1 {
            throw Self.refusal("connect_timeout: expected seconds, 1 or more")
        }
        guard let database = parameters["dbname"], !database.isEmpty else {
            throw Self.refusal("the database's name is missing: expected \(Self.form)")
        }
        let user = parameters["user"].map { $0 + "@" } ?? ""
        let host = parameters["host"] ?? parameters["hostaddr"] ?? ""
        let port = parameters["port"].map { ":" + $0 } ?? ""
        description = "postgres://\(user)\(host)\(port)/\(database)"
    }

    private static func refusal(_ reason: String) -> DatabaseError {
        .cannotOpen(path: "postgres://…", reason: reason)
    }

    /// The value of the one setting that is Souk's own, and the URL without it.
    private static func settings(of text: String, known: Set<String>) throws -> (own: String?, rest: String) {
        let parts = text.split(separator: "?", maxSplits: 1, omittingEmptySubsequences: false)
        guard parts.count == 2 else { return (nil, text) }
        var own: String?
        var others: [Substring] = []
        for item in parts[1].split(separator: "&") {
            let pair = item.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            let name = String(pair[0])
            guard pair.count == 2, name == ownSetting || known.contains(name) else {
                // A name is shown only if it is one: anything else may be a piece of a password.
                let isName = name.utf8.allSatisfy { $0 == UInt8(ascii: "_") || (97...122).contains($0) }
                throw refusal(
                    "\(isName && pair.count == 2 ? "unknown setting \(name)" : "a setting that is not name=value") "
                        + "after the question mark (a ? in a password is written %3F)")
            }
            if name == ownSetting { own = String(pair[1]) } else { others.append(item) }
        }
        return (own, parts[0] + (others.isEmpty ? "" : "?" + others.joined(separator: "&")))
    }

    private static func keywords(_ library: LibPQ) -> Set<String> {
        let options = library.conndefaults()
        defer { library.conninfoFree(options) }
        // `ssl=true`, as other drivers have it, is known to libpq in URLs alone.
        return Set(read(options).map(\.keyword)).union(["ssl"])
    }

    private static func parse(_ text: String, _ library: LibPQ) throws -> [String: String] {
        var message: UnsafeMutablePointer<CChar>?
        let options = library.conninfoParse(text, &message)
        library.freemem(message)
        guard let options else {
            throw refusal("expected \(form) (a special character in a password is written as % and its code)")
        }
        defer { library.conninfoFree(options) }
        var parameters: [String: String] = [:]
        for (keyword, value) in read(options) { parameters[keyword] = value }
        return parameters
    }

    private static func read(_ options: LibPQ.Options?) -> [(keyword: String, value: String?)] {
        guard var option = options else { return [] }
        var list: [(String, String?)] = []
        while let keyword = option.pointee.keyword {
            list.append((String(cString: keyword), option.pointee.val.map { String(cString: $0) }))
            option += 1
        }
        return list
    }
}
