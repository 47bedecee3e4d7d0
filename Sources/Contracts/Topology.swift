public import Kernel

/// What the shop is made of at this moment: its processes, where each keeps its data, and whom it calls.
public protocol TopologyService: Sendable {
    /// Never fails for a part that does not answer: it says which one, and why.
    func topology(_ query: Nothing, _ context: CallContext) async throws -> Topology
}

public enum TopologyAPI {
    public static let topology = Endpoint<Nothing, Topology>(
        "topology.get", .get, "/api/topology", summary: "The shop's processes, and what each of them reaches",
        access: .staff, priority: .reports)
    public static let process = Endpoint<Nothing, ShopProcess>(
        "topology.process", .get, "/internal/topology", summary: "What a process says of itself", access: .service,
        priority: .reports)
    public static let ping = Endpoint<Nothing, Nothing>(
        "topology.ping", .get, "/internal/ping", summary: "That a process answers", access: .service,
        priority: .reports, success: 204)
}

public struct Topology: Shaped {
    /// The one that was asked comes first.
    public var processes: [Entry]

    /// One process, as it looks from the one that was asked.
    public struct Entry: Shaped {
        public var roles: [String]
        /// Where it is reached; none for the process that was asked. Behind a balancer, one of its replicas answers.
        public var url: String?
        public var answers: Bool
        /// Why it says nothing of itself.
        public var error: String?
        /// What it says of itself.
        public var process: ShopProcess?

        public init(roles: [String], url: String?, answers: Bool, error: String?, process: ShopProcess?) {
            self.roles = roles
            self.url = url
            self.answers = answers
            self.error = error
            self.process = process
        }

        public static let schema = Schema.object(
            "TopologyEntry",
            [
                .required("roles", ShopProcess.rolesSchema), .optional("url", .text(1...2_000)),
                .required("answers", .boolean), .optional("error", .text(0...500)),
                .optional("process", ShopProcess.schema),
            ])
    }

    public init(processes: [Entry]) { self.processes = processes }

    public static let schema = Schema.object(
        "Topology", [.required("processes", .array(Entry.schema, 0...100))])
}

public struct ShopProcess: Shaped {
    /// Host and port.
    public var name: String
    public var roles: [String]
    public var version: String
    public var started_at: Timestamp
    public var back_ends: [BackEnd]
    /// Those roles that it calls and does not play itself.
    public var peers: [Peer]

    public init(
        name: String, roles: [String], version: String, started_at: Timestamp, back_ends: [BackEnd], peers: [Peer]
    ) {
        self.name = name
        self.roles = roles
        self.version = version
        self.started_at = started_at
        self.back_ends = back_ends
        self.peers = peers
    }

    /// What stands behind one setting.
    public struct BackEnd: Shaped {
        public var setting: String
        /// `sqlite`, `redis`: the scheme of its URL.
        public var kind: String
        /// Its URL without what may be secret.
        public var address: String
        /// None where asking would have an effect, or cost something.
        public var answers: Bool?
        public var error: String?

        public init(setting: String, kind: String, address: String, answers: Bool?, error: String?) {
            self.setting = setting
            self.kind = kind
            self.address = address
            self.answers = answers
            self.error = error
        }

        public static let schema = Schema.object(
            "ProcessBackEnd",
            [
                .required("setting", .text(1...100)), .required("kind", .text(1...40)),
                .required("address", .text(0...2_000), "Without a password"), .optional("answers", .boolean),
                .optional("error", .text(0...500)),
            ])
    }

    /// Whether calls still go out to a peer.
    public enum Breaker: String, Codable, Sendable, CaseIterable {
        case closed
        /// It failed too often in a row: most calls fail at once, one now and then tries.
        case open
    }

    public struct Peer: Shaped {
        public var role: String
        public var url: String
        public var answers: Bool
        public var breaker: Breaker
        public var error: String?

        public init(role: String, url: String, answers: Bool, breaker: Breaker, error: String?) {
            self.role = role
            self.url = url
            self.answers = answers
            self.breaker = breaker
            self.error = error
        }

        public static let schema = Schema.object(
            "ProcessPeer",
            [
                .required("role", .text(1...40)), .required("url", .text(1...2_000)), .required("answers", .boolean),
                .required("breaker", .choice(Breaker.allCases.map(\.rawValue))), .optional("error", .text(0...500)),
            ])
    }

    static let rolesSchema = Schema.array(.text(1...40), 0...20)
    public static let schema = Schema.object(
        "ShopProcess",
        [
            .required("name", .text(1...300)), .required("roles", rolesSchema), .required("version", .text(1...100)),
            .required("started_at", .time), .required("back_ends", .array(BackEnd.schema, 0...50)),
            .required("peers", .array(Peer.schema, 0...20)),
        ])
}
