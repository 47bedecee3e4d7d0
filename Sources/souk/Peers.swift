import Kernel
import Wire

/// The other processes of the shop: a caller for each role that is not here and whose address is known.
struct Peers: Sendable {
    struct Peer: Sendable {
        let role: ShopRole
        let url: String
        let caller: HTTPCaller
    }

    let place: Placement
    let all: [Peer]

    init(_ place: Placement, _ tokens: ServiceTokens?, clock: any WallClock) {
        self.place = place
        let identify = tokens?.identification(as: place.name)
        all = ShopRole.allCases.compactMap { role in
            guard let identify, !place.roles.contains(role), let url = place.peers[role] else { return nil }
            let caller = HTTPCaller(url, peer: role.rawValue, clock: clock, identify: identify)
            return Peer(role: role, url: url, caller: caller)
        }
    }

    /// Those that the roles here call.
    var called: [Peer] { all.filter { place.called.contains($0.role) } }

    subscript(_ role: ShopRole) -> any RemoteCaller {
        all.first { $0.role == role }?.caller ?? NotReached(role: role) as any RemoteCaller
    }

    func close() async {
        for peer in all {
            do { try await peer.caller.shutdown() } catch {
                Console.complain("connections to \(peer.role.rawValue) did not close: \(error)")
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
