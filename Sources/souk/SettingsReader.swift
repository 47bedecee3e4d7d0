import Configuration
import FoundationEssentials
import Kernel
import SystemPackage

/// Looks settings up in the flags, the environment and the file, in that order, and remembers where each was found.
struct SettingsReader {
    private var providers: [(name: String, provider: any ConfigProvider)]
    private(set) var found: [Settings.Found] = []

    init(flags: [String: String], environment: [String: String]) {
        let values = flags.map { name, value in
            (Self.key(name), ConfigValue(.string(value), isSecret: false))
        }
        providers = [
            ("flag", InMemoryProvider(name: "flags", values: Dictionary(uniqueKeysWithValues: values))),
            ("environment", EnvironmentVariablesProvider(environmentVariables: environment)),
        ]
    }

    mutating func use(file path: String) async throws {
        do {
            let provider = try await FileProvider<JSONSnapshot>(filePath: FilePath(path))
            providers.append((path, provider))
        } catch {
            throw SettingsError("the settings file \(path) cannot be read: \(error)")
        }
    }

    /// `SOUK_CLIENT_RATE` is `souk.client.rate` to the providers: in a file `{"souk": {"client": {"rate": …}}}`.
    private static func key(_ name: String) -> AbsoluteConfigKey {
        AbsoluteConfigKey(name.lowercased().split(separator: "_").map(String.init), context: [:])
    }

    private func look(_ name: String) throws -> (value: String, source: String)? {
        let key = Self.key(name)
        for (source, provider) in providers {
            if let content = try? provider.value(forKey: key, type: .string).value?.content,
                case .string(let text) = content
            {
                return (text, source)
            }
            if let content = try? provider.value(forKey: key, type: .int).value?.content,
                case .int(let number) = content
            {
                return (String(number), source)
            }
        }
        return nil
    }

    private mutating func note(_ name: String, _ value: String?, _ source: String, _ about: String) {
        found.append(Settings.Found(name: name, value: value, source: source, about: about))
    }

    mutating func text(_ name: String, _ standard: String, _ about: String) throws -> String {
        let hit = try look(name)
        note(name, hit?.value ?? standard, hit?.source ?? "default", about)
        return hit?.value ?? standard
    }

    mutating func optional(_ name: String, _ about: String) throws -> String? {
        let hit = try look(name)
        note(name, hit?.value, hit?.source ?? "default", about)
        return hit?.value
    }

    mutating func integer(
        _ name: String, _ standard: Int64, _ range: ClosedRange<Int64>, _ about: String
    ) throws -> Int64 {
        let text = try text(name, String(standard), about)
        guard let number = Int64(text), range.contains(number) else {
            throw SettingsError(
                "\(name) is '\(text)', expected a whole number from \(range.lowerBound) to \(range.upperBound)")
        }
        return number
    }

    mutating func choice(_ name: String, _ standard: String, _ choices: [String], _ about: String) throws -> String {
        let text = try text(name, standard, about)
        guard choices.contains(text) else {
            throw SettingsError("\(name) is '\(text)', expected one of \(choices.joined(separator: ", "))")
        }
        return text
    }

    /// `500ms`, `10s`, `5m`, `2h`.
    mutating func duration(_ name: String, _ standard: Duration, _ about: String) throws -> Duration {
        let text = try text(name, "\(standard.microseconds / 1_000)ms", about)
        let units: [(String, Int64)] = [("ms", 1), ("s", 1_000), ("m", 60_000), ("h", 3_600_000)]
        for (unit, milliseconds) in units {
            if text.hasSuffix(unit), let number = Int64(text.dropLast(unit.count)), (0...86_400_000).contains(number) {
                return .milliseconds(number * milliseconds)
            }
        }
        throw SettingsError("\(name) is '\(text)', expected a time such as 500ms, 10s, 5m or 2h")
    }

    /// May hold a password: `NAME_FILE` may name a file instead, and it is shown without.
    mutating func backEnd(
        _ name: String, _ standard: String, _ schemes: [String: String], _ about: String
    ) throws -> Settings.BackEnd {
        let text = try url(name, about) ?? text(name, standard, about)
        let parts = text.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
        guard parts.count == 2, schemes[String(parts[0])] != nil else {
            throw SettingsError(
                "\(name) is '\(Self.withoutPassword(text))', expected "
                    + Set(schemes.values).sorted().joined(separator: " or "))
        }
        return Settings.BackEnd(scheme: String(parts[0]), rest: String(parts[1]))
    }

    /// Nil where there is none.
    mutating func url(_ name: String, _ about: String) throws -> String? {
        if let hit = try look(name) {
            note(name, Self.withoutPassword(hit.value), hit.source, about)
            return hit.value
        }
        guard let (text, path) = try file(name) else { return nil }
        note(name, Self.withoutPassword(text), "file \(path)", about)
        return text
    }

    private static func withoutPassword(_ url: String) -> String {
        guard let at = url.lastIndex(of: "@"), let scheme = url.range(of: "://") else { return url }
        guard scheme.upperBound < at else { return url }
        return url[..<scheme.upperBound] + "…" + url[at...]
    }

    /// JSON in text; decoded, or the error says where it is wrong.
    mutating func json<T: Decodable>(_ name: String, _ example: String, _ about: String) throws -> T? {
        guard let text = try optional(name, about + ", as JSON: " + example) else { return nil }
        do {
            return try JSON.parse(Array(text.utf8)).decode(T.self)
        } catch {
            throw SettingsError("\(name) is not as expected: \(error); expected e.g. \(example)")
        }
    }

    /// The value, or the first line of the file that `NAME_FILE` names. Never reported.
    mutating func secret(_ name: String, _ about: String) throws -> String? {
        if let hit = try look(name) {
            note(name, "(secret)", hit.source, about)
            return hit.value
        }
        guard let (text, path) = try file(name) else {
            note(name, nil, "default", about + "; or \(name)_FILE names a file")
            return nil
        }
        note(name, "(secret)", "file \(path)", about)
        return text
    }

    /// The first line of the file that `NAME_FILE` names.
    private func file(_ name: String) throws -> (text: String, path: String)? {
        guard let path = try look(name + "_FILE")?.value else { return nil }
        guard let text = try? String(contentsOfFile: path, encoding: .utf8) else {
            throw SettingsError("\(name)_FILE: the file \(path) cannot be read")
        }
        return (String(text.split(separator: "\n", maxSplits: 1, omittingEmptySubsequences: false).first ?? ""), path)
    }
}
