import Contracts
import Kernel

/// Why an order was refused: what the shopper is told, the first time and every time after.
struct Refusal: Codable, Sendable, Equatable {
    var slug: String
    var detail: String
    var lines: JSON?

    init(_ problem: Problem) {
        slug = problem.type.slug
        detail = problem.detail
        lines = problem.extensions["lines"]
    }

    /// The answer to who placed the order, naming the order that stays, cancelled.
    func problem(order: OrderID) -> Problem {
        let types: [ProblemType] = [.outOfStock, .paymentDeclined]
        var problem = Problem(types.first { $0.slug == slug } ?? .conflict, detail)
        problem.extensions["order"] = .string(order.description)
        if let lines { problem.extensions["lines"] = lines }
        return problem
    }
}

/// An order on its way to its end, as a pure state machine: given how the last effect came out, it says what to do
/// next.
///
/// Every effect may be run twice, so that only decisions are written down: that the order exists (`checkout`), that it
/// is refused after stock was held (`refusal`), that it is to be undone (`cancellation`). A process that takes it up
/// begins at the decision, and the peers answer as they did the first time.
struct Saga: Sendable, Equatable {
    enum Kind: String, Sendable {
        case checkout, refusal, cancellation
    }

    enum Effect: Sendable, Equatable {
        case reserve, authorize
        /// Write the confirmation and its event, in one transaction; the end.
        case confirm
        /// Write down that it is refused, before anything is given back.
        case decide(Refusal)
        case release
        /// Write that it is cancelled for that reason; the end.
        case cancel(Refusal?)
        case void
        /// Make held stock sold, then take it back: right whichever it was.
        case takeBack
    }

    enum Outcome: Sendable, Equatable {
        case done
        case refused(Refusal)
    }

    enum State: Sendable, Equatable {
        case doing(Effect)
        case ended
    }

    private(set) var state: State
    private var refusal: Refusal?

    init(_ kind: Kind, refusal: Refusal? = nil) {
        self.refusal = refusal
        state =
            switch kind {
            case .checkout: .doing(.reserve)
            case .refusal: .doing(.release)
            case .cancellation: .doing(.void)
            }
    }

    /// What is to be done now; nil at the end.
    var effect: Effect? {
        if case .doing(let effect) = state { effect } else { nil }
    }

    /// The effect came out so. One whose outcome is unknown is not reported: it is run again.
    mutating func advance(_ outcome: Outcome) {
        guard let effect else { return }
        switch (effect, outcome) {
        case (.reserve, .done): state = .doing(.authorize)
        // Nothing was held, so that there is nothing to give back.
        case (.reserve, .refused(let refusal)): state = .doing(.cancel(refusal))
        case (.authorize, .done): state = .doing(.confirm)
        case (.authorize, .refused(let refusal)): state = .doing(.decide(refusal))
        case (.decide(let refusal), _):
            self.refusal = refusal
            state = .doing(.release)
        case (.release, _): state = .doing(.cancel(refusal))
        case (.void, _): state = .doing(.takeBack)
        case (.takeBack, _): state = .doing(.cancel(nil))
        case (.confirm, _), (.cancel, _): state = .ended
        }
    }
}
