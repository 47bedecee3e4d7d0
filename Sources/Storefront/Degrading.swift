import Contracts
import Kernel
import Wire

/// A page is there as long as its main thing is: what it can do without is left out, or said to be unknown, when the
/// service behind it is away.
extension Storefront {
    /// How long a page waits for what it can do without.
    static let patience = Duration.seconds(1)

    /// A part that the page can do without: nil when who makes it is away, broken or slower than `patience`. What is
    /// wrong with the question itself is thrown all the same.
    func optional<Part: Sendable>(
        _ context: CallContext, within patience: Duration = patience, _ part: (CallContext) async throws -> Part
    ) async throws -> Part? {
        var context = context
        context.deadline = min(context.deadline, .now + patience)
        do {
            return try await part(context)
        } catch let problem as Problem where problem.type.status < 500 {
            throw problem
        } catch let error as CancellationError {
            throw error
        } catch {
            return nil
        }
    }

    /// The categories, for pages that can do without them.
    func knownCategories(_ context: CallContext) async throws -> [CategoryList.Entry]? {
        try await optional(context) { try await products.categories(Nothing(), $0).items }
    }

    /// The same for the header of a page that is nobody else's copy.
    func headerShelves(_ context: CallContext) async -> [View] {
        shelves((try? await knownCategories(context)) ?? [])
    }

    static func away(_ what: String) -> Problem {
        Problem(.unavailable, "\(what) cannot be had at the moment", retryAfter: 1)
    }
}

extension PageCache {
    /// Nothing that lacks a part is kept: the next visitor may find it whole.
    func unlessLacking(_ isLacking: Bool) -> PageCache { isLacking ? .none : self }
}
