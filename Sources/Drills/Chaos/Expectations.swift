import Kernel

/// What an experiment expects of the shop while shoppers are in it: its extension of the name `souk`, which the
/// Chaos Toolkit passes over. Everything in it may be left out.
///
///     {"name": "souk", "steady_again": "when it is over", "over_with": "The fault ends", "within": 10,
///      "errors": 0.001, "errors_meanwhile": 1, "audit": {"type": "process", "path": "env", "arguments": […]}}
public struct Expectations: Sendable {
    /// From when on the shop has `within` seconds.
    public enum SteadyAgain: String, Sendable, CaseIterable {
        /// The fault is a blow, and is over with the first action.
        case atOnce = "at once"
        /// The fault lasts, and the shop gets along with it; its end must not be felt for longer, either.
        case meanwhile = "while it lasts"
        /// The shop cannot do without what is broken.
        case afterwards = "when it is over"
    }

    public var steadyAgain = SteadyAgain.meanwhile
    /// The action that ends the fault; the first rollback, where it is nil.
    public var overWith: String?
    /// Seconds.
    public var within = 10.0
    /// The share of steps that may fail for good, with retries: fewer than this, 0 to 1.
    public var errors = 0.001
    /// The same from the fault's beginning until the shop has to be steady again; `errors`, where nothing is said.
    public var errorsMeanwhile: Double?
    /// Proves from the stored data that nothing was lost. It gets `--acknowledged FILE` besides its arguments, ends
    /// with 0 if all is well, and prints JSON.
    public var audit: Provider?

    public static let name = "souk"

    public init() {}

    /// - Throws: `DrillError` that names the place and what was expected.
    init(_ root: Place) throws {
        guard let place = try root.list("extensions").first(where: { $0.value["name"] == .string(Self.name) }) else {
            return
        }
        for name in try place.object().names where !Self.members.contains(name) {
            throw place.wrong("has '\(name)'", Self.members.joined(separator: ", "))
        }
        if let text = try place.member("steady_again")?.text() {
            guard let steadyAgain = SteadyAgain(rawValue: text) else {
                let known = SteadyAgain.allCases.map { "'\($0.rawValue)'" }.joined(separator: ", ")
                throw place.wrong("/steady_again", "is '\(text)'", "one of \(known)")
            }
            self.steadyAgain = steadyAgain
        }
        if let name = try place.member("over_with")?.text() {
            let actions = try root.list("method") + root.list("rollbacks")
            guard actions.contains(where: { $0.value["name"] == .string(name) }) else {
                throw place.wrong("/over_with", "is '\(name)'", "the name of an action of the method or the rollbacks")
            }
            overWith = name
        }
        within = try Self.number("within", in: place, 1...600) ?? within
        errors = try Self.number("errors", in: place, 0...1) ?? errors
        errorsMeanwhile = try Self.number("errors_meanwhile", in: place, 0...1)
        audit = try place.member("audit").map { audit in
            let provider = try Provider(audit)
            guard case .process(let process) = provider, process.arguments?.arrayValue != nil else {
                throw audit.wrong("is no program with a list of arguments", "a process")
            }
            return provider
        }
    }

    private static let members = [
        "name", "steady_again", "over_with", "within", "errors", "errors_meanwhile", "audit",
    ]

    private static func number(_ name: String, in place: Place, _ range: ClosedRange<Double>) throws -> Double? {
        guard let member = place.member(name) else { return nil }
        guard let number = member.value.numberValue, range.contains(number) else {
            let bounds = "\(range.lowerBound.short) to \(range.upperBound.short)"
            throw member.wrong("is \(member.value)", "a number from \(bounds)")
        }
        return number
    }
}
