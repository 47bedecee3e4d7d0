/// Which SQL a transaction speaks, where the two differ.
public enum Dialect: Sendable {
    case sqlite
    case postgres
}

/// One service's database.
///
/// A closure is synchronous, so that no lock is ever held across the network. It may be run more than once before its
/// result counts (another closure may take the shared transaction down with it): it has no effect outside its
/// transaction.
public protocol Database: Sendable {
    var dialect: Dialect { get }

    /// Runs the closure in a transaction and returns once that is on disk. If the closure throws, nothing of it is kept
    /// and its error is thrown here.
    ///
    /// Closures that wait at the same moment share one commit, each isolated from the others' failures. A task that is
    /// cancelled before its closure was started gets `CancellationError`; one whose closure ran gets its result.
    ///
    /// Closures behave as if they were run one after another, also those of other processes. `OutcomeUnknown` where
    /// the server was lost during the commit, and nobody can tell what became of it.
    @discardableResult
    func write<T: Sendable>(_ work: @escaping @Sendable (Transaction) throws -> T) async throws -> T

    /// Runs the closure on a snapshot: it sees every write that was acknowledged before, and none that comes later.
    /// Writing throws `DatabaseError.readOnly`.
    func read<T: Sendable>(_ work: @escaping @Sendable (Transaction) throws -> T) async throws -> T

    /// A snapshot that may be a moment old: from a replica, where there is one.
    func readStale<T: Sendable>(_ work: @escaping @Sendable (Transaction) throws -> T) async throws -> T

    /// Applies those that were not applied yet. Any number of processes may do so at the same time.
    func migrate(_ migrations: [Migration]) async throws

    /// Throws unless the database answers at this moment: readiness.
    func check() async throws

    /// Writes a consistent copy to a new file, while the database goes on working.
    func backup(to path: String) async throws

    /// Finishes what waits, then refuses with `DatabaseError.closed`.
    func close() async
}

extension Database {
    public func readStale<T: Sendable>(
        _ work: @escaping @Sendable (Transaction) throws -> T
    ) async throws -> T {
        try await read(work)
    }
}
