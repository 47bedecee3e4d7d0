import DequeModule
package import Kernel

/// Who is let in, who waits and who is turned away. A pure value: times come in, decisions come out.
///
/// Each priority may fill a share of the limit only, so that the last places belong to those before it: reports are
/// turned away first, checkout last.
///
/// A crowd that comes at once may wait in the queue. When it was not empty for as long as one may wait, the crowd
/// stays: then only who waited shortly is let in, for an answer that comes late helps nobody (Facebook's CoDel).
package struct AdmissionQueue: Sendable {
    package enum Decision: Equatable, Sendable {
        case admitted
        /// Until `leave` or `expire` names it.
        case waits(Int)
        case turnedAway
    }

    private struct Waiter {
        let id: Int
        let since: Double
    }

    /// The part of their patience that waiters have when the crowd stays.
    static let impatience = 0.1

    package private(set) var limit: ConcurrencyLimit
    package private(set) var inFlight = 0
    package private(set) var waiting = 0
    private var queues = [Deque<Waiter>](repeating: [], count: Priority.allCases.count)
    private var nextID = 0
    private let capacity: Int
    private let patience: Double
    private var lastEmpty = 0.0

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

    private func patience(_ now: Double) -> Double {
        now - lastEmpty > patience ? patience * Self.impatience : patience
    }

    package mutating func enter(_ priority: Priority, now: Double) -> Decision {
        if waiting == 0 { lastEmpty = now }
        if inFlight < places(priority), queues[...priority.rank].allSatisfy(\.isEmpty) {
            inFlight += 1
            return .admitted
        }
        guard waiting < Int(Double(capacity) * Self.share(priority)) else { return .turnedAway }
        nextID += 1
        waiting += 1
        queues[priority.rank].append(Waiter(id: nextID, since: now))
        return .waits(nextID)
    }

    /// Whose waiting is over.
    package struct Turn: Equatable, Sendable {
        package var admitted: [Int] = []
        package var turnedAway: [Int] = []
    }

    /// One is done. Afterwards nobody waits while there is a place for them.
    /// - Parameter seconds: how long it took; nil if it says nothing about that (it failed or was cancelled).
    package mutating func leave(_ priority: Priority, seconds: Double?, now: Double) -> Turn {
        if let seconds { limit.record(priority, seconds: seconds, inFlight: inFlight, now: now) }
        inFlight -= 1
        guard waiting > 0 else {
            lastEmpty = now
            return Turn()
        }
        var turn = Turn(turnedAway: expire(now: now))
        for priority in Priority.allCases {
            while inFlight < places(priority), let first = queues[priority.rank].popFirst() {
                waiting -= 1
                inFlight += 1
                turn.admitted.append(first.id)
            }
        }
        return turn
    }

    /// - Returns: who waited too long and is turned away.
    package mutating func expire(now: Double) -> [Int] {
        var expired: [Int] = []
        let earliest = now - patience(now)
        for rank in queues.indices {
            while let first = queues[rank].first, first.since < earliest {
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
