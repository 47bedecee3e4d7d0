import CryptoExtras
import Crypto
import FoundationEssentials
import Kernel

/// Hashes passwords with scrypt (RFC 7914), on threads of its own: one hash takes a tenth of a second or more and tens
/// of megabytes, so that both are bounded by the number of threads, and what waits is bounded too.
public struct Passwords: Sendable {
    /// What a hash costs. The defaults are OWASP's: 32 MiB, three passes.
    public struct Cost: Sendable, Equatable {
        /// The base-2 logarithm of N, the number of blocks.
        public var logN: Int
        /// The block size, in units of 128 bytes.
        public var r: Int
        /// How many times it is done.
        public var p: Int

        public init(logN: Int = 15, r: Int = 8, p: Int = 3) {
            self.logN = logN
            self.r = r
            self.p = p
        }

        /// Cheap enough for tests and, as that says, for nothing else.
        public static let forTests = Cost(logN: 4, r: 1, p: 1)

        /// Proportional to the time it takes.
        fileprivate var work: Int { (r * p) << logN }
    }

    private static let saltLength = 16
    private static let keyLength = 32
    /// Stored strings above these are refused rather than computed: they come from no release of Souk.
    private static let largest = Cost(logN: 20, r: 32, p: 16)

    private let cost: Cost
    private let pool: BlockingPool
    /// What an unknown account's password is compared with.
    private let decoy: Encoded

    /// - Parameter waiting: how many may wait or run; more get `503`.
    public init(cost: Cost = Cost(), threads: Int = 2, waiting: Int = 64) {
        self.cost = cost
        pool = BlockingPool(name: "passwords", threads: threads, limit: waiting)
        decoy = Encoded(cost: cost, salt: Self.randomBytes(Self.saltLength), key: Self.randomBytes(Self.keyLength))
    }

    /// The text to be stored: `$scrypt$ln=15,r=8,p=3$salt$key`, the parameters with it.
    /// - Throws: `overloaded`.
    func hash(_ password: String) async throws -> String {
        let salt = Self.randomBytes(Self.saltLength)
        let cost = cost
        let key = try await run { try Self.derive(password, salt: salt, cost).withUnsafeBytes { Array($0) } }
        return Encoded(cost: cost, salt: salt, key: key).text
    }

    /// Whether the password is the one that was hashed; false for nil, after the same work. Constant-time.
    /// - Throws: `overloaded`.
    func verify(_ password: String, against stored: String?) async throws -> Bool {
        let known = stored.flatMap(Encoded.init)
        let expected = known ?? decoy
        let isEqual = try await run {
            // SymmetricKey's equality looks at all bytes whatever the first ones are.
            try Self.derive(password, salt: expected.salt, expected.cost) == SymmetricKey(data: expected.key)
        }
        return isEqual && known != nil
    }

    /// Whether it was hashed at less than today's cost.
    func isWeak(_ stored: String) -> Bool {
        guard let encoded = Encoded(stored) else { return true }
        return encoded.cost.work < cost.work
    }

    private func run<T: Sendable>(_ work: @escaping @Sendable () throws -> T) async throws -> T {
        do {
            return try await pool.run(work)
        } catch is BlockingPool.Overloaded {
            throw Problem(.overloaded, "too many passwords are being checked at the moment", retryAfter: 2)
        }
    }

    private static func derive(_ password: String, salt: [UInt8], _ cost: Cost) throws -> SymmetricKey {
        // The C function wants an address, which an empty array has not; a password is never empty by its schema.
        let bytes = password.isEmpty ? [0] : Array(password.utf8)
        return try KDF.Scrypt.deriveKey(
            from: bytes, salt: salt, outputByteCount: keyLength, rounds: 1 << cost.logN, blockSize: cost.r,
            parallelism: cost.p)
    }

    private static func randomBytes(_ count: Int) -> [UInt8] {
        var generator = SystemRandomNumberGenerator()
        return (0..<count).map { _ in UInt8.random(in: 0...UInt8.max, using: &generator) }
    }

    /// The PHC string format.
    struct Encoded: Sendable, Equatable {
        var cost: Cost
        var salt: [UInt8]
        var key: [UInt8]

        init(cost: Cost, salt: [UInt8], key: [UInt8]) {
            self.cost = cost
            self.salt = salt
            self.key = key
        }

        var text: String {
            "$scrypt$ln=\(cost.logN),r=\(cost.r),p=\(cost.p)$\(Self.base64(salt))$\(Self.base64(key))"
        }

        /// Nil unless it is what `text` gives.
        init?(_ text: String) {
            let parts = text.split(separator: "$", omittingEmptySubsequences: false)
            guard parts.count == 5, parts[0].isEmpty, parts[1] == "scrypt" else { return nil }
            let numbers = parts[2].split(separator: ",").map { $0.split(separator: "=") }
            guard numbers.count == 3, numbers.allSatisfy({ $0.count == 2 }),
                numbers.map({ $0[0] }) == ["ln", "r", "p"],
                let logN = Int(numbers[0][1]), let r = Int(numbers[1][1]), let p = Int(numbers[2][1]),
                (1...largest.logN).contains(logN), (1...largest.r).contains(r), (1...largest.p).contains(p),
                let salt = Self.bytes(parts[3]), let key = Self.bytes(parts[4]), !salt.isEmpty, !key.isEmpty
            else { return nil }
            self.init(cost: Cost(logN: logN, r: r, p: p), salt: salt, key: key)
        }

        private static func base64(_ bytes: [UInt8]) -> String {
            String(Data(bytes).base64EncodedString().prefix { $0 != "=" })
        }

        private static func bytes(_ text: Substring) -> [UInt8]? {
            let padding = String(repeating: "=", count: (4 - text.utf8.count % 4) % 4)
            return Data(base64Encoded: String(text) + padding).map { Array($0) }
        }
    }
}
