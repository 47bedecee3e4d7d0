import Kernel

/// The course of an experiment, as a pure state machine: it says what to do next, and is told what came of it.
///
/// Steady state → what will have to be undone is written down → method → steady state → rollbacks → struck out. From
/// any point an interruption leads to the rollbacks, and only rollbacks that all went well lead to striking out: if
/// this process dies in between, what is written down says what to undo.
public struct ChaosRunner: Sendable {
    /// When rollbacks are done.
    public enum Rollback: String, Sendable, CaseIterable {
        case always, deviated, never
    }

    /// A part of the experiment, in its order.
    public enum Part: Sendable, Equatable { case before, method, after, rollbacks }

    public enum Step: Sendable, Equatable {
        /// On disk before anything else is done.
        case writeDown
        /// The activity of that number in that part. In the background, the next step is asked for at once.
        case perform(Part, Int)
        /// Wait for what goes on in the background.
        case join
        /// Nothing is left to undo.
        case strikeOut
        case end
    }

    private enum State: Equatable {
        case at(Part, Int)
        case writingDown, joining, strikingOut, ended
    }

    private let experiment: Experiment
    private let rollback: Rollback
    private var state: State
    private var isWritten = false
    public private(set) var outcome = Outcome()

    /// What is known so far.
    public struct Outcome: Sendable {
        public enum Status: String, Sendable { case completed, failed, interrupted }
        public var status = Status.completed
        /// What held before no longer held after.
        public var hasDeviated = false
        /// Nil where it was not looked at to the end.
        public var before: Bool?
        public var after: Bool?
        /// Of those that were done.
        public var failedRollbacks = 0
        /// Something was begun, and not everything of it undone.
        public var leavesTraces = false

        /// The hypothesis held throughout, and the shop is as it was.
        public var isHeld: Bool {
            status == .completed && !hasDeviated && before != false && failedRollbacks == 0
        }
    }

    public init(_ experiment: Experiment, rollback: Rollback) {
        self.experiment = experiment
        self.rollback = rollback
        state = .at(.before, 0)
    }

    /// Only what is to be undone, for an experiment whose drill has died.
    public static func undoing(_ experiment: Experiment) -> ChaosRunner {
        var runner = ChaosRunner(experiment, rollback: .always)
        runner.isWritten = true
        runner.outcome.leavesTraces = true
        runner.state = .at(.rollbacks, 0)
        return runner
    }

    public func activities(of part: Part) -> [Activity] {
        switch part {
        case .before, .after: experiment.hypothesis?.probes ?? []
        case .method: experiment.method
        case .rollbacks: experiment.rollbacks
        }
    }

    /// What to do next. It is the same until `done` or `finished` says that it was done.
    public mutating func next() -> Step {
        while case .at(let part, let number) = state, number >= activities(of: part).count { leave(part) }
        return switch state {
        case .at(let part, let number): .perform(part, number)
        case .writingDown: .writeDown
        case .joining: .join
        case .strikingOut: .strikeOut
        case .ended: .end
        }
    }

    /// All of a part is done.
    private mutating func leave(_ part: Part) {
        switch part {
        case .before:
            if experiment.hypothesis != nil { outcome.before = true }
            state = .writingDown
        case .method: state = .joining
        case .after:
            if experiment.hypothesis != nil { outcome.after = true }
            beginRollbacks()
        case .rollbacks:
            let isClean = outcome.failedRollbacks == 0
            state = isWritten && isClean ? .strikingOut : .ended
        }
    }

    private mutating func beginRollbacks() {
        let isWanted =
            switch rollback {
            case .always: true
            case .deviated: outcome.hasDeviated
            case .never: false
            }
        // What was not begun needs no undoing.
        state = isWanted && isWritten ? .at(.rollbacks, 0) : .ended
    }

    /// A step other than `perform` was done.
    public mutating func done() {
        switch state {
        case .writingDown:
            isWritten = true
            outcome.leavesTraces = true
            state = .at(.method, 0)
        case .joining: state = .at(.after, 0)
        case .strikingOut:
            outcome.leavesTraces = false
            state = .ended
        case .at, .ended: break
        }
    }

    /// An activity is done, or under way if it is one for the background.
    ///
    /// - Parameters:
    ///   - succeeded: it could be done; of a rollback also that it says so itself.
    ///   - withinTolerance: of a probe of the steady state.
    public mutating func finished(succeeded: Bool, withinTolerance: Bool = true) {
        guard case .at(let part, let number) = state else { return }
        state = .at(part, number + 1)
        switch part {
        case .before where !(succeeded && withinTolerance):
            outcome.before = false
            if !succeeded { outcome.status = .failed }
            state = .ended
        case .after where !(succeeded && withinTolerance):
            outcome.after = false
            outcome.hasDeviated = true
            if !succeeded { outcome.status = .failed }
            beginRollbacks()
        case .rollbacks where !succeeded: outcome.failedRollbacks += 1
        default: break
        }
    }

    /// Somebody wants the end. Rollbacks that are under way go on to theirs.
    public mutating func interrupt() {
        switch state {
        case .at(.rollbacks, _), .strikingOut, .ended: return
        case .writingDown:
            // The file may be there already; and nothing was done yet that undoing could harm.
            isWritten = true
            outcome.leavesTraces = true
        case .at, .joining: break
        }
        outcome.status = .interrupted
        beginRollbacks()
    }
}
