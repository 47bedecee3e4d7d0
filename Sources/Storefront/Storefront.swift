public import Contracts
public import Kernel
public import Wire

/// The pages of the shop, for shoppers and for staff: server-rendered, whole without JavaScript.
///
/// Catalogue pages are the same bytes for everybody, so that any cache may hold them; what is the visitor's own is
/// asked for by the page afterwards (`/fragments/me`). Everything else is `no-store`. The storefront holds no data: it
/// calls the services, as the HTTP interface does, with the visitor as the caller.
public struct Storefront: Sendable {
    /// What the pages need to know of the shop.
    public struct Settings: Sendable {
        public var name: String
        /// Where the shop is served, without a final slash: `https://shop.example`.
        public var baseURL: String
        public var currency: Currency
        /// The country that a new address begins with.
        public var country: String
        /// The payment gateway is the sandbox: the checkout offers its test cards and says so.
        public var isSandbox: Bool

        public init(
            name: String = "Souk", baseURL: String, currency: Currency = .gbp, country: String = "GB",
            isSandbox: Bool = true
        ) {
            self.name = name
            self.baseURL = baseURL.hasSuffix("/") ? String(baseURL.dropLast()) : baseURL
            self.currency = currency
            self.country = country
            self.isSandbox = isSandbox
        }
    }

    /// The services that the pages show.
    public struct Services: Sendable {
        public var products: any ProductsService
        public var carts: any CartsService
        public var orders: any OrdersService
        public var users: any UsersService
        public var auth: any AuthService
        public var notifications: any NotificationsService
        public var webhooks: any WebhooksService
        public var publishers: [Publisher]
        public var topology: any TopologyService

        public init(
            products: any ProductsService, carts: any CartsService, orders: any OrdersService,
            users: any UsersService, auth: any AuthService, notifications: any NotificationsService,
            webhooks: any WebhooksService, publishers: [Publisher], topology: any TopologyService
        ) {
            self.products = products
            self.carts = carts
            self.orders = orders
            self.users = users
            self.auth = auth
            self.notifications = notifications
            self.webhooks = webhooks
            self.publishers = publishers
            self.topology = topology
        }
    }

    /// A service that publishes events, and those of them that nobody could take.
    public struct Publisher: Sendable {
        /// In addresses: letters.
        public var name: String
        public var deadLetters: any DeadLettersService
        public var api: DeadLettersAPI

        public init(name: String, deadLetters: any DeadLettersService, api: DeadLettersAPI) {
            self.name = name
            self.deadLetters = deadLetters
            self.api = api
        }
    }

    /// How long a cache may hold a catalogue page, in seconds. Short: a write makes Souk's own copies stale at once,
    /// but what a page shows beside its main thing (other products, the categories) may be this old.
    static let maxAge = 60

    let settings: Settings
    let services: Services
    let endpoints: [EndpointDescription]
    let clock: any WallClock
    let templates: Templates
    let assets = Assets()
    let sessions: Sessions

    /// - Parameter endpoints: what `/docs` describes.
    /// - Throws: if a template is malformed.
    public init(
        settings: Settings, services: Services, endpoints: [EndpointDescription] = [],
        clock: any WallClock = SystemClock()
    ) throws {
        self.settings = settings
        self.services = services
        self.endpoints = endpoints.filter { $0.access != .service }
        self.clock = clock
        templates = try Templates()
        sessions = Sessions(auth: services.auth, clock: clock)
    }

    /// Every page. What is not among them is answered by `errorPage`.
    public var routes: [PageRoute] {
        catalogueRoutes + productRoutes + cartRoutes + checkoutRoutes + orderRoutes + accountRoutes + staffRoutes
            + staffOrderRoutes + staffProductRoutes + staffEventRoutes + staffWebhookRoutes + topologyRoutes
            + sitemapRoutes + plainRoutes
    }

    var products: any ProductsService { services.products }
}

extension Storefront {
    /// A route for what is the same for everybody: whoever asks, it is made for a stranger. Were it made for staff, the
    /// copy that is kept would show their drafts to all.
    ///
    /// - Parameter patience: after which it is given up, and the copy that was kept before is shown, if there is one.
    func shared(
        _ path: String, priority: Priority = .browse, patience: Duration = .seconds(5),
        _ handle: @escaping @Sendable (PageRequest) async throws -> PageResponse
    ) -> PageRoute {
        PageRoute(.get, path, priority: priority) { request in
            var context = request.context.shopper
            context.deadline = min(context.deadline, .now + patience)
            return try await handle(
                PageRequest(
                    request.method, path: request.path, parameters: request.parameters, query: request.query,
                    header: request.header, context: context))
        }
    }
}

extension CallContext {
    /// The same call, made by nobody in particular.
    var shopper: CallContext {
        var context = self
        context.caller = .anonymous
        return context
    }
}

// MARK: The frame of every page

extension Storefront {
    /// What `head.mustache` is filled with.
    struct Head {
        let title: String
        /// The page's own address, below the shop's; nil for pages that search engines have no business with.
        let path: String?
        var description: String?
        var kind = "website"
        var picture: String?
        var structured: [JSON] = []
        var query = ""
        var nextPage: String?
        var shelves: [View] = []
        var isIndexed = true

        init(_ title: String, path: String? = nil) {
            self.title = title
            self.path = path
        }
    }

    /// At most so many categories stand in the header; the footer has fewer.
    private static let headerShelves = 9
    private static let footerShelves = 5

    /// The categories without a parent, for the header and the footer.
    func shelves(_ categories: [CategoryList.Entry], current: String? = nil) -> [View] {
        categories.lazy.filter { $0.parent == nil && $0.products > 0 }.prefix(Self.headerShelves).map { category in
            let link = Links.category(category.handle)
            return ["name": category.title, "link": link, "current": link == current]
        }
    }

    func page(
        _ template: String, _ head: Head, _ view: View, status: Int = 200, cache: PageCache = .none
    ) -> PageResponse {
        var view = view
        let name = settings.name
        let isFound = head.path != nil && head.isIndexed && status == 200
        view.merge(
            [
                "shop": name, "pageTitle": head.path == "/" ? head.title : "\(head.title) · \(name)",
                "description": head.description.orFalse, "robots": isFound ? false : "noindex, follow",
                "canonical": isFound ? settings.baseURL + (head.path ?? "") : false,
                "nextPage": head.nextPage.orFalse, "kind": head.kind,
                "picture": head.picture.map { Structured.absolute($0, settings.baseURL) }.orFalse,
                "structured": head.structured.isEmpty ? false : JSON.array(head.structured).description,
                "query": head.query, "shelves": head.shelves,
                "footShelves": Array(head.shelves.prefix(Self.footerShelves)),
                "css": assets.style.path, "js": assets.script.path, "icons": assets.icons.path,
                "mark": assets.mark.path,
            ]
        ) { own, _ in own }
        if view["problems"] == nil { view["problems"] = false }
        if view["notice"] == nil { view["notice"] = false }
        return PageResponse(
            status: status, contentType: "text/html; charset=utf-8", body: templates.render(template, view),
            cache: cache)
    }

    /// After a post: go and get the page that shows what became of it.
    func redirect(_ path: String, cookies: [Cookie] = []) -> PageResponse {
        var response = PageResponse.redirect(to: path)
        response.cookies = cookies
        return response
    }

    /// The page for a person whose request failed (`Accept: text/html`).
    public func errorPage(problem: Problem) -> PageResponse {
        let (heading, lead) = Self.words(for: problem)
        let status = problem.type.status
        var response = page(
            "message", Head(heading),
            [
                "code": String(status), "heading": heading, "lead": lead,
                // What went wrong inside is nobody's business outside; what was wrong with the request helps.
                "detail": (400..<500).contains(status) && status != 404 ? problem.detail : false,
                "link": status == 401 ? "/login" : "/", "linkText": status == 401 ? "Log in" : "To the shop",
                "showSearch": status == 404,
            ], status: status)
        if let seconds = problem.retryAfter { response.headers.append(("retry-after", String(seconds))) }
        return response
    }

    private static func words(for problem: Problem) -> (heading: String, lead: String) {
        switch problem.type.status {
        case 401: ("Please log in", "This page is for people who are logged in.")
        case 403: ("Not for you, it seems", "You are not allowed to do that.")
        case 404: ("There is nothing here", "The page may have moved, or the piece is no longer offered.")
        case 429: ("A little slower, please", "Many requests came from your address. Try again in a moment.")
        case 503 where problem.type == .unavailable:
            ("That part of the shop is away", "It does not answer just now; the rest goes on. Try again in a moment.")
        case 503, 504: ("Very busy just now", "Orders go first at such times. Try again in a few seconds.")
        case 500...: ("Something broke here", "It is our fault and it has been noted. Nothing was charged.")
        default: (problem.type.title, "The request could not be carried out.")
        }
    }
}
