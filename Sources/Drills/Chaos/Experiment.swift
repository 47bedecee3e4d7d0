public import Kernel

/// An experiment in the Chaos Toolkit's format: what is true of a healthy shop, what is done to it, and how that is
/// undone. Source: the toolkit's reference, https://chaostoolkit.org/reference/api/experiment/.
public struct Experiment: Sendable {
    public var title: String
    public var description: String
    public var tags: [String]
    /// By name; values, or `{"type": "env", "key": …}`.
    public var configuration: JSONObject
    /// By group and name, as `configuration`.
    public var secrets: JSONObject
    /// What must hold before the method and after it.
    public var hypothesis: Hypothesis?
    public var method: [Activity]
    /// Each may run twice, and when nothing was done.
    public var rollbacks: [Activity]
    /// With shoppers in the shop.
    public var expectations: Expectations
    /// What is in the file and has no effect here.
    public var warnings: [String]
    /// As it was read.
    public let document: JSON

    public struct Hypothesis: Sendable {
        public var title: String
        /// Each has a tolerance.
        public var probes: [Activity]
    }
}

/// One thing that is done or looked at.
public struct Activity: Sendable {
    public enum Kind: String, Sendable { case action, probe }
    public var kind: Kind
    public var name: String
    public var provider: Provider
    public var tolerance: Tolerance?
    /// Seconds: a number, or `${name}`.
    public var pauseBefore: JSON?
    public var pauseAfter: JSON?
    /// Goes on beside what follows; the method ends when it does.
    public var isBackground: Bool
    /// As it was read, for the journal.
    public let document: JSON
}

/// How an activity is done. Members hold `${name}` until they are resolved.
public enum Provider: Sendable, Equatable {
    case http(HTTP)
    case process(Process)

    public struct HTTP: Sendable, Equatable {
        public var url: String
        public var method: HTTPMethod
        public var headers: [String: JSON]
        /// The query of a GET, the body of another method.
        public var arguments: JSON?
        /// Seconds.
        public var timeout: JSON?
    }

    public struct Process: Sendable, Equatable {
        /// A program, looked for in `PATH` as a shell would.
        public var path: String
        /// A list; an object of flags and values; or one text, which a shell reads.
        public var arguments: JSON?
        /// Seconds.
        public var timeout: Double?
    }
}
