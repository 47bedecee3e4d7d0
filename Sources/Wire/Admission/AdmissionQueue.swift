import DequeModule
package import Kernel

/// Who is let in, who waits and who is turned away. A pure value: times come in, decisions come out.
///
/// Each priority may fill a share of the limit only, so that the last places belong to those before it: reports are
/// turned away first, checkout last.
package struct AdmissionQueue: Sendable {
    package enum Decision: Equatable, Sendable {
        case admitted
        /// Until `leave` or `expire` names it.
        case waits(Int)
        case turnedAway
    }

    private struct Waiter {
        let id: Int
        let deadline: Double
    }

    package private(set) var limit: ConcurrencyLimit
    package private(set) var inFlight = 0
    package private(set) var waiting = 0
    private var queues = [Deque<Waiter>](repeating: [], count: Priority.allCases.count)
    private var nextID = 0
    private let capacity: Int
    private let patience: Double

    package init(_ settings: AdmissionSettings) {
        limit = ConcurrencyLimit(initial: settings.initial, bounds: settings.bounds)
        capacity = settings.queue
        patience = settings.patience.inSeconds
    }

    /// The part of the limit, and of the queue, that a priority may fill.
    static func share(_ priority: Priority) -> Double {
        switch priority {
        case .checkout: 1
        case .cart: 0.9
        case .browse: 0.75
        case .reports: 0.25
        }
    }

    private func places(_ priority: Priority) -> Int { max(1, Int(Double(limit.limit) * Self.share(priority))) }

    package mutating func enter(_ priority: Priority, now: Double) -> Decision {
        if inFlight < places(priority), queues[...priority.rank].allSatisfy(\.isEmpty) {
            inFlight += 1
            return .admitted
        }
        guard waiting < Int(Double(capacity) * Self.share(priority)) else { return .turnedAway }
        nextID += 1
        waiting += 1
        queues[priority.rank].append(Waiter(id: nextID, deadline: now + patience))
        return .waits(nextID)
    }

    /// One is done.
    /// - Parameter seconds: how long it took; nil if it says nothing about that (it failed or was cancelled).
    /// - Returns: who waited and is let in now.
    package mutating func leave(_ priority: Priority, seconds: Double?, now: Double) -> [Int] {
        if let seconds { limit.record(priority, seconds: seconds, inFlight: inFlight, now: now) }
        inFlight -= 1
        var admitted: [Int] = []
        for priority in Priority.allCases {
            while inFlight < places(priority), let first = queues[priority.rank].first, first.deadline >= now {
                queues[priority.rank].removeFirst()
                waiting -= 1
                inFlight += 1
                admitted.append(first.id)
            }
        }
        return admitted
    }

    /// - Returns: who waited too long and is turned away.
    package mutating func expire(now: Double) -> [Int] {
        var expired: [Int] = []
        for rank in queues.indices {
            while let first = queues[rank].first, first.deadline < now {
                queues[rank].removeFirst()
                waiting -= 1
                expired.append(first.id)
            }
        }
        return expired
    }
}

extension Priority {
    /// 0 is let in first.
    var rank: Int {
        switch self {
        case .checkout: 0
        case .cart: 1
        case .browse: 2
        case .reports: 3
        }
    }
}
