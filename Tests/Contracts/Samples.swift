import Contracts
import Kernel

/// A value of each shape that crosses a contract, twice: with everything that it may have, and with the least.
enum Samples {
    static let time = Timestamp(microseconds: 1_767_225_600_120_000)
    static let order = OrderID(at: time)
    static let user = UserID(at: time)
    static let price = Money(1_999, .gbp)
    static let zero = Money.zero(.gbp)
    static let stockLine = StockLine(sku: "HOT-1", quantity: 2)
    static let image = ProductImage(src: "/images/a.svg", alt: "A shirt")
    static let address = Address(
        name: "Ada L.", line1: "1 High St", line2: "Flat 2", city: "Leeds", region: "Yorkshire",
        postal_code: "LS1 1AA", country: "GB", phone: "+44 113 496 0000")
    static let plainAddress = Address(name: "Ada", line1: "1 High St", city: "Leeds", country: "GB")
    static let sums = OrderSums(
        subtotal: price, discount: zero, shipping: Money(300, .gbp), tax: zero, tax_included: Money(383, .gbp),
        total: Money(2_299, .gbp))

    static let all: [any Shaped] = catalogue + stock + checkout + orders + accounts + webhooks + operations

    private static let catalogue: [any Shaped] = {
        let variant = ProductDraft.Variant(
            sku: "LS-M", options: ["M"], price: price, compare_at_price: Money(2_999, .gbp), stock: 7,
            weight_grams: 240, barcode: "5012345678900", image: "/images/a.svg")
        let draft = ProductDraft(
            handle: "linen-shirt", title: "Linen shirt", description: "<p>Soft.</p>", vendor: "Atlas & Sons",
            category: ["Clothing", "Shirts"], tags: ["linen"], status: .active, images: [image], options: ["Size"],
            variants: [variant])
        let least = ProductDraft(handle: "a", title: "A", variants: [.init(sku: nil, price: zero)])
        let refusal = ImportResult.Refusal(handle: "a", detail: "no")
        let reference = CategoryReference(handle: "shirts", title: "Shirts")
        let full = Variant(
            id: VariantID(at: time), sku: "LS-M", title: "M", options: ["M"], price: price,
            compare_at_price: Money(2_999, .gbp), available: 7, weight_grams: 240, barcode: "50", image: "/images/a.svg"
        )
        let plain = Variant(
            id: VariantID(at: time), sku: "LS-M", title: "M", options: [], price: price, compare_at_price: nil,
            available: 0, weight_grams: nil, barcode: nil, image: nil)
        let product = Product(
            id: ProductID(at: time), handle: "linen-shirt", title: "Linen shirt", description: "", vendor: "Atlas",
            category: reference, tags: ["linen"], status: .draft, images: [image], options: ["Size"], variants: [full],
            version: 3, created_at: time, updated_at: time)
        let bare = Product(
            id: ProductID(at: time), handle: "a", title: "A", description: "", vendor: nil, category: nil, tags: [],
            status: .archived, images: [], options: [], variants: [plain], version: 1, created_at: time,
            updated_at: time)
        let summary = ProductSummary(
            id: ProductID(at: time), handle: "linen-shirt", title: "Linen shirt", vendor: "Atlas", category: "Shirts",
            price: price, price_max: price, compare_at_price: price, available: 7, image: image, variants: 1,
            status: .active)
        let plainSummary = ProductSummary(
            id: ProductID(at: time), handle: "a", title: "A", vendor: nil, category: nil, price: price,
            price_max: price, compare_at_price: nil, available: 0, image: nil, variants: 1, status: .active)
        let count = Facets.Count(value: "1000-2499", title: "£10 to £25", count: 3)
        let facets = Facets(category: [count], vendor: [], price: [count], available: [])
        let entry = CategoryList.Entry(handle: "shirts", title: "Shirts", parent: "clothing", products: 3, image: image)
        let root = CategoryList.Entry(handle: "clothing", title: "Clothing", parent: nil, products: 0, image: nil)
        return [
            variant, draft, least, PutProduct(draft), PutProduct(least), ProductBatch(products: [draft, least]),
            refusal, ImportResult(created: 1, updated: 2, unchanged: 3, refused: [refusal]), ImportResult(),
            ExportQuery(), ExportQuery(after: "a", limit: 500), ExportPage(items: [draft], next: "linen-shirt"),
            ExportPage(items: [], next: nil), image, ProductImage(src: "https://example.com/a.png", alt: nil),
            reference, full, plain, product, bare, summary, plainSummary, count, facets,
            ProductPage(items: [summary], next: "eyJhIjoxfQ", total: 1, facets: facets),
            ProductPage(items: [], next: nil, total: 0, facets: facets), ProductQuery(),
            ProductQuery(
                q: "shirt", category: "shirts", vendor: "Atlas", price_min: 0, price_max: 9, available: true,
                on_sale: false, sort: .price_ascending, limit: 200, after: "eyJhIjoxfQ", status: .draft),
            ProductByHandle(handle: "linen-shirt"), entry, root, CategoryList(items: [root, entry]), Nothing(),
        ]
    }()

    private static let stock: [any Shaped] = {
        let level = StockLevel(sku: "HOT-1", on_hand: 9, reserved: 2)
        let movement = StockMovement(kind: .sold, on_hand: -1, reserved: -1, reason: "why", order: order, at: time)
        let adjusted = StockMovement(kind: .adjusted, on_hand: 5, reserved: 0, reason: nil, order: nil, at: time)
        let quote = Quote(
            sku: "HOT-1", handle: "hot", title: "Hot item", price: price, available: 3, image: "/images/a.svg")
        let plain = Quote(sku: "A", handle: "a", title: "A", price: zero, available: 0, image: nil)
        return [
            StockBySKU(sku: "HOT-1"), level, StockQuery(),
            StockQuery(q: "HOT", available_max: 3, limit: 1, after: "HOT-0"), StockPage(items: [level], next: "HOT-1"),
            StockPage(items: [], next: nil), StockAdjustment(sku: "HOT-1", quantity: -3, reason: "broken"), movement,
            adjusted, MovementList(items: [movement, adjusted]), QuoteQuery(skus: ["HOT-1"]), quote, plain,
            QuoteList(items: [quote]), stockLine, ReserveStock(order: order, lines: [stockLine], expires_at: time),
            StockOfOrder(order: order), StockOfOrders(orders: [order]),
            Restock(order: order, reference: "cancel", lines: [stockLine], reason: "cancelled"),
        ]
    }()

    private static let checkout: [any Shaped] = {
        let cart = CartID(at: time)
        let line = Cart.Line(
            sku: "HOT-1", handle: "hot", title: "Hot item", quantity: 2, unit_price: price, total: Money(3_998, .gbp),
            available: 5, image: "/images/a.svg")
        let plain = Cart.Line(
            sku: "A", handle: "a", title: "A", quantity: 1, unit_price: zero, total: zero, available: 0, image: nil)
        let input = OrderLineInput(sku: "HOT-1", quantity: 1, unit_price: price)
        let payment = PaymentInput(token: "tok_approved")
        let method = ShippingMethodList.Entry(id: "standard", title: "Standard", price: zero)
        return [
            CreateCart(), CreateCart(lines: [stockLine]), CartByID(id: cart),
            PutCartLine(id: cart, sku: "HOT-1", quantity: 2), RemoveCartLine(id: cart, sku: "HOT-1"), line, plain,
            Cart(id: cart, lines: [line, plain], subtotal: price, updated_at: time), input,
            OrderLineInput(sku: "A", quantity: 1), payment, address, plainAddress,
            PlaceOrder(
                cart: cart, lines: [input], email: "ada@example.com", shipping_address: address, coupon: "TEN",
                payment: payment, placed_at: time),
            PlaceOrder(email: "ada@example.com", shipping_address: plainAddress, payment: payment),
            PriceOrder(country: "GB"),
            PriceOrder(
                cart: cart, lines: [OrderLineInput(sku: "A", quantity: 1)], country: "GB", shipping_method: "standard",
                coupon: "TEN"),
            sums, ShippingQuery(), ShippingQuery(country: "GB"), method, ShippingMethodList(items: [method]),
        ]
    }()

    private static let orders: [any Shaped] = {
        let line = Order.Line(
            sku: "HOT-1", title: "Hot item", quantity: 1, fulfilled: 1, returned: 0, unit_price: price, total: price,
            image: "/images/a.svg")
        let full = Order(
            id: order, number: "1001", status: .confirmed, payment_status: .authorized, fulfilment_status: .unfulfilled,
            email: "ada@example.com", customer: user, lines: [line], sums: sums, refunded: zero, coupon: "TEN",
            shipping_method: "standard", shipping_address: address, reason: "none", created_at: time, updated_at: time)
        let least = Order(
            id: order, number: "1", status: .cancelled, payment_status: .voided, fulfilment_status: .returned,
            email: "ada@example.com", customer: nil, lines: [], sums: sums, refunded: zero, coupon: nil,
            shipping_method: "standard", shipping_address: plainAddress, reason: nil, created_at: time,
            updated_at: time)
        let summary = OrderSummary(
            id: order, number: "1001", status: .pending, payment_status: .pending, fulfilment_status: .unfulfilled,
            email: "ada@example.com", lines: 1, total: price, created_at: time)
        let day = SalesReport.Day(day: "2026-01-31", orders: 1, revenue: price)
        return [
            line, full, least, summary, OrderQuery(),
            OrderQuery(
                status: .confirmed, payment_status: .captured, fulfilment_status: .fulfilled, q: "1001", limit: 1,
                after: order.description),
            OrderPage(items: [summary], next: order.description, total: 1), OrderPage(items: [], next: nil, total: 0),
            OrderByID(id: order), CancelOrder(id: order), CancelOrder(id: order, reason: "changed my mind"),
            FulfilOrder(id: order), FulfilOrder(id: order, lines: [stockLine], tracking: "AB1"), RefundOrder(id: order),
            RefundOrder(id: order, amount: price, reason: "late"), ReturnOrder(id: order, lines: [stockLine]),
            ReturnOrder(id: order, lines: [stockLine], restock: false, reason: "torn"), SalesQuery(),
            SalesQuery(from: time, to: time), day,
            SalesReport(
                orders: 1, lines: 2, pieces: 3, revenue: [price], refunded: [], cancelled: 0, days: [day]),
        ] + payments
    }()

    private static let payments: [any Shaped] = {
        let payment = Payment(
            id: PaymentID(at: time), order: order, status: .captured, amount: price, captured: price, refunded: zero,
            provider: "sandbox", reference: "sb_1", reason: "none", created_at: time)
        let pending = Payment(
            id: PaymentID(at: time), order: order, status: .pending, amount: price, captured: zero, refunded: zero,
            provider: "sandbox", reference: nil, reason: nil, created_at: time)
        return [
            payment, pending, PaymentList(items: [payment, pending]), PaymentByID(id: payment.id),
            Authorize(order: order, amount: price, token: "tok_approved", customer: user),
            Authorize(order: order, amount: price, token: "tok_approved", customer: nil),
            PaymentOfOrder(order: order), PaymentsOfOrders(orders: [order]),
            RefundPayment(order: order, amount: price, reference: "refund-1"),
            PaymentWebhook(provider: "sandbox", body: "{}", signature: "9f86d081"),
            PaymentWebhook(provider: "sandbox", body: "{}", signature: nil),
        ]
    }()

    private static let webhooks: [any Shaped] = {
        let webhook = Webhook(
            id: WebhookID(at: time), url: "https://merchant.example/hooks", types: Webhook.types, status: .enabled,
            created_at: time)
        let failed = WebhookDelivery(
            id: WebhookDeliveryID(at: time), webhook: webhook.id, message: "evt_1", type: "order.confirmed",
            subject: order.description, status: .failed, attempts: 10, response_status: 500, error: "said 500",
            next_attempt_at: time, created_at: time, finished_at: time)
        let pending = WebhookDelivery(
            id: WebhookDeliveryID(at: time), webhook: webhook.id, message: "evt_1", type: "order.confirmed",
            subject: order.description, status: .pending, attempts: 0, response_status: nil, error: nil,
            next_attempt_at: nil, created_at: time, finished_at: nil)
        return [
            webhook, WebhookList(items: [webhook]), WebhookDraft(url: webhook.url, types: [Webhook.types[0]]),
            CreatedWebhook(webhook: webhook, secret: "whsec_AAAA"), WebhookByID(id: webhook.id), failed, pending,
            WebhookDeliveryQuery(id: webhook.id),
            WebhookDeliveryQuery(id: webhook.id, status: .failed, limit: 1, after: failed.id.description),
            WebhookDeliveryPage(items: [failed], next: "x"), WebhookDeliveryPage(items: [], next: nil),
            WebhookReplay(id: webhook.id, delivery: failed.id),
        ]
    }()

    private static let operations: [any Shaped] = {
        let backEnd = ShopProcess.BackEnd(
            setting: "SOUK_CACHE", kind: "redis", address: "redis://…@cache:6379/0", answers: false, error: "refused")
        let unasked = ShopProcess.BackEnd(
            setting: "SOUK_MAIL", kind: "smtp", address: "", answers: nil, error: nil)
        let peer = ShopProcess.Peer(
            role: "payments", url: "http://payments", answers: false, breaker: .open, error: "it is away")
        let process = ShopProcess(
            name: "host:8080", roles: ["orders"], version: "1.2.3", started_at: time, back_ends: [backEnd, unasked],
            peers: [peer, .init(role: "auth", url: "http://auth", answers: true, breaker: .closed, error: nil)])
        let entry = Topology.Entry(
            roles: ["orders"], url: "http://orders", answers: true, error: "some of it is unknown", process: process)
        let away = Topology.Entry(roles: ["users"], url: nil, answers: false, error: nil, process: nil)
        let letter = DeadLetterSummary(
            number: 7, consumer: "webhooks", event: "event_1", type: "order.confirmed", subject: order.description,
            time: time, error: "it could not be read", died_at: time)
        return [
            backEnd, unasked, peer, process, entry, away, Topology(processes: [entry, away]), letter,
            DeadLetterQuery(), DeadLetterQuery(limit: 1, after: 7), DeadLetterPage(items: [letter], next: "7"),
            DeadLetterPage(items: [], next: nil), DeadLetterByNumber(number: 7),
        ]
    }()

    private static let accounts: [any Shaped] = {
        let full = User(
            id: user, email: "ada@example.com", name: "Ada", role: .staff, address: address, created_at: time)
        let plain = User(
            id: user, email: "ada@example.com", name: "Ada", role: .customer, address: nil, created_at: time)
        let note = Notification(
            id: NotificationID(at: time), type: "order.confirmed", order: order, to: "ada@example.com",
            subject: "Thank you", status: .sent, created_at: time)
        let welcome = Notification(
            id: NotificationID(at: time), type: "user.registered", order: nil, to: "ada@example.com",
            subject: "Welcome", status: .queued, created_at: time)
        return [
            full, plain, RegisterUser(email: "ada@example.com", password: "correct horse", name: "Ada"), UpdateUser(),
            UpdateUser(
                email: "ada@example.com", name: "Ada", address: address, password: "correct horse",
                current_password: "battery staple"),
            Credentials(email: "ada@example.com", password: "correct horse"), UserByID(id: user),
            Tokens(access_token: "a.b.c", expires_in: 900, refresh_token: "sess_1.x"),
            RefreshTokens(refresh_token: "sess_1.x"), note, welcome, NotificationPage(items: [note], next: "x"),
            NotificationPage(items: [], next: nil), NotificationQuery(),
            NotificationQuery(limit: 1, after: note.id.description), price,
            KeySet(keys: [PublicKey(kid: "k1", x: "AA", y: "BB")]),
        ]
    }()
}
