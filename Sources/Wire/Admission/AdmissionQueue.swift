import DequeModule
package import Kernel

/// Who is let in, who waits and who is turned away. A pure value: times come in, decisions come out.
///
/// Each priority may fill a share of the limit only, so that the last places belong to those before it: reports are
/// turned away first, checkout last.
///
/// A crowd that comes at once may wait in the queue. When it was not empty for as long as one may wait, the crowd
/// stays: then only who waited shortly is let in, for an answer that comes late helps nobody (Facebook's CoDel), and
/// nobody begins to wait who would not be let in in that time: they are told at once, which costs least.
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
    /// So many may wait even when hardly any are let in, so that no place stays empty.
    static let leastWaiting = 8.0

    package private(set) var limit: ConcurrencyLimit
    package private(set) var inFlight = 0
    package private(set) var waiting = 0
    private var queues = [Deque<Waiter>](repeating: [], count: Priority.allCases.count)
    private var nextID = 0
    private let capacity: Int
    private let patience: Double
    private var lastEmpty = 0.0
    /// Whether the crowd stays: until nobody was turned away for as long as one may wait.
    private var stays = false
    private var lastTurnedAway = 0.0
    /// How many were let in after waiting: in this span of the patience that waiters have when the crowd stays, and in
    /// the one before.
    private var taken = 0
    private var pace = 0
    private var spanStart = 0.0

    /// Nobody of this rank, or of one after it, begins to wait; one past the last where all may.
    package private(set) var closedFrom = Priority.allCases.count

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

    private var patienceNow: Double { stays ? patience * Self.impatience : patience }

    /// To be called with every change: whether the crowd stays, and who may still begin to wait.
    private mutating func look(_ now: Double) {
        if now - spanStart > patience * Self.impatience {
            pace = taken
            taken = 0
            spanStart = now
        }
        if stays {
            stays = now - lastTurnedAway <= patience
            if !stays { lastEmpty = now }
        } else if now - lastEmpty > patience {
            stays = true
            lastTurnedAway = now
        }
        closedFrom = Priority.allCases.count
        guard stays else { return }
        var ahead = 0
        for priority in Priority.allCases {
            ahead += queues[priority.rank].count
            let room = max(Self.leastWaiting, Double(pace) / 2 * Self.share(priority))
            if Double(ahead) >= room {
                closedFrom = priority.rank
                return
            }
        }
    }

    /// Somebody was turned away by who asked `closedFrom`.
    package mutating func noteTurnedAway(now: Double) { lastTurnedAway = now }

    package mutating func enter(_ priority: Priority, now: Double) -> Decision {
        if waiting == 0 { lastEmpty = now }
        defer { look(now) }
        if inFlight < places(priority), queues[...priority.rank].allSatisfy(\.isEmpty) {
            inFlight += 1
            return .admitted
        }
        guard priority.rank < closedFrom, waiting < Int(Double(capacity) * Self.share(priority)) else {
            lastTurnedAway = now
            return .turnedAway
        }
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
        defer { look(now) }
        guard waiting > 0 else {
            lastEmpty = now
            return Turn()
        }
        var turn = Turn(turnedAway: expire(now: now))
        for priority in Priority.allCases {
            while inFlight < places(priority), let first = queues[priority.rank].popFirst() {
                waiting -= 1
                inFlight += 1
                taken += 1
                turn.admitted.append(first.id)
            }
        }
        return turn
    }

    /// - Returns: who waited too long and is turned away.
    package mutating func expire(now: Double) -> [Int] {
        if waiting == 0 { lastEmpty = now }
        defer { look(now) }
        var expired: [Int] = []
        let earliest = now - patienceNow
        for rank in queues.indices {
            while let first = queues[rank].first, first.since < earliest {
                queues[rank].removeFirst()
                waiting -= 1
                expired.append(first.id)
            }
        }
        if !expired.isEmpty { lastTurnedAway = now }
        return expired
    }
}

extension Priority {
    /// 0 is let in first.
    package var rank: Int {
        switch self {
        case .checkout: 0
        case .cart: 1
        case .browse: 2
        case .reports: 3
        }
    }
}
