import Kernel
import Wire

/// The other processes of the shop: a caller for each role that is called from here and is not here.
struct Peers: Sendable {
    private let callers: [ShopRole: HTTPCaller]
    let topology: Topology

    init(_ topology: Topology, _ tokens: ServiceTokens?, clock: any WallClock) {
        self.topology = topology
        guard let tokens else {
            callers = [:]
            return
        }
        let identify = tokens.identification(as: topology.name)
        let called = topology.called.compactMap { role in topology.peers[role].map { (role, $0) } }
        callers = Dictionary(
            uniqueKeysWithValues: called.map { ($0, HTTPCaller($1, clock: clock, identify: identify)) })
    }

    subscript(_ role: ShopRole) -> any RemoteCaller { callers[role] ?? NotReached(role: role) }

    var all: [(role: ShopRole, caller: HTTPCaller)] {
        ShopRole.allCases.compactMap { role in callers[role].map { (role, $0) } }
    }

    func close() async {
        for (role, caller) in all {
            do { try await caller.shutdown() } catch {
                Console.complain("connections to \(role.rawValue) did not close: \(error)")
            }
        }
    }
}

/// A role that nobody calls from here.
private struct NotReached: RemoteCaller {
    let role: ShopRole

    func call<Input, Output>(
        _ endpoint: Endpoint<Input, Output>, _ input: Input, _ context: CallContext
    ) async throws -> Reply<Output> {
        throw Problem(.unavailable, "\(role.rawValue) is not reached from here: SOUK_PEERS lacks it")
    }
}
