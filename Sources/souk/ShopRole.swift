/// What a process of Souk may be: one binary is any of them, or all.
enum ShopRole: String, CaseIterable, Sendable {
    case storefront, users, auth, products, orders, payments, notifications

    /// Whom it calls. Every role asks Auth for the keys that verify tokens.
    var peers: Set<ShopRole> {
        switch self {
        case .storefront: [.products, .orders, .users, .auth, .notifications]
        case .auth: [.users]
        case .orders: [.auth, .products, .payments]
        case .users, .products, .payments, .notifications: [.auth]
        }
    }

    /// Whose events it publishes or consumes.
    var hasEvents: Bool { [.orders, .users, .notifications].contains(self) }

    /// Among the others, in lists.
    var order: Int { Self.allCases.firstIndex(of: self) ?? 0 }

    static let all = Set(allCases)
    static let names = allCases.map(\.rawValue).joined(separator: ", ")
}

/// Which roles a process plays, and where it finds the others.
struct Placement: Sendable {
    var roles: Set<ShopRole>
    /// Base URLs.
    var peers: [ShopRole: String]
    /// Under which roles know each other; nil in a process that is the whole shop.
    var serviceKeys: [String]?

    var isWhole: Bool { roles == ShopRole.all }

    /// Roles that are called from here and are not here.
    var called: [ShopRole] {
        let called = roles.reduce(into: Set<ShopRole>()) { $0.formUnion($1.peers) }
        return ShopRole.allCases.filter { called.contains($0) && !roles.contains($0) }
    }

    /// By which the process is known to its peers.
    var name: String { ShopRole.allCases.first(where: roles.contains)?.rawValue ?? "souk" }
}
