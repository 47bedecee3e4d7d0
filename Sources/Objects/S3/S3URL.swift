/// Which bucket, and where: `s3://bucket?region=…&endpoint=…&prefix=…&style=path`.
///
/// Without an endpoint it is AWS's own. With one, or for a name with dots, the bucket is named in the path, otherwise
/// in the host, unless `style` says so. The prefix stands before all keys, with a slash.
public struct S3URL: Sendable, Equatable {
    public static let form = "s3://BUCKET?region=…&endpoint=http(s)://HOST:PORT&prefix=…&style=path|virtual"
    static let optionNames = ["region", "endpoint", "prefix", "style"]
    static let maxPrefixBytes = 200

    /// How the bucket is named in a request.
    public enum Style: String, Sendable {
        /// `https://host/bucket/key`
        case path
        /// `https://bucket.host/key`
        case virtual
    }

    public let bucket: String
    public let region: String
    public let style: Style
    /// Before all keys; empty, or with its last slash.
    let prefix: String
    /// `https` or `http`.
    let scheme: String
    /// `host` or `host:port`, without the bucket.
    private let authority: String

    /// Why a text is no such URL: what was found where, and what was expected.
    public struct Invalid: Error, Equatable, CustomStringConvertible {
        public let description: String
        init(_ description: String) { self.description = description }
    }

    /// - Parameter environment: for the region, in `AWS_REGION` or `AWS_DEFAULT_REGION`, where the URL has none.
    public init(_ text: String, environment: [String: String] = [:]) throws(Invalid) {
        guard text.hasPrefix("s3://") else { throw Invalid("expected \(Self.form)") }
        let parts = text.dropFirst("s3://".count).split(separator: "?", maxSplits: 1, omittingEmptySubsequences: false)
        bucket = try Self.checked(bucket: parts[0].last == "/" ? parts[0].dropLast() : parts[0])
        let options = try Self.options(in: parts.count > 1 ? parts[1] : "")
        region = try Self.region(options, environment)
        (scheme, authority) = try Self.split(
            endpoint: options["endpoint"] ?? "https://s3.\(region).\(Self.awsDomain(of: region))")
        prefix = try Self.checked(prefix: options["prefix"] ?? "")
        guard let name = options["style"] else {
            // A certificate for *.host covers no bucket whose name has dots.
            style = options["endpoint"] != nil || bucket.contains(".") ? .path : .virtual
            return
        }
        guard let named = Style(rawValue: name) else {
            throw Invalid("the style is '\(name.prefix(40))', expected path or virtual")
        }
        style = named
    }

    /// The `host` header.
    var host: String { style == .virtual ? "\(bucket).\(authority)" : authority }

    /// The path, not encoded, of an object, or with an empty key of the bucket.
    func path(of key: String) -> String { style == .virtual ? "/\(key)" : "/\(bucket)/\(key)" }

    /// For messages.
    func name(of key: String) -> String { key.isEmpty ? "s3://\(bucket)" : "s3://\(bucket)/\(key)" }

    static func awsDomain(of region: String) -> String {
        region.hasPrefix("cn-") ? "amazonaws.com.cn" : "amazonaws.com"
    }
}

extension S3URL {
    /// As S3 has it: 3 to 63 small letters, digits, dots and hyphens, with a letter or digit at both ends.
    private static func checked(bucket: Substring) throws(Invalid) -> String {
        let bytes = bucket.utf8
        guard (3...63).contains(bytes.count), bytes.allSatisfy({ $0.isNameByte || $0 == UInt8(ascii: ".") }),
            let first = bytes.first, let last = bytes.last, first.isLetterOrDigit, last.isLetterOrDigit,
            !bucket.contains("..")
        else {
            throw Invalid(
                "the bucket is '\(bucket.prefix(63))', expected 3 to 63 small letters, digits, dots and hyphens")
        }
        return String(bucket)
    }

    private static func options(in query: Substring) throws(Invalid) -> [String: String] {
        var found: [String: String] = [:]
        for option in query.split(separator: "&") {
            let parts = option.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            let name = String(parts[0])
            guard optionNames.contains(name) else {
                throw Invalid(
                    "there is no option '\(name.prefix(40))', expected \(optionNames.joined(separator: ", "))")
            }
            guard parts.count == 2, !parts[1].isEmpty, found[name] == nil, let value = parts[1].percentDecoded else {
                throw Invalid("the option \(name) is empty, given twice, or not well encoded: expected \(form)")
            }
            found[name] = value
        }
        return found
    }

    private static func region(
        _ options: [String: String], _ environment: [String: String]
    ) throws(Invalid) -> String {
        var region = options["region"] ?? environment["AWS_REGION"] ?? environment["AWS_DEFAULT_REGION"] ?? ""
        // Peers that are not AWS mostly do not care about the region; it is signed all the same.
        if region.isEmpty, options["endpoint"] != nil { region = "us-east-1" }
        guard (1...40).contains(region.utf8.count), region.utf8.allSatisfy(\.isNameByte) else {
            throw Invalid("the region is '\(region.prefix(40))', expected one such as region=eu-west-1, or AWS_REGION")
        }
        return region
    }

    private static func checked(prefix: String) throws(Invalid) -> String {
        guard !prefix.isEmpty else { return "" }
        let name = prefix.last == "/" ? String(prefix.dropLast()) : prefix
        guard name.utf8.count < maxPrefixBytes, (try? ObjectKey.check(name)) != nil else {
            throw Invalid(
                "the prefix is '\(prefix.prefix(80))', expected names divided by slashes, "
                    + "at most \(maxPrefixBytes) bytes of ASCII letters, digits and -_.~+=@")
        }
        return name + "/"
    }

    private static func split(endpoint: String) throws(Invalid) -> (scheme: String, authority: String) {
        for scheme in ["https", "http"] where endpoint.hasPrefix(scheme + "://") {
            var authority = endpoint.dropFirst(scheme.count + 3)
            if authority.last == "/" { authority.removeLast() }
            guard !authority.isEmpty, authority.utf8.allSatisfy({ $0.isNameByte || ".:[]".utf8.contains($0) }) else {
                break
            }
            return (scheme, String(authority))
        }
        throw Invalid("the endpoint is not as expected: https://HOST:PORT or http://HOST:PORT, and nothing else")
    }
}

extension UInt8 {
    fileprivate var isLetterOrDigit: Bool {
        (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(self) || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(self)
    }

    fileprivate var isNameByte: Bool { isLetterOrDigit || self == UInt8(ascii: "-") }
}
