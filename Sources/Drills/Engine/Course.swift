import NIOCore

/// What a visitor asks for, one request after the other: a pure machine that is told what came back.
///
/// It hears of good answers only. A visitor who gets another one, after as many attempts as are allowed, leaves.
protocol Course {
    /// - Parameter answer: nil for the first move.
    mutating func next(_ answer: Answered?) -> Move
}

struct Answered {
    var status: Int
    /// Empty unless the request keeps it.
    var body: [UInt8]
}

enum Move {
    /// After so many nanoseconds of thinking.
    case ask(Request, after: Int64)
    case leave
}

/// Where visitors' courses come from: the same number, the same course.
protocol Work: Sendable {
    /// The names that requests are counted under.
    var steps: [String] { get }
    func course(_ number: Int) -> any Course
    /// What makes going on useless.
    var trouble: (any Error)? { get }
}

extension Work {
    var trouble: (any Error)? { nil }
}

/// The same page for every visitor. What is sent is written once, for each address that it may come from.
struct OnePage: Work {
    let steps = ["get"]
    private let requests: [Request]
    private static let addresses = 8_192

    init(_ target: Target, headers: [String], clients: Clients) {
        let writer = RequestWriter(target, headers: headers)
        requests = (0..<(clients == .many ? Self.addresses : 1)).map { number in
            Request(step: 0, bytes: writer.request("GET", target.path, client: clients.address(of: number)))
        }
    }

    func course(_ number: Int) -> any Course { OneRequest(requests: requests, index: number % requests.count) }
}

/// Three words at the most, so that it needs no memory of its own.
private struct OneRequest: Course {
    let requests: [Request]
    var index: Int

    mutating func next(_ answer: Answered?) -> Move {
        guard index >= 0 else { return .leave }
        defer { index = -1 }
        return .ask(requests[index], after: 0)
    }
}
