import Contracts
import Kernel
import Synchronization

/// Shoppers, each with a number; the same seed and number go the same way and choose the same things.
struct Journeys: Work {
    let steps = JourneyStep.allCases.map(\.rawValue)
    fileprivate let mix: JourneyMix
    fileprivate let writer: RequestWriter
    fileprivate let told: ToldOrders
    /// In what keys and addresses begin with, so that a run repeats no other run's.
    fileprivate let run: String
    private let clients: Clients
    private let seed: UInt64
    private let journeys: [(choice: Journey, share: Double)]
    fileprivate let payments: [(choice: String, share: Double)]

    init(_ mix: JourneyMix, _ plan: LoadPlan, run: String? = nil) {
        self.mix = mix
        writer = RequestWriter(plan.target, headers: plan.headers)
        told = ToldOrders(plan.acknowledge)
        self.run = run ?? String(UInt64.random(in: 0 ... .max), radix: 36)
        clients = plan.clients
        seed = plan.seed
        journeys = Journey.allCases.map { ($0, mix.weights[$0] ?? 0) }
        payments = mix.payments.sorted { $0.key < $1.key }.map { ($0.key, $0.value) }
    }

    var trouble: (any Error)? { told.trouble }

    func course(_ number: Int) -> any Course {
        var random = SeededGenerator(seed: seed ^ UInt64(number) &* 0xD134_2543_DE82_EF95)
        let journey = random.choose(journeys) ?? .browse
        return Shopping(self, number, journey, random, client: clients.address(of: number))
    }
}

/// One shopper on one journey.
struct Shopping: Course {
    /// One thing that a shopper does.
    enum Stop: Equatable {
        case front, list, search, product, newCart, putLine, order, register, logIn, account, orders

        var step: JourneyStep {
            switch self {
            case .front, .list: .browse
            case .search: .search
            case .product: .product
            case .newCart, .putLine: .cart
            case .order: .checkout
            case .register, .logIn, .account, .orders: .account
            }
        }
    }

    private let all: Journeys
    private let number: Int
    private let client: String?
    private var random: SeededGenerator
    private var stops: ArraySlice<Stop>
    private var last: Stop?
    private var cart: String?
    private var token: String?
    private var piece: Catalogue.Piece?
    private var quantity = 1

    init(_ all: Journeys, _ number: Int, _ journey: Journey, _ random: SeededGenerator, client: String?) {
        self.all = all
        self.number = number
        self.client = client
        self.random = random
        switch journey {
        case .browse: stops = [.front, .list]
        case .search: stops = [.search, .product]
        case .product: stops = [.product]
        case .cart: stops = [.product, .newCart, .putLine]
        case .checkout: stops = [.product, .newCart, .putLine, .order]
        case .account: stops = [.register, .logIn, .account, .orders]
        }
        if journey == .cart || journey == .checkout {
            piece = all.mix.catalogue.pieces.randomElement(using: &self.random)
            quantity = Int.random(in: all.mix.quantity, using: &self.random)
        }
    }

    mutating func next(_ answer: Answered?) -> Move {
        if let answer, !note(answer) { return .leave }
        guard let stop = stops.popFirst() else { return .leave }
        // Filling the cart is one act: pressing the button makes both requests.
        let pause = last == nil || stop == .putLine ? 0 : all.mix.think(before: stop.step, &random)
        last = stop
        return .ask(request(stop), after: pause)
    }

    /// - Returns: whether it makes sense to go on.
    private mutating func note(_ answer: Answered) -> Bool {
        switch last {
        case .newCart:
            cart = (try? JSON.decode(CartRead.self, from: answer.body))?.id
            return cart != nil
        case .logIn:
            token = (try? JSON.decode(SessionRead.self, from: answer.body))?.access_token
            return token != nil
        case .order:
            if answer.status == 201 { all.told.add(answer.body, key: key) }
            return true
        default: return true
        }
    }

    private var key: String { "\(all.run)-\(number)" }
    private var email: String { "shopper-\(all.run)-\(number)@example.com" }
    private static let password = "eleven violet umbrellas"

    private mutating func request(_ stop: Stop) -> Request {
        let writer = all.writer
        var request = Request(step: stop.step.index, bytes: writer.request("GET", "/", client: client))
        switch stop {
        case .front: break
        case .list:
            let category = all.mix.catalogue.categories.randomElement(using: &random)
            let filter = category.map { "&category=" + $0.percentEncoded() } ?? ""
            request.bytes = writer.request("GET", "/api/products?limit=24" + filter, client: client)
        case .search:
            let word = all.mix.catalogue.words.randomElement(using: &random) ?? "lamp"
            request.bytes = writer.request("GET", "/search?q=" + word.percentEncoded(), client: client)
        case .product:
            let handle = piece?.handle ?? all.mix.catalogue.handles.randomElement(using: &random) ?? ""
            request.bytes = writer.request("GET", "/products/" + handle.percentEncoded(), client: client)
        case .newCart:
            request.bytes = writer.request("POST", "/api/carts", client: client, body: Array("{}".utf8))
            request.keepsBody = true
        case .putLine:
            let path = "/api/carts/\(cart ?? "")/lines/\((piece?.sku ?? "").percentEncoded())"
            let body = Array("{\"quantity\":\(quantity)}".utf8)
            request.bytes = writer.request("PUT", path, client: client, body: body)
        case .order:
            request.bytes = writer.request("POST", "/api/orders", client: client, key: key, body: order())
            request.answer = .order
            request.keepsBody = true
        case .register:
            let body = RegisterUser(email: email, password: Self.password, name: "Ada L.")
            request.bytes = writer.request("POST", "/api/users", client: client, body: encoded(body))
            request.answer = .account
        case .logIn:
            let body = Credentials(email: email, password: Self.password)
            request.bytes = writer.request("POST", "/api/sessions", client: client, body: encoded(body))
            request.keepsBody = true
        case .account: request.bytes = writer.request("GET", "/api/users/me", client: client, token: token)
        case .orders: request.bytes = writer.request("GET", "/api/orders", client: client, token: token)
        }
        return request
    }

    private mutating func order() -> [UInt8] {
        let payment = random.choose(all.payments) ?? "tok_approved"
        return encoded(
            PlaceOrder(
                cart: cart.flatMap { CartID($0) }, email: "shopper-\(number)@example.com",
                shipping_address: Address(
                    name: "Ada L.", line1: "\(1 + number % 200) High St", city: "Leeds", postal_code: "LS1 1AA",
                    country: "GB"),
                payment: PaymentInput(token: payment)))
    }

    /// These values hold nothing that has no JSON.
    private func encoded(_ value: some Encodable) -> [UInt8] { (try? JSON.encode(value)) ?? [] }

    private struct CartRead: Decodable { var id: String }
    private struct SessionRead: Decodable { var access_token: String }
}

/// Passes on what shoppers were told of orders, and keeps the first failure to do so.
final class ToldOrders: Sendable {
    private let acknowledge: LoadPlan.Acknowledge?
    private let first = Mutex<(any Error)?>(nil)

    init(_ acknowledge: LoadPlan.Acknowledge?) { self.acknowledge = acknowledge }

    var trouble: (any Error)? { first.withLock { $0 } }

    func add(_ answer: [UInt8], key: String) {
        guard let acknowledge else { return }
        do {
            let order = try JSON.decode(OrderRead.self, from: answer)
            try acknowledge(order.id, order.total, key)
        } catch {
            first.withLock { if $0 == nil { $0 = error } }
        }
    }

    private struct OrderRead: Decodable {
        var id: OrderID
        var total: Money?
    }
}
