/// What `souk score` found: the JSON that `--json` writes, and what the report shows.
public struct ScoreReport: Codable, Sendable {
    public enum State: String, Codable, Sendable {
        /// All of its points.
        case met
        case partly
        case unmet
        /// There is no evidence.
        case not_run
    }

    /// One thing that is asked of the shop.
    public struct Criterion: Codable, Sendable {
        /// Stable, for pipelines: `load.availability`.
        public var name: String
        public var title: String
        public var state: State
        /// Points of 100 that it is worth, and those it got.
        public var points: Double
        public var earned: Double
        /// What was asked for, and what was found.
        public var expected: String
        public var found: String
        /// What to do about the points that it lost; nil if it lost none.
        public var remedy: String?
        /// Older than 30 days: it counts half.
        public var stale: Bool
        /// The file that shows it, from the report's folder; nil if there is none.
        public var evidence: String?
        /// RFC 3339.
        public var measured_at: String?

        public var lost: Double { points - earned }
    }

    public struct Part: Codable, Sendable {
        public var name: String
        public var title: String
        public var points: Double
        public var earned: Double
        public var criteria: [Criterion]
    }

    /// What holds the score down, whatever else was found.
    public struct Cap: Codable, Sendable {
        public var at_most: Double
        public var why: String
        public var remedy: String
        public var evidence: String?
    }

    public struct Loss: Codable, Sendable {
        public var criterion: String
        public var points: Double
        public var why: String
        public var remedy: String
    }

    /// RFC 3339.
    public var at: String
    /// 0 to 100, with one digit behind the point, rounded down.
    public var score: Double
    /// Without the caps.
    public var uncapped: Double
    public var parts: [Part]
    /// The lowest first; those too that hold nothing down because the score is lower by itself.
    public var caps: [Cap]
    /// The largest first.
    public var losses: [Loss]

    public var criteria: [Criterion] { parts.flatMap(\.criteria) }
}
