import Kernel

/// When visitors arrive, whether or not the shop keeps up: a rate that is constant or changes evenly, piece by piece.
///
/// The k-th arrival (from 0) is meant for the moment by which k arrivals are due. Nothing that the shop does moves it.
public struct Schedule: Sendable, Equatable {
    /// Rates in arrivals a second.
    public struct Piece: Sendable, Equatable {
        public var seconds: Double
        public var from: Double
        public var to: Double

        var arrivals: Double { seconds * (from + to) / 2 }

        /// Seconds into the piece by which `count` arrivals are due.
        func moment(of count: Double) -> Double {
            guard count > 0 else { return 0 }
            let growth = (to - from) / seconds
            // The root of from·t + growth·t²/2 = count, written so that it stays exact for small growth.
            return min(seconds, 2 * count / (from + (from * from + 2 * growth * count).nonNegative.squareRoot()))
        }

        func rate(at moment: Double) -> Double { from + (to - from) * moment / seconds }
    }

    public let pieces: [Piece]

    public static let highestRate = 1_000_000.0
    public static let mostPieces = 1_000_000

    /// - Throws: `DrillError` if there is nothing to do, or a rate is above a million a second.
    public init(_ pieces: [Piece]) throws {
        self.pieces = pieces.filter { $0.seconds > 0 }
        guard pieces.count <= Self.mostPieces else {
            throw DrillError("the schedule has \(pieces.count) pieces, expected \(Self.mostPieces) at the most")
        }
        if let high = pieces.map({ max($0.from, $0.to) }).max(), high > Self.highestRate {
            throw DrillError("the rate is \(high.rounded()) a second at its highest, expected 1,000,000 at the most")
        }
        guard self.pieces.contains(where: { $0.arrivals > 0 }) else {
            throw DrillError("nobody arrives: expected a rate above 0 for some time")
        }
    }

    /// A constant rate.
    public init(rate: Double, for duration: Duration) throws {
        try self.init([Piece(seconds: duration.inSeconds, from: rate, to: rate)])
    }

    /// Stages as they are given: `30s:200` reaches 200 a second within 30 s, evenly, from the rate before it.
    ///
    /// - Parameter start: the rate before the first.
    /// - Throws: `DrillError` that names the stage.
    public init(stages: [String], from start: Double) throws {
        var rate = start
        try self.init(
            try stages.map { stage in
                let parts = stage.split(separator: ":", omittingEmptySubsequences: false)
                guard parts.count == 2, let next = Double(plain: parts[1]) else {
                    throw DrillError("--stage is '\(stage)', expected TIME:RATE such as 30s:200")
                }
                let time = try Duration(span: String(parts[0]), of: "the time of --stage \(stage)")
                guard time > .zero else { throw DrillError("--stage \(stage) takes no time, expected more than 0s") }
                defer { rate = next }
                return Piece(seconds: time.inSeconds, from: rate, to: next)
            })
    }

    /// The shape of traffic that was counted: each minute brings what it brought, times `scale`, in a minute that is
    /// `speed` times as short.
    public init(minutes: [Int], scale: Double, speed: Double) throws {
        let seconds = 60 / speed
        try self.init(
            minutes.map { count in
                let rate = Double(count) * scale / seconds
                return Piece(seconds: seconds, from: rate, to: rate)
            })
    }

    public var seconds: Double { pieces.reduce(0) { $0 + $1.seconds } }

    /// How many arrive in all.
    public var arrivals: Int { Int(pieces.reduce(0) { $0 + $1.arrivals } + Self.rounding) }

    public var peak: Double { pieces.reduce(0) { max($0, $1.from, $1.to) } }

    /// The same, cut off after `duration`.
    public func prefix(_ duration: Duration) throws -> Schedule {
        var left = duration.inSeconds
        var kept: [Piece] = []
        for piece in pieces where left > 0 {
            let seconds = min(left, piece.seconds)
            kept.append(Piece(seconds: seconds, from: piece.from, to: piece.rate(at: seconds)))
            left -= seconds
        }
        return try Schedule(kept)
    }

    /// Sums of fractions may end a hair before the arrival that they make whole.
    private static let rounding = 1e-6

    /// Walks over every n-th arrival.
    struct Cursor: Sendable {
        private let pieces: [Piece]
        private let stride: Int
        private var arrival: Int
        private var piece = 0
        private var arrivalsBefore = 0.0
        private var secondsBefore = 0.0

        init(_ schedule: Schedule, first: Int, stride: Int) {
            pieces = schedule.pieces
            arrival = first
            self.stride = stride
        }

        /// The number of the next arrival and its moment in nanoseconds from the start; nil after the last.
        mutating func next() -> (number: Int, nanoseconds: Int64)? {
            while piece < pieces.count {
                let current = pieces[piece]
                let within = Double(arrival) - arrivalsBefore
                if within < current.arrivals - Schedule.rounding {
                    defer { arrival += stride }
                    return (arrival, Int64((secondsBefore + current.moment(of: within)) * 1e9))
                }
                arrivalsBefore += current.arrivals
                secondsBefore += current.seconds
                piece += 1
            }
            return nil
        }
    }
}

extension Double {
    fileprivate var nonNegative: Double { max(0, self) }
}
