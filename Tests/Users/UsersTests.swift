import Contracts
import Database
import Kernel
import PostgresPeer
import Testing

@testable import Users

/// A shop's accounts, on a database of their own.
struct Accounts {
    let clock = ManualClock()
    let database: any Database
    let users: Users

    init(cost: Passwords.Cost = .forTests) async throws {
        database = try await TestDatabase.open()
        try await database.migrate(Users.migrations)
        users = Users(database: database, passwords: Passwords(cost: cost), clock: clock)
    }

    /// The same accounts, served by a release that hashes at another cost.
    func served(at cost: Passwords.Cost) -> Users {
        Users(database: database, passwords: Passwords(cost: cost), clock: clock)
    }

    static let ada = RegisterUser(email: "Ada@Example.com", password: "analytical engine", name: "Ada L.")

    func context(_ user: User) -> CallContext { CallContext(caller: .user(user.id, user.role)) }

    func stored(_ user: User) async throws -> String {
        try await database.read { try $0.row("SELECT password FROM users WHERE id = $1", user.id)?.text(0) ?? "" }
    }
}

/// The kind of problem that the work ends with; nil if it ends well.
func problem(_ work: () async throws -> Void) async throws -> ProblemType? {
    do {
        try await work()
        return nil
    } catch let problem as Problem {
        return problem.type
    }
}

@Suite("Users") struct UsersTests {
    @Test("a registered account can be verified, by its address in any case")
    func registration() async throws {
        let accounts = try await Accounts()
        let ada = try await accounts.users.register(Accounts.ada, CallContext())
        #expect(ada.email == "ada@example.com")
        #expect(ada.role == .customer)
        for email in ["ada@example.com", "ADA@EXAMPLE.COM"] {
            let credentials = Credentials(email: email, password: Accounts.ada.password)
            #expect(try await accounts.users.verify(credentials, CallContext()) == ada)
        }
        #expect(try await accounts.users.me(Nothing(), accounts.context(ada)) == ada)
    }

    @Test("an address has one account, whatever its case, also when many ask at once")
    func uniqueness() async throws {
        let accounts = try await Accounts()
        let outcomes = try await withThrowingTaskGroup(of: ProblemType?.self) { group in
            for number in 0..<20 {
                group.addTask {
                    let email = number.isMultiple(of: 2) ? "ada@example.com" : "ADA@example.COM"
                    let one = RegisterUser(email: email, password: Accounts.ada.password, name: "Ada \(number)")
                    return try await problem { _ = try await accounts.users.register(one, CallContext()) }
                }
            }
            return try await group.reduce(into: []) { $0.append($1) }
        }
        #expect(outcomes.filter { $0 == nil }.count == 1)
        #expect(outcomes.filter { $0 == .emailTaken }.count == 19)
    }

    @Test("registering publishes user.registered once, without the password")
    func event() async throws {
        let accounts = try await Accounts()
        _ = try await accounts.users.register(Accounts.ada, CallContext())
        _ = try await problem { _ = try await accounts.users.register(Accounts.ada, CallContext()) }
        let events = try await accounts.database.read { transaction in
            try transaction.rows("SELECT type, data FROM outbox").map { row in
                (try row.text(0), String(decoding: try row.blob(1), as: UTF8.self))
            }
        }
        #expect(events.map(\.0) == [EventTypes.userRegistered])
        #expect(events[0].1.contains("ada@example.com"))
        #expect(!events[0].1.contains("analytical"))
        #expect(!events[0].1.contains("scrypt"))
    }

    @Test("a wrong password and an unknown address give the same answer")
    func enumeration() async throws {
        let accounts = try await Accounts()
        _ = try await accounts.users.register(Accounts.ada, CallContext())
        var answers: [String] = []
        for email in ["ada@example.com", "nobody@example.com"] {
            do {
                let credentials = Credentials(email: email, password: "difference engine")
                _ = try await accounts.users.verify(credentials, CallContext())
                Issue.record("\(email) was let in")
            } catch let problem as Problem {
                answers.append(problem.description)
            }
        }
        #expect(answers.count == 2 && answers[0] == answers[1])
    }

    @Test(
        "passwords that anybody would try are refused, and so is the address",
        arguments: [
            "1234567890", "Password123", "qwertyuiop", "aaaaaaaaaaaa", "ada@EXAMPLE.com",
        ])
    func commonPasswords(password: String) async throws {
        let accounts = try await Accounts()
        let one = RegisterUser(email: "ada@example.com", password: password, name: "Ada")
        #expect(try await problem { _ = try await accounts.users.register(one, CallContext()) } == .invalid)
    }

    @Test("a password is stored as a hash that says its parameters, with a salt of its own")
    func storedHash() async throws {
        let accounts = try await Accounts()
        let ada = try await accounts.users.register(Accounts.ada, CallContext())
        let bob = try await accounts.users.register(
            RegisterUser(email: "bob@example.com", password: Accounts.ada.password, name: "Bob"), CallContext())
        let hashes = [try await accounts.stored(ada), try await accounts.stored(bob)]
        #expect(hashes.allSatisfy { $0.hasPrefix("$scrypt$ln=4,r=1,p=1$") })
        #expect(hashes[0] != hashes[1])
        #expect(try await UsersAudit(database: accounts.database).checks().allSatisfy(\.holds))
    }

    @Test("a hash of lower cost is replaced at the next log-in; a dearer one is not")
    func rehashing() async throws {
        let accounts = try await Accounts()
        let ada = try await accounts.users.register(Accounts.ada, CallContext())
        let credentials = Credentials(email: ada.email, password: Accounts.ada.password)
        let dearer = accounts.served(at: .init(logN: 5, r: 1, p: 1))
        _ = try await problem { _ = try await dearer.verify(.init(email: ada.email, password: "wrong"), CallContext()) }
        #expect(try await accounts.stored(ada).hasPrefix("$scrypt$ln=4,"))
        _ = try await dearer.verify(credentials, CallContext())
        #expect(try await accounts.stored(ada).hasPrefix("$scrypt$ln=5,"))
        _ = try await accounts.users.verify(credentials, CallContext())
        #expect(try await accounts.stored(ada).hasPrefix("$scrypt$ln=5,"))
    }

    @Test("address and password change only with the present password, the rest without")
    func changes() async throws {
        let accounts = try await Accounts()
        let ada = try await accounts.users.register(Accounts.ada, CallContext())
        let context = accounts.context(ada)
        let address = Address(name: "Ada L.", line1: "1 High St", city: "Leeds", postal_code: "LS1 1AA", country: "GB")
        let named = try await accounts.users.update(UpdateUser(name: "Ada", address: address), context)
        #expect(named.name == "Ada" && named.address == address)

        let change = UpdateUser(email: "countess@example.com", password: "a new long one")
        #expect(try await problem { _ = try await accounts.users.update(change, context) } == .invalid)
        var wrong = change
        wrong.current_password = "difference engine"
        #expect(try await problem { _ = try await accounts.users.update(wrong, context) } == .wrongCredentials)
        #expect(try await accounts.users.me(Nothing(), context) == named)

        var right = change
        right.current_password = Accounts.ada.password
        let changed = try await accounts.users.update(right, context)
        #expect(changed.email == "countess@example.com")
        let credentials = Credentials(email: "countess@example.com", password: "a new long one")
        #expect(try await accounts.users.verify(credentials, CallContext()).id == ada.id)
    }

    @Test("an address that is taken cannot be changed to")
    func changeToTaken() async throws {
        let accounts = try await Accounts()
        let ada = try await accounts.users.register(Accounts.ada, CallContext())
        let bob = RegisterUser(email: "bob@example.com", password: "a long password", name: "Bob")
        _ = try await accounts.users.register(bob, CallContext())
        let change = UpdateUser(email: "BOB@example.com", current_password: Accounts.ada.password)
        let outcome = try await problem { _ = try await accounts.users.update(change, accounts.context(ada)) }
        #expect(outcome == .emailTaken)
    }

    @Test("a staff account is made sure of: twice is once, and its password and role are raised")
    func staff() async throws {
        let accounts = try await Accounts()
        let boss = RegisterUser(email: "boss@souk.example", password: "the first password", name: "Boss")
        let first = try await accounts.users.ensureStaff(boss, role: .staff)
        let second = try await accounts.users.ensureStaff(boss, role: .staff)
        #expect(first == second && first.role == .staff)
        let renewed = RegisterUser(email: "Boss@souk.example", password: "the second password", name: "Boss")
        let third = try await accounts.users.ensureStaff(renewed, role: .admin)
        #expect(third.id == first.id && third.role == .admin)
        #expect(try await accounts.users.ensureStaff(renewed, role: .staff).role == .admin)
        let credentials = Credentials(email: boss.email, password: "the second password")
        #expect(try await accounts.users.verify(credentials, CallContext()).id == first.id)
    }

    @Test("who is nobody has no account to read")
    func anonymous() async throws {
        let accounts = try await Accounts()
        let anonymous = try await problem { _ = try await accounts.users.me(Nothing(), CallContext()) }
        #expect(anonymous == .unauthenticated)
        let unknown = CallContext(caller: .user(UserID(at: accounts.clock.now()), .customer))
        #expect(try await problem { _ = try await accounts.users.me(Nothing(), unknown) } == .unauthenticated)
    }
}

@Suite("Users: passwords") struct PasswordTests {
    @Test(
        "a hash read back is the hash written; what is not one is none",
        arguments: [
            "", "scrypt", "$scrypt$", "$scrypt$ln=4,r=1,p=1$$", "$scrypt$ln=99,r=1,p=1$AAAA$AAAA",
            "$scrypt$ln=4,r=1$AAAA$AAAA", "$argon2id$ln=4,r=1,p=1$AAAA$AAAA", "$scrypt$ln=4,r=0,p=1$AAAA$AAAA",
        ])
    func encoding(malformed: String) async throws {
        #expect(Passwords.Encoded(malformed) == nil)
        let text = try await Passwords(cost: .forTests).hash("a long password")
        #expect(Passwords.Encoded(text)?.text == text)
    }

    @Test("the vectors of RFC 7914 hold")
    func vectors() async throws {
        // scrypt("pleaseletmein", "SodiumChloride", N=16384, r=8, p=1), its first 32 bytes.
        let key: [UInt8] = [
            0x70, 0x23, 0xBD, 0xCB, 0x3A, 0xFD, 0x73, 0x48, 0x46, 0x1C, 0x06, 0xCD, 0x81, 0xFD, 0x38, 0xEB, 0xFD, 0xA8,
            0xFB, 0xBA, 0x90, 0x4F, 0x8E, 0x3E, 0xA9, 0xB5, 0x43, 0xF6, 0x54, 0x5D, 0xA1, 0xF2,
        ]
        let cost = Passwords.Cost(logN: 14, r: 8, p: 1)
        let stored = Passwords.Encoded(cost: cost, salt: Array("SodiumChloride".utf8), key: key).text
        let passwords = Passwords(cost: .forTests)
        #expect(try await passwords.verify("pleaseletmein", against: stored))
        #expect(try await !passwords.verify("pleaseletmeIn", against: stored))
        #expect(try await !passwords.verify("pleaseletmein", against: nil))
    }

    @Test("more hashing than the bound allows is refused with 503 and a time to come back")
    func overload() async throws {
        let passwords = Passwords(cost: .init(logN: 12, r: 8, p: 1), threads: 1, waiting: 2)
        let outcomes = try await withThrowingTaskGroup(of: Problem?.self) { group in
            for _ in 0..<40 {
                group.addTask {
                    do {
                        _ = try await passwords.hash("a long password")
                        return nil
                    } catch let problem as Problem {
                        return problem
                    }
                }
            }
            return try await group.reduce(into: []) { $0.append($1) }
        }
        let refused = outcomes.compactMap { $0 }
        #expect(!refused.isEmpty)
        #expect(refused.allSatisfy { $0.type == .overloaded && $0.retryAfter != nil })
        #expect(outcomes.count > refused.count)
    }
}
