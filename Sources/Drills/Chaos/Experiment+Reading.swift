import Kernel

extension Experiment {
    /// An experiment's file is no larger; it has no more activities.
    public static let largestFile = 1 << 20
    private static let mostActivities = 1_000

    /// - Parameter file: its name, for errors.
    /// - Throws: `DrillError` that names the file, the place in it (a JSON pointer) and what was expected.
    public init(json bytes: [UInt8], file: String) throws {
        let document: JSON
        do {
            document = try JSON.parse(bytes)
        } catch {
            throw DrillError("\(file) is no JSON: \(error)")
        }
        let root = Place(file: file, pointer: "", value: document)
        _ = try root.object()
        self.document = document
        title = try root.text("title")
        description = try root.text("description")
        tags = try root.list("tags").map { try $0.text() }
        configuration = try root.member("configuration")?.object() ?? JSONObject()
        secrets = try root.member("secrets")?.object() ?? JSONObject()
        guard root.member("method") != nil else { throw root.wrong("has no method", "a list, which may be empty") }

        let hypothesis = root.member("steady-state-hypothesis")
        let lists = (
            probes: try hypothesis?.list("probes") ?? [], method: try root.list("method"),
            rollbacks: try root.list("rollbacks")
        )
        let all = lists.probes + lists.method + lists.rollbacks
        guard all.count <= Self.mostActivities else {
            throw root.wrong("has \(all.count) activities", "at the most \(Self.mostActivities)")
        }
        var named: [String: Place] = [:]
        for place in all { if let name = place.value["name"]?.stringValue { named[name] = place } }
        func read(_ place: Place) throws -> Activity {
            guard let ref = place.member("ref") else { return try Activity(place) }
            guard let found = named[try ref.text()] else {
                throw ref.wrong("is '\(try ref.text())'", "the name of an activity in this experiment")
            }
            return try Activity(found)
        }
        self.hypothesis = try hypothesis.map { place in
            Hypothesis(title: try place.text("title"), probes: try lists.probes.map(read))
        }
        method = try lists.method.map(read)
        rollbacks = try lists.rollbacks.map(read)
        for (probe, place) in zip(self.hypothesis?.probes ?? [], lists.probes) where probe.tolerance == nil {
            throw place.wrong("has no tolerance", "what its probe's result must be")
        }
        expectations = try Expectations(root)
        warnings = ([root] + all).filter { $0.member("controls") != nil }.map {
            "\(file): \($0.pointer)/controls are ignored: `chaos run` has them, `souk chaos` has not"
        }
        _ = try Variables(self, environment: { _ in "0" }, file: file)
    }
}

extension Activity {
    init(_ place: Place) throws {
        _ = try place.object()
        document = place.value
        let type = try place.text("type")
        guard let kind = Kind(rawValue: type) else { throw place.wrong("/type", "is '\(type)'", "action or probe") }
        self.kind = kind
        name = try place.text("name")
        guard let provider = place.member("provider") else {
            throw place.wrong("has no provider", "an object with the type http or process")
        }
        self.provider = try Provider(provider)
        tolerance = try place.member("tolerance").map(Tolerance.init)
        pauseBefore = try place.member("pauses")?.seconds("before")
        pauseAfter = try place.member("pauses")?.seconds("after")
        guard let background = place.member("background") else {
            isBackground = false
            return
        }
        guard let flag = background.value.boolValue else {
            throw background.wrong("is \(background.value)", "true or false")
        }
        isBackground = flag
    }
}

extension Provider {
    init(_ place: Place) throws {
        switch try place.text("type") {
        case "http":
            let name = try place.member("method")?.text().uppercased() ?? "GET"
            guard let method = HTTPMethod(rawValue: name) else {
                throw place.wrong("/method", "is '\(name)'", "GET, POST, PUT, PATCH or DELETE")
            }
            let headers = try place.member("headers")?.object() ?? JSONObject()
            self = .http(
                HTTP(
                    url: try place.text("url"), method: method,
                    headers: Dictionary(uniqueKeysWithValues: headers.map { ($0.key, $0.value) }),
                    arguments: place.member("arguments")?.value, timeout: try place.seconds("timeout")))
        case "process":
            let arguments = place.member("arguments")
            switch arguments?.value {
            case nil, .string, .array, .object: break
            default: throw place.wrong("/arguments", "are no arguments", "a list, an object or a text")
            }
            let timeout = try place.member("timeout").map { timeout in
                guard let seconds = timeout.value.numberValue, seconds > 0 else {
                    throw timeout.wrong("is \(timeout.value)", "seconds above 0")
                }
                return seconds
            }
            self = .process(
                Process(path: try place.text("path"), arguments: arguments?.value, timeout: timeout))
        case "python":
            throw place.wrong(
                "/type", "is python, which only the Chaos Toolkit runs (`chaos run`)", "http or process")
        case let other: throw place.wrong("/type", "is '\(other)'", "http or process")
        }
    }
}

/// A value in a file, which knows where it is.
struct Place {
    let file: String
    /// RFC 6901.
    let pointer: String
    let value: JSON

    func wrong(_ what: String, _ expected: String) -> DrillError {
        DrillError("\(file): \(pointer.isEmpty ? "the experiment" : pointer) \(what), expected \(expected)")
    }

    func wrong(_ below: String, _ what: String, _ expected: String) -> DrillError {
        DrillError("\(file): \(pointer)\(below) \(what), expected \(expected)")
    }

    func member(_ name: String) -> Place? {
        value[name].flatMap { $0.isNull ? nil : Place(file: file, pointer: "\(pointer)/\(name)", value: $0) }
    }

    func object() throws -> JSONObject {
        guard let object = value.objectValue else { throw wrong("is no object", "an object") }
        return object
    }

    func text() throws -> String {
        guard let text = value.stringValue, !text.isEmpty else {
            throw wrong("is no text", "a text that says something")
        }
        return text
    }

    func text(_ name: String) throws -> String {
        guard let place = member(name) else { throw wrong("has no \(name)", "a text") }
        return try place.text()
    }

    /// None, where there is no such member.
    func list(_ name: String) throws -> [Place] {
        guard let place = member(name) else { return [] }
        guard let elements = place.value.arrayValue else { throw place.wrong("is no list", "a list") }
        return elements.enumerated().map {
            Place(file: file, pointer: "\(place.pointer)/\($0.offset)", value: $0.element)
        }
    }

    /// A number from 0, or the name of one.
    func seconds(_ name: String) throws -> JSON? {
        guard let place = member(name) else { return nil }
        let isName = place.value.stringValue.map { $0.hasPrefix("${") && $0.hasSuffix("}") } ?? false
        guard isName || (place.value.numberValue ?? -1) >= 0 else {
            throw place.wrong("is \(place.value)", "seconds from 0, or ${name} of the configuration")
        }
        return place.value
    }
}
