package import Kernel

/// How many requests may be in flight, learnt from how long they take: Netflix's Gradient2.
///
/// While requests take about as long as they used to, the limit grows; when they take much longer, they wait for each
/// other inside, and it shrinks. Kinds of requests differ, so each priority is compared with its own past; the median
/// of a window decides, so that a few slow ones (a payment provider's bad day) decide nothing.
package struct ConcurrencyLimit: Sendable {
    /// Time until a decision, and the requests that it needs, in seconds.
    static let window = 0.1
    static let leastSamples = 10
    static let mostSamples = 1_000
    /// How many times longer than usual is still usual.
    static let tolerance = 2.0
    /// Faster than this, in seconds, nothing can be congested enough to matter.
    static let comfortable = 0.02
    /// What the limit may grow in one step even when all is well.
    static let headroom = 4.0
    static let smoothing = 0.2
    /// Windows over which the usual time forgets, a minute of traffic. Faster, and congestion would soon be usual.
    static let memory = 600.0
    /// One request counts as no slower than so many usual ones.
    static let outlier = 4.0

    private let bounds: ClosedRange<Double>
    private var estimate: Double
    private var usual: [Priority: Double] = [:]
    private var recent: [Priority: (sum: Double, count: Double)] = [:]
    private var gradients: [Double] = []
    private var windowStart = 0.0
    private var mostInFlight = 0

    package init(initial: Int, bounds: ClosedRange<Int>) {
        self.bounds = Double(bounds.lowerBound)...Double(bounds.upperBound)
        estimate = min(max(Double(initial), self.bounds.lowerBound), self.bounds.upperBound)
        gradients.reserveCapacity(Self.mostSamples)
    }

    package var limit: Int { Int(estimate) }

    /// One request was served.
    /// - Parameters:
    ///   - seconds: how long it took.
    ///   - inFlight: how many were in flight when it ended, with it.
    ///   - now: seconds of any clock.
    package mutating func record(_ priority: Priority, seconds: Double, inFlight: Int, now: Double) {
        let before = usual[priority] ?? seconds
        let gradient = seconds <= Self.comfortable ? 1 : min(1, max(0.5, Self.tolerance * before / seconds))
        let (sum, count) = recent[priority] ?? (0, 0)
        recent[priority] = (sum + min(seconds, Self.outlier * before), count + 1)
        if gradients.count < Self.mostSamples { gradients.append(gradient) }
        mostInFlight = max(mostInFlight, inFlight)
        if gradients.count >= Self.leastSamples, now - windowStart >= Self.window { decide(now) }
    }

    private mutating func decide(_ now: Double) {
        gradients.sort()
        let gradient = gradients[gradients.count / 2]
        // With less than half of the limit in use nothing is learnt about it.
        if Double(mostInFlight) >= estimate / 2 {
            let next = estimate * gradient + Self.headroom
            estimate = estimate * (1 - Self.smoothing) + next * Self.smoothing
            estimate = min(max(estimate, bounds.lowerBound), bounds.upperBound)
        }
        for (priority, (sum, count)) in recent { learn(priority, sum / count) }
        recent.removeAll(keepingCapacity: true)
        gradients.removeAll(keepingCapacity: true)
        mostInFlight = 0
        windowStart = now
    }

    private mutating func learn(_ priority: Priority, _ mean: Double) {
        guard let before = usual[priority] else {
            usual[priority] = mean
            return
        }
        // What was slow at first, or for a while, is forgotten quickly.
        usual[priority] = mean < before / 2 ? before * 0.95 : before + (mean - before) / Self.memory
    }
}
