public import Kernel

/// Who asks AWS, and how it is proved. Never printed whole.
public struct AWSCredentials: Sendable, Hashable {
    public let accessKey: String
    let secretKey: String
    /// Temporary credentials have one.
    let sessionToken: String?
    /// Nil: they do not expire.
    public let expiry: Timestamp?

    public init(accessKey: String, secretKey: String, sessionToken: String? = nil, expiry: Timestamp? = nil) {
        self.accessKey = accessKey
        self.secretKey = secretKey
        self.sessionToken = sessionToken
        self.expiry = expiry
    }
}

extension AWSCredentials: CustomStringConvertible, CustomReflectable {
    public var description: String { "AWSCredentials(\(accessKey), secret: redacted)" }
    public var customMirror: Mirror { Mirror(self, children: ["accessKey": accessKey]) }
}

/// Where credentials come from.
public enum AWSCredentialSource: Sendable, Hashable {
    case fixed(AWSCredentials)
    /// IAM roles for service accounts: a token that Kubernetes keeps fresh in a file is handed to STS for the role's
    /// credentials. `endpoint` is the base of STS's URL.
    case webIdentity(tokenFile: String, role: String, session: String, endpoint: String)
    /// EKS Pod Identity, and ECS: an agent on the node answers with the role's credentials.
    case container(url: String, tokenFile: String?)

    /// The first that the environment names, in the order of the cases, by the variables that all AWS tools read.
    ///
    /// - Throws: `S3Error.noCredentials` where it names none, or half of one.
    public static func named(in environment: [String: String], region: String) throws(S3Error) -> AWSCredentialSource {
        func value(_ name: String) -> String? { environment[name].flatMap { $0.isEmpty ? nil : $0 } }
        switch (value("AWS_ACCESS_KEY_ID"), value("AWS_SECRET_ACCESS_KEY")) {
        case (let key?, let secret?):
            return .fixed(
                AWSCredentials(accessKey: key, secretKey: secret, sessionToken: value("AWS_SESSION_TOKEN")))
        case (nil, nil): break
        default: throw .noCredentials("AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY are needed together")
        }
        switch (value("AWS_WEB_IDENTITY_TOKEN_FILE"), value("AWS_ROLE_ARN")) {
        case (let file?, let role?):
            let standard = "https://sts.\(region).\(S3URL.awsDomain(of: region))"
            return .webIdentity(
                tokenFile: file, role: role, session: value("AWS_ROLE_SESSION_NAME") ?? "souk",
                endpoint: value("AWS_ENDPOINT_URL_STS") ?? standard)
        case (nil, nil): break
        default: throw .noCredentials("AWS_WEB_IDENTITY_TOKEN_FILE and AWS_ROLE_ARN are needed together")
        }
        if let url = value("AWS_CONTAINER_CREDENTIALS_FULL_URI") {
            guard isTrusted(url) else {
                throw .noCredentials(
                    "AWS_CONTAINER_CREDENTIALS_FULL_URI is neither https nor an address of this machine or its node")
            }
            return .container(url: url, tokenFile: value("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"))
        }
        throw .noCredentials(
            "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or run with a role that the environment names")
    }

    /// The hosts to which AWS's own tools send the token in clear: loopback, and the agents of ECS and EKS.
    private static let plainHosts = [
        "127.0.0.1", "localhost", "[::1]", "169.254.170.2", "169.254.170.23", "[fd00:ec2::23]",
    ]

    private static func isTrusted(_ url: String) -> Bool {
        if url.hasPrefix("https://") { return true }
        guard url.hasPrefix("http://") else { return false }
        let authority = String(url.dropFirst("http://".count).prefix { $0 != "/" && $0 != "?" && $0 != "#" })
        return plainHosts.contains { host in
            guard authority.hasPrefix(host) else { return false }
            let port = authority.dropFirst(host.count)
            return port.isEmpty || (port.first == ":" && port.dropFirst().allSatisfy(\.isNumber))
        }
    }
}

extension AWSCredentialSource {
    /// Bytes of a token's file, and of an answer with credentials.
    static let tokenLimit = 64 << 10
    static let timeout = Duration.seconds(5)

    /// Asks once. Throws `S3Error.noCredentials`, without a word of what is secret.
    func load(_ send: Outbound) async throws -> AWSCredentials {
        switch self {
        case .fixed(let credentials): return credentials
        case .webIdentity(let file, let role, let session, let endpoint):
            let form = SignatureV4.canonicalQuery([
                ("Action", "AssumeRoleWithWebIdentity"), ("Version", "2011-06-15"), ("RoleArn", role),
                ("RoleSessionName", session), ("WebIdentityToken", try await Self.token(in: file)),
            ])
            let request = OutboundRequest(
                .post, endpoint.hasSuffix("/") ? endpoint : endpoint + "/",
                headers: [("content-type", "application/x-www-form-urlencoded"), ("accept", "application/xml")],
                body: Array(form.utf8), timeout: Self.timeout, largestAnswer: Self.tokenLimit)
            return try await Self.ask(request, "STS for the role \(role)", send, Self.inXML)
        case .container(let url, let file):
            var request = OutboundRequest(.get, url, timeout: Self.timeout, largestAnswer: Self.tokenLimit)
            if let file { request.headers.append(("authorization", try await Self.token(in: file))) }
            return try await Self.ask(request, "the container's credentials", send, Self.inJSON)
        }
    }

    private static func ask(
        _ request: OutboundRequest, _ what: String, _ send: Outbound,
        _ read: ([UInt8]) -> AWSCredentials?
    ) async throws -> AWSCredentials {
        let answer: OutboundAnswer
        do {
            answer = try await send(request)
        } catch {
            if Task.isCancelled { throw CancellationError() }
            throw S3Error.noCredentials("\(what): no answer: \(error)")
        }
        guard answer.status == 200 else {
            let code = (try? XMLTree(answer.body))?.first("Code")?.text
            throw S3Error.noCredentials("\(what): the answer was \(answer.status) \(code?.prefix(100) ?? "")")
        }
        guard answer.isWhole, let credentials = read(answer.body), !credentials.accessKey.isEmpty,
            !credentials.secretKey.isEmpty
        else {
            throw S3Error.noCredentials("\(what): the answer holds no credentials")
        }
        return credentials
    }

    private static func inXML(_ body: [UInt8]) -> AWSCredentials? {
        guard let tree = (try? XMLTree(body))?.first("Credentials"), let key = tree.first("AccessKeyId")?.text,
            let secret = tree.first("SecretAccessKey")?.text, let token = tree.first("SessionToken")?.text,
            let expiry = Timestamp(rfc3339: tree.first("Expiration")?.text ?? "")
        else { return nil }
        return AWSCredentials(accessKey: key, secretKey: secret, sessionToken: token, expiry: expiry)
    }

    private static func inJSON(_ body: [UInt8]) -> AWSCredentials? {
        guard let json = try? JSON.parse(body), let key = json["AccessKeyId"]?.stringValue,
            let secret = json["SecretAccessKey"]?.stringValue, let token = json["Token"]?.stringValue,
            let expiry = Timestamp(rfc3339: json["Expiration"]?.stringValue ?? "")
        else { return nil }
        return AWSCredentials(accessKey: key, secretKey: secret, sessionToken: token, expiry: expiry)
    }

    /// Read anew each time: Kubernetes replaces the file.
    private static func token(in file: String) async throws -> String {
        do {
            let bytes = try await filePool.run { try Files.read(file, limit: tokenLimit, followsLinks: true) }
            let isBlank: (UInt8) -> Bool = { $0 <= 0x20 }
            let token = bytes.drop(while: isBlank).reversed().drop(while: isBlank).reversed()
            guard !token.isEmpty, token.allSatisfy({ (0x20...0x7E).contains($0) }) else {
                throw S3Error.noCredentials("\(file) holds no token")
            }
            return String(decoding: token, as: UTF8.self)
        } catch let error as FileError {
            throw S3Error.noCredentials("\(error)")
        }
    }

    private static let filePool = BlockingPool(name: "credentials", threads: 1)
}
