import Contracts
import Kernel
import Storefront
import Synchronization
import Wire

/// A shop in memory: enough of every service for its pages, each answer settable.
final class Shop: Sendable {
    struct State {
        var products: [Product] = []
        var carts: [CartID: [StockLine]] = [:]
        var orders: [Order] = []
        /// What placing an order throws, instead of an order.
        var refusal: (any Error)?
        var keys: [String: OrderID] = [:]
        var placements: [String?] = []
        var puts: [ProductDraft] = []
        var adjustments: [StockAdjustment] = []
        var refreshes = 0
        var exports = 0
        /// What throws `failure`: services (`products`) and single operations of theirs (`products.categories`).
        var away: Set<String> = []
        var failure: any Error = Problem(.unavailable, "it is away")
        /// How long each operation was given the last time.
        var patience: [String: Duration] = [:]
        var deadLetters: [String: [DeadLetterSummary]] = [:]
        var replayed: [Int64] = []
        var webhooks: [Webhook] = []
        var deliveries: [WebhookDelivery] = []
        var topology = Topology(processes: [])
    }
    let state = Mutex(State())
    let clock = ManualClock()

    static let ada = User(
        id: UserID(at: Timestamp(seconds: 1)), email: "ada@example.com", name: "Ada <b>L.</b>", role: .customer,
        address: Address(name: "Ada L.", line1: "1 High St", city: "Leeds", postal_code: "LS1 1AA", country: "GB"),
        created_at: Timestamp(seconds: 1))
    static let staff = User(
        id: UserID(at: Timestamp(seconds: 2)), email: "staff@example.com", name: "Sam", role: .staff, address: nil,
        created_at: Timestamp(seconds: 2))

    func storefront(_ baseURL: String = "https://shop.example") throws -> Storefront {
        try Storefront(
            settings: .init(baseURL: baseURL),
            services: .init(
                products: self, carts: self, orders: self, users: ShopUsers(shop: self), auth: ShopUsers(shop: self),
                notifications: self, webhooks: self,
                publishers: [
                    .init(name: "orders", deadLetters: ShopPublisher(shop: self, name: "orders"), api: .orders),
                    .init(name: "users", deadLetters: ShopPublisher(shop: self, name: "users"), api: .users),
                ], topology: self),
            endpoints: [
                OrdersAPI.place.description, ProductsAPI.search.description, ProductsAPI.put.description,
                ProductsAPI.quote.description,
            ], clock: clock)
    }

    func add(_ product: Product) { state.withLock { $0.products.append(product) } }

    /// To be asked by each operation that may be away.
    func arrive(_ operation: String, _ context: CallContext) throws {
        let service = String(operation.prefix { $0 != "." })
        try state.withLock { state in
            state.patience[operation] = context.deadline - .now
            if state.away.contains(service) || state.away.contains(operation) { throw state.failure }
        }
    }

    func product(handle: String) -> Product? { state.withLock { $0.products.first { $0.handle == handle } } }
}

extension Product {
    static func sample(
        _ handle: String, _ title: String = "Linen shirt", description: String = "<p>Soft.</p>",
        vendor: String? = "Atlas & Sons", options: [String] = [], values: [[String]] = [[]], available: Int64 = 7,
        before: Int64? = nil, status: ProductStatus = .active
    ) -> Product {
        let time = Timestamp(year: 2026, month: 3, day: 1)
        return Product(
            id: ProductID(at: time), handle: handle, title: title, description: description, vendor: vendor,
            category: CategoryReference(handle: "shirts", title: "Shirts"), tags: ["linen"], status: status,
            images: [
                ProductImage(src: "/images/\(handle).svg", alt: nil), ProductImage(src: "javascript:x", alt: nil),
            ],
            options: options,
            variants: values.enumerated().map { index, values in
                Variant(
                    id: VariantID(at: time), sku: "\(handle.uppercased())-\(index + 1)",
                    title: values.isEmpty ? title : values.joined(separator: " / "), options: values,
                    price: Money(1_999 + Int64(index), .gbp), compare_at_price: before.map { Money($0, .gbp) },
                    available: index == 1 ? 0 : available, weight_grams: 300, barcode: nil, image: nil)
            }, version: 3, created_at: time, updated_at: time)
    }

    var summary: ProductSummary {
        ProductSummary(
            id: id, handle: handle, title: title, vendor: vendor, category: category?.handle,
            price: variants[0].price, price_max: variants[variants.count - 1].price,
            compare_at_price: variants[0].compare_at_price, available: variants.reduce(0) { $0 + $1.available },
            image: images.first, variants: variants.count, status: status)
    }
}

extension Shop: ProductsService {
    func search(_ query: ProductQuery, _ context: CallContext) async throws -> ProductPage {
        try arrive("products.search", context)
        let found = state.withLock { state in
            state.products.filter { product in
                (context.caller.isStaff || product.status == .active)
                    && (query.q.map { product.title.lowercased().contains($0.lowercased()) } ?? true)
                    && (query.vendor.map { product.vendor == $0 } ?? true)
                    && (query.available != true || product.summary.available > 0)
            }
        }
        let start = query.after.flatMap { Int($0) } ?? 0
        let page = found.dropFirst(start).prefix(query.limit ?? 2)
        return ProductPage(
            items: page.map(\.summary), next: start + page.count < found.count ? String(start + page.count) : nil,
            total: found.count,
            facets: Facets(
                category: [.init(value: "shirts", title: "Shirts", count: 2)],
                vendor: [.init(value: "Atlas & Sons", title: "Atlas & Sons", count: 2)],
                price: [.init(value: "1000-2499", title: "", count: 2), .init(value: "2500-", title: "", count: 0)],
                available: [.init(value: "true", title: "", count: 2)]))
    }

    func product(_ query: ProductByHandle, _ context: CallContext) async throws -> Product {
        try arrive("products.product", context)
        guard let product = product(handle: query.handle), product.status == .active || context.caller.isStaff else {
            throw Problem(.notFound, "there is no product '\(query.handle)'")
        }
        return product
    }

    func categories(_ input: Nothing, _ context: CallContext) async throws -> CategoryList {
        try arrive("products.categories", context)
        return CategoryList(items: [
            .init(handle: "clothing", title: "Clothing & more", parent: nil, products: 3, image: nil),
            .init(
                handle: "shirts", title: "Shirts", parent: "clothing", products: 3,
                image: ProductImage(src: "/images/shirts.svg", alt: nil)),
        ])
    }

    func put(_ draft: PutProduct, _ context: CallContext) async throws -> Product {
        guard context.expectedVersion == 3 else { throw Problem(.versionMismatch, "it is at version 3") }
        state.withLock { $0.puts.append(draft.draft) }
        return try await product(ProductByHandle(handle: draft.draft.handle), context)
    }

    func export(_ query: ExportQuery, _ context: CallContext) async throws -> ExportPage {
        guard context.caller.isStaff else { throw Problem(.forbidden, "staff only") }
        return state.withLock { state in
            state.exports += 1
            let sorted = state.products.sorted { $0.handle < $1.handle }.filter { $0.handle > query.after ?? "" }
            let page = sorted.prefix(query.limit ?? 500)
            return ExportPage(
                items: page.map {
                    ProductDraft(
                        handle: $0.handle, title: $0.title, status: $0.status,
                        variants: [.init(sku: nil, price: Money(1, .gbp))])
                }, next: page.count < sorted.count ? page.last?.handle : nil)
        }
    }

    func inventory(_ query: StockBySKU, _ context: CallContext) async throws -> StockLevel {
        try arrive("products.inventory", context)
        return StockLevel(sku: query.sku, on_hand: 9, reserved: 2)
    }

    func inventoryList(_ query: StockQuery, _ context: CallContext) async throws -> StockPage {
        try arrive("products.inventories", context)
        return StockPage(items: [StockLevel(sku: "GONE <1>", on_hand: 1, reserved: 1)], next: nil)
    }

    func adjust(_ adjustment: StockAdjustment, _ context: CallContext) async throws -> StockLevel {
        state.withLock { $0.adjustments.append(adjustment) }
        return StockLevel(sku: adjustment.sku, on_hand: 9 + adjustment.quantity, reserved: 2)
    }

    func importProducts(_ batch: ProductBatch, _ context: CallContext) async throws -> ImportResult { ImportResult() }
    func movements(_ query: StockBySKU, _ context: CallContext) async throws -> MovementList { MovementList(items: []) }
    func quote(_ query: QuoteQuery, _ context: CallContext) async throws -> QuoteList { QuoteList(items: []) }
    func reserve(_ reservation: ReserveStock, _ context: CallContext) async throws -> Nothing { Nothing() }
    func release(_ order: StockOfOrder, _ context: CallContext) async throws -> Nothing { Nothing() }
    func commit(_ orders: StockOfOrders, _ context: CallContext) async throws -> Nothing { Nothing() }
    func restock(_ restock: Restock, _ context: CallContext) async throws -> Nothing { Nothing() }
}

extension Shop: CartsService {
    private func cart(_ id: CartID, _ change: (inout [StockLine]) -> Void = { _ in }) throws -> Cart {
        try state.withLock { state in
            guard var lines = state.carts[id] else { throw Problem(.notFound, "there is no such cart") }
            change(&lines)
            state.carts[id] = lines
            let views = lines.compactMap { line -> Cart.Line? in
                for product in state.products {
                    guard let variant = product.variants.first(where: { $0.sku == line.sku }) else { continue }
                    return Cart.Line(
                        sku: line.sku, handle: product.handle, title: product.title, quantity: line.quantity,
                        unit_price: variant.price, total: Money(variant.price.amount * line.quantity, .gbp),
                        available: variant.available, image: product.images.first?.src)
                }
                return nil
            }
            return Cart(
                id: id, lines: views, subtotal: Money(views.reduce(0) { $0 + $1.total.amount }, .gbp),
                updated_at: clock.now())
        }
    }

    func create(_ input: CreateCart, _ context: CallContext) async throws -> Cart {
        let id = CartID(at: clock.now())
        state.withLock { $0.carts[id] = input.lines ?? [] }
        return try cart(id)
    }

    func cart(_ query: CartByID, _ context: CallContext) async throws -> Cart {
        try arrive("carts.cart", context)
        return try cart(query.id)
    }

    func putLine(_ line: PutCartLine, _ context: CallContext) async throws -> Cart {
        try cart(line.id) { lines in
            lines.removeAll { $0.sku == line.sku }
            lines.append(StockLine(sku: line.sku, quantity: line.quantity))
        }
    }

    func removeLine(_ line: RemoveCartLine, _ context: CallContext) async throws -> Cart {
        try cart(line.id) { lines in lines.removeAll { $0.sku == line.sku } }
    }
}

extension Shop: OrdersService {
    func place(_ order: PlaceOrder, _ context: CallContext) async throws -> PlacedOrder {
        try state.withLock { state in
            state.placements.append(context.idempotencyKey)
            if let refusal = state.refusal { throw refusal }
            guard let key = context.idempotencyKey else { throw Problem(.keyMissing, "no key") }
            if let id = state.keys[key], let first = state.orders.first(where: { $0.id == id }) {
                return PlacedOrder(order: first, isReplayed: true)
            }
            let new = Self.order(order, at: clock.now())
            state.orders.append(new)
            state.keys[key] = new.id
            if let cart = order.cart { state.carts[cart] = [] }
            return PlacedOrder(order: new, isReplayed: false)
        }
    }

    static func order(_ order: PlaceOrder, at time: Timestamp) -> Order {
        let price = Money(1_999, .gbp)
        let zero = Money.zero(.gbp)
        return Order(
            id: OrderID(at: time), number: "1001", status: .confirmed, payment_status: .captured,
            fulfilment_status: .unfulfilled, email: order.email, customer: nil,
            lines: [
                Order.Line(
                    sku: "HOT-1", title: "Hot <item>", quantity: 1, fulfilled: 0, returned: 0, unit_price: price,
                    total: price, image: "/images/hot.svg")
            ],
            sums: OrderSums(
                subtotal: price, discount: Money(100, .gbp), shipping: zero, tax: zero, tax_included: zero,
                total: Money(1_899, .gbp)),
            refunded: zero, coupon: "SPRING", shipping_method: order.shipping_method,
            shipping_address: order.shipping_address, reason: nil, created_at: time, updated_at: time)
    }

    func price(_ order: PriceOrder, _ context: CallContext) async throws -> OrderSums {
        try arrive("orders.price", context)
        if let coupon = order.coupon, coupon != "SPRING" { throw Problem(.unknownCoupon, "'\(coupon)' is none") }
        let zero = Money.zero(.gbp)
        let total = Money(1_999, .gbp)
        return OrderSums(
            subtotal: total, discount: zero, shipping: zero, tax: zero, tax_included: Money(333, .gbp), total: total)
    }

    func shippingMethods(_ query: ShippingQuery, _ context: CallContext) async throws -> ShippingMethodList {
        try arrive("orders.methods", context)
        return ShippingMethodList(items: [.init(id: "standard", title: "Standard delivery", price: .zero(.gbp))])
    }

    func list(_ query: OrderQuery, _ context: CallContext) async throws -> OrderPage {
        try arrive("orders.list", context)
        let orders = state.withLock { $0.orders }
        return OrderPage(
            items: orders.map {
                OrderSummary(
                    id: $0.id, number: $0.number, status: $0.status, payment_status: $0.payment_status,
                    fulfilment_status: $0.fulfilment_status, email: $0.email, lines: 1, total: $0.total,
                    created_at: $0.created_at)
            }, next: nil, total: orders.count)
    }

    func order(_ query: OrderByID, _ context: CallContext) async throws -> Order {
        try arrive("orders.order", context)
        guard let order = state.withLock({ $0.orders.first { $0.id == query.id } }) else {
            throw Problem(.notFound, "there is no such order")
        }
        return order
    }

    private func change(_ id: OrderID, _ change: (inout Order) -> Void) async throws -> Order {
        try state.withLock { state in
            guard let index = state.orders.firstIndex(where: { $0.id == id }) else {
                throw Problem(.notFound, "there is no such order")
            }
            change(&state.orders[index])
            return state.orders[index]
        }
    }

    func cancel(_ cancellation: CancelOrder, _ context: CallContext) async throws -> Order {
        if try await order(OrderByID(id: cancellation.id), context).status != .confirmed {
            throw Problem(.notCancellable, "it was sent")
        }
        return try await change(cancellation.id) { $0.status = .cancelled }
    }

    func fulfil(_ fulfilment: FulfilOrder, _ context: CallContext) async throws -> Order {
        try await change(fulfilment.id) { order in
            order.status = .fulfilled
            order.fulfilment_status = .fulfilled
            order.lines[0].fulfilled = 1
        }
    }

    func refund(_ refund: RefundOrder, _ context: CallContext) async throws -> Order {
        if (refund.amount?.amount ?? 0) > 1_899 { throw Problem(.refundTooLarge, "at most 18.99 GBP") }
        return try await change(refund.id) { $0.refunded = refund.amount ?? $0.total }
    }

    func takeBack(_ taken: ReturnOrder, _ context: CallContext) async throws -> Order {
        try await change(taken.id) { $0.status = .returned }
    }

    func sales(_ query: SalesQuery, _ context: CallContext) async throws -> SalesReport {
        try arrive("orders.sales", context)
        let days = (1...12).map { day in
            SalesReport.Day(
                day: "2026-01-\(day < 10 ? "0" : "")\(day)", orders: day, revenue: Money(Int64(day) * 1_050, .gbp))
        }
        return SalesReport(
            orders: 78, lines: 80, pieces: 99, revenue: [Money(81_900, .gbp)], refunded: [], cancelled: 2, days: days)
    }
}

extension Shop: NotificationsService {
    func list(_ query: NotificationQuery, _ context: CallContext) async throws -> NotificationPage {
        let note = Notification(
            id: NotificationID(at: clock.now()), type: "order.confirmed", order: OrderID(at: clock.now()),
            to: "ada@example.com", subject: "Your order <1001>", status: .sent, created_at: clock.now())
        return NotificationPage(items: [note], next: nil)
    }
}

/// Accounts and sessions. Access tokens are `access:` and a name, refresh tokens `refresh:` and a name.
struct ShopUsers: UsersService, AuthService {
    let shop: Shop

    private func user(_ name: Substring) throws -> User {
        switch name {
        case "ada": return Shop.ada
        case "staff": return Shop.staff
        default: throw Problem(.invalidToken, "it is not valid")
        }
    }

    func register(_ registration: RegisterUser, _ context: CallContext) async throws -> User {
        if registration.email == "taken@example.com" { throw Problem(.emailTaken, "it is taken") }
        return Shop.ada
    }
    func me(_ input: Nothing, _ context: CallContext) async throws -> User {
        try shop.arrive("users.me", context)
        return context.caller.userID == Shop.staff.id ? Shop.staff : Shop.ada
    }
    func update(_ change: UpdateUser, _ context: CallContext) async throws -> User {
        if change.email != nil, change.current_password != "correct horse" { throw Problem(.wrongCredentials, "no") }
        return Shop.ada
    }
    func verify(_ credentials: Credentials, _ context: CallContext) async throws -> User { Shop.ada }
    func user(_ query: UserByID, _ context: CallContext) async throws -> User { Shop.ada }
    func ensureStaff(_ registration: RegisterUser, role: Role) async throws -> User { Shop.staff }

    private func tokens(_ name: String) -> Tokens {
        Tokens(access_token: "access:" + name, expires_in: 900, refresh_token: "refresh:" + name)
    }
    func logIn(_ credentials: Credentials, _ context: CallContext) async throws -> Tokens {
        try shop.arrive("auth.login", context)
        guard credentials.password == "correct horse" else { throw Problem(.wrongCredentials, "no") }
        return tokens("ada")
    }
    func refresh(_ refresh: RefreshTokens, _ context: CallContext) async throws -> Tokens {
        try shop.arrive("auth.refresh", context)
        shop.state.withLock { $0.refreshes += 1 }
        await Task.yield()
        let name = refresh.refresh_token.split(separator: ":").last ?? ""
        _ = try user(name)
        return tokens(String(name))
    }
    func logOut(accessToken: String) async throws {}
    func caller(accessToken: String) async throws -> Caller {
        let user = try user(accessToken.split(separator: ":").last ?? "")
        return .user(user.id, user.role)
    }
    func keys(_ input: Nothing, _ context: CallContext) async throws -> KeySet { KeySet(keys: []) }
}
