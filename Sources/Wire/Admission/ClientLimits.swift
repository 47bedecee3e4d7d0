import Kernel

final class ClientLimits: Sendable {
    init(_ settings: ClientSettings) {}
    func address(of request: Incoming) -> String { request.peer }
    func checkAddress(_ address: String, isKnown: Bool) throws(Problem) {}
    func checkUser(_ user: UserID) throws(Problem) {}
}
