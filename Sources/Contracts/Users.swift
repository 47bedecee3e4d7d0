public import Kernel

/// Accounts.
public protocol UsersService: Sendable {
    /// - Throws: `emailTaken`.
    func register(_ registration: RegisterUser, _ context: CallContext) async throws -> User
    /// The caller's own account.
    func me(_ input: Nothing, _ context: CallContext) async throws -> User
    func update(_ change: UpdateUser, _ context: CallContext) async throws -> User
    /// The account of these credentials.
    /// - Throws: `wrongCredentials`, the same and after the same time whether or not the account exists.
    func verify(_ credentials: Credentials, _ context: CallContext) async throws -> User
    func user(_ query: UserByID, _ context: CallContext) async throws -> User
}

public enum UsersAPI {
    public static let register = Endpoint<RegisterUser, User>(
        "users.register", .post, "/api/users", summary: "Open an account", priority: .cart, success: 201,
        idempotency: .none, problems: [.emailTaken])
    public static let me = Endpoint<Nothing, User>(
        "users.me", .get, "/api/users/me", summary: "My account", access: .customer)
    public static let update = Endpoint<UpdateUser, User>(
        "users.update", .patch, "/api/users/me", summary: "Change my account", access: .customer,
        problems: [.emailTaken, .wrongCredentials])
    public static let verify = Endpoint<Credentials, User>(
        "users.verify", .post, "/internal/users/verify", summary: "Check credentials", access: .service,
        problems: [.wrongCredentials])
    public static let user = Endpoint<UserByID, User>(
        "users.get", .get, "/internal/users/{id}", summary: "An account", access: .service, problems: [.notFound])
}

/// Accounts in another process.
public struct RemoteUsers: UsersService {
    private let caller: any RemoteCaller

    public init(_ caller: any RemoteCaller) { self.caller = caller }

    public func register(_ registration: RegisterUser, _ context: CallContext) async throws -> User {
        try await caller.call(UsersAPI.register, registration, context).value
    }

    public func me(_ input: Nothing, _ context: CallContext) async throws -> User {
        try await caller.call(UsersAPI.me, input, context).value
    }

    public func update(_ change: UpdateUser, _ context: CallContext) async throws -> User {
        try await caller.call(UsersAPI.update, change, context).value
    }

    public func verify(_ credentials: Credentials, _ context: CallContext) async throws -> User {
        try await caller.call(UsersAPI.verify, credentials, context).value
    }

    public func user(_ query: UserByID, _ context: CallContext) async throws -> User {
        try await caller.call(UsersAPI.user, query, context).value
    }
}

extension ProblemType {
    public static let emailTaken = ProblemType("email-taken", 409, "There is an account with that address")
    public static let wrongCredentials = ProblemType("wrong-credentials", 401, "Address or password is wrong")
}

public struct User: Shaped, Equatable {
    public var id: UserID
    public var email: String
    public var name: String
    public var role: Role
    public var address: Address?
    public var created_at: Timestamp

    public init(id: UserID, email: String, name: String, role: Role, address: Address?, created_at: Timestamp) {
        self.id = id
        self.email = email
        self.name = name
        self.role = role
        self.address = address
        self.created_at = created_at
    }

    public static let schema = Schema.object(
        "User",
        [
            .required("id", UserID.schema), .required("email", .email), .required("name", .text(1...200)),
            .required("role", .choice(Role.allCases.map(\.rawValue))), .optional("address", Address.schema),
            .required("created_at", .time),
        ])
}

public struct RegisterUser: Shaped {
    /// Long ones are fine: they are hashed whole.
    public static let passwordLength = 10...200

    public var email: String
    public var password: String
    public var name: String

    public init(email: String, password: String, name: String) {
        self.email = email
        self.password = password
        self.name = name
    }

    public static let schema = Schema.object(
        "RegisterUser",
        [
            .required("email", .email), .required("password", .text(passwordLength)),
            .required("name", .text(1...200)),
        ])
}

/// Only what is given changes. A new address or password needs the present password.
public struct UpdateUser: Shaped {
    public var email: String?
    public var name: String?
    public var address: Address?
    public var password: String?
    public var current_password: String?

    public init(
        email: String? = nil, name: String? = nil, address: Address? = nil, password: String? = nil,
        current_password: String? = nil
    ) {
        self.email = email
        self.name = name
        self.address = address
        self.password = password
        self.current_password = current_password
    }

    public static let schema = Schema.object(
        "UpdateUser",
        [
            .optional("email", .email), .optional("name", .text(1...200)), .optional("address", Address.schema),
            .optional("password", .text(RegisterUser.passwordLength)), .optional("current_password", .text(1...200)),
        ])
}

public struct Credentials: Shaped {
    public var email: String
    public var password: String

    public init(email: String, password: String) {
        self.email = email
        self.password = password
    }

    public static let schema = Schema.object(
        "Credentials", [.required("email", .text(1...254)), .required("password", .text(1...200))])
}

public struct UserByID: Shaped {
    public var id: UserID
    public init(id: UserID) { self.id = id }
    public static let schema = Schema.object("UserByID", [.required("id", UserID.schema)])
}
