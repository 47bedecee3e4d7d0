import Contracts
import Kernel
import Wire

/// Logging in and out, opening an account, and the account's own page.
extension Storefront {
    private static let ordersShown = 20
    private static let loginPatience = Duration.seconds(10)

    var accountRoutes: [PageRoute] {
        [
            personal(.get, "/login", priority: .cart) { visit in
                guard visit.caller.userID == nil else { return redirect("/account") }
                let isNew = visit.request.query.first("opened") != nil
                return formPage(
                    .logIn, visit, values: [:], next: visit.request.query.first("next"),
                    notice: isNew ? "Your account is open. Log in to see it." : nil)
            },
            personal(.post, "/login", priority: .cart, logIn),
            personal(.get, "/register", priority: .cart) { visit in formPage(.register, visit, values: [:]) },
            personal(.post, "/register", priority: .cart, register),
            personal(.post, "/logout", priority: .cart, logOut),
            personal(.get, "/account", priority: .browse, role: .customer) { visit in
                let isSaved = visit.request.query.first("saved") != nil
                return try await accountPage(visit, notice: isSaved ? "Saved." : nil)
            },
            personal(.post, "/account", priority: .cart, role: .customer, saveAccount),
        ]
    }

    // MARK: Log in, register, log out

    private enum Door { case logIn, register }

    private static func fields(_ door: Door, _ values: [String: String]) -> [Field] {
        let email = Field(
            name: "email", label: "E-mail", control: .input(type: "email"), value: values["email"] ?? "",
            autocomplete: "username", maxlength: 254)
        switch door {
        case .logIn:
            return [
                email,
                Field(
                    name: "password", label: "Password", control: .input(type: "password"),
                    autocomplete: "current-password", maxlength: 200),
            ]
        case .register:
            return [
                Field(
                    name: "name", label: "Name", value: values["name"] ?? "", autocomplete: "name", maxlength: 200),
                email,
                Field(
                    name: "password", label: "Password", control: .input(type: "password"),
                    hint: "At least \(RegisterUser.passwordLength.lowerBound) characters; a few words are best",
                    autocomplete: "new-password", maxlength: 200),
            ]
        }
    }

    private func formPage(
        _ door: Door, _ visit: Visit, values: [String: String], next: String? = nil, notice: String? = nil,
        errors: FormErrors = FormErrors(), status: Int = 200
    ) -> PageResponse {
        let isLogIn = door == .logIn
        let next = Links.inside(next)
        return page(
            "form", Head(isLogIn ? "Log in" : "Open an account"),
            [
                "heading": isLogIn ? "Log in" : "Open an account",
                "lead": isLogIn
                    ? "Your orders and your address, where you left them."
                    : "So that your orders are kept together. Guests can order too.",
                "action": isLogIn ? "/login" : "/register", "next": next.orFalse,
                "fields": errors.views(Self.fields(door, values)), "problems": errors.view, "notice": notice.orFalse,
                "button": isLogIn ? "Log in" : "Open the account",
                "otherText": isLogIn ? "New here?" : "Have one already?",
                "otherLink": isLogIn ? "/register" : "/login",
                "otherLabel": isLogIn ? "Open an account" : "Log in",
            ], status: status)
    }

    private func logIn(_ visit: Visit) async throws -> PageResponse {
        let email = visit.form("email")
        do {
            let credentials = try checked(
                Credentials(email: email, password: visit.request.form.first("password") ?? ""), as: AuthAPI.logIn,
                visit.context)
            let tokens = try await services.auth.logIn(credentials, visit.context)
            return redirect(Links.inside(visit.filled("next")) ?? "/account", cookies: cookies(for: tokens))
        } catch let problem as Problem where problem.type.status < 500 {
            let values = ["email": email]
            var errors = FormErrors()
            switch problem.type {
            case .wrongCredentials: errors.add(nil, "The e-mail or the password is not right.")
            case .tooManyRequests: errors.add(nil, "Too many tries. Please wait a little and try again.")
            default: errors = FormErrors(problem, fields: Self.fields(.logIn, values))
            }
            return formPage(
                .logIn, visit, values: values, next: visit.filled("next"), errors: errors,
                status: problem.type.status)
        }
    }

    private func register(_ visit: Visit) async throws -> PageResponse {
        let values = ["email": visit.form("email"), "name": visit.form("name")]
        let password = visit.request.form.first("password") ?? ""
        do {
            let registration = try checked(
                RegisterUser(email: values["email"] ?? "", password: password, name: values["name"] ?? ""),
                as: UsersAPI.register, visit.context)
            let user = try await services.users.register(registration, visit.context)
            let credentials = Credentials(email: user.email, password: password)
            let tokens = try await optional(visit.context, within: Self.loginPatience) {
                try await services.auth.logIn(credentials, $0)
            }
            // The account is open, whether Auth is there or not.
            guard let tokens else { return redirect("/login?opened=1") }
            return redirect("/account", cookies: cookies(for: tokens))
        } catch let problem as Problem where problem.type.status < 500 {
            let fields = Self.fields(.register, values)
            var errors = FormErrors()
            if problem.type == .emailTaken {
                errors.add(fields[1], "There is an account with that address: log in instead")
            } else {
                errors = FormErrors(problem, fields: fields)
            }
            return formPage(.register, visit, values: values, errors: errors, status: problem.type.status)
        }
    }

    private func logOut(_ visit: Visit) async throws -> PageResponse {
        if let token = visit.request.cookies[CookieName.session] {
            // A session that is over already is what was asked for.
            try? await services.auth.logOut(accessToken: token)
        }
        return redirect("/", cookies: [CookieName.session, CookieName.refresh, CookieName.cart].map(forget))
    }

    // MARK: The account

    private static func fields(_ user: User) -> [Field] {
        [
            Field(name: "name", label: "Name", value: user.name, autocomplete: "name", maxlength: 200),
            Field(
                name: "email", label: "E-mail", control: .input(type: "email"), value: user.email,
                autocomplete: "email", maxlength: 254),
            Field(
                name: "password", label: "New password", control: .input(type: "password"),
                autocomplete: "new-password", maxlength: 200, isOptional: true),
            Field(
                name: "current_password", label: "Present password", control: .input(type: "password"),
                hint: "Needed to change the e-mail or the password", autocomplete: "current-password", maxlength: 200,
                isOptional: true),
        ]
    }

    private func accountPage(
        _ visit: Visit, user given: User? = nil, notice: String? = nil, errors: FormErrors = FormErrors(),
        status: Int = 200
    ) async throws -> PageResponse {
        let query = try checked(
            OrderQuery(limit: Self.ordersShown, after: visit.request.query.first("after")), as: OrdersAPI.list,
            visit.context)
        async let shelves = headerShelves(visit.context)
        async let listed = optional(visit.context) { try await services.orders.list(query, $0) }
        async let found = optional(visit.context) { try await services.users.me(Nothing(), $0) }
        let (own, orders) = try await (found, listed)
        let user = given ?? own
        guard user != nil || orders != nil else { throw Self.away("the account") }
        var head = Head("Your account")
        head.shelves = await shelves
        return page(
            "account", head,
            [
                "heading": user.map { "Hello, \($0.name)" } ?? "Your account",
                "orders": orders?.items.map { Self.row($0, base: "/orders/") } ?? [], "knowsOrders": orders != nil,
                "hasOrders": orders?.items.isEmpty == false,
                "more": orders?.next.map { Links.path("/account", [("after", $0)]) }.orFalse ?? false,
                "knowsUser": user != nil, "fields": user.map { errors.views(Self.fields($0)) } ?? [],
                "problems": errors.view, "notice": notice.orFalse,
            ], status: status)
    }

    static func row(_ order: OrderSummary, base: String) -> View {
        [
            "number": order.number, "link": base + order.id.description, "placed": Texts.time(order.created_at),
            "email": order.email, "status": Texts.words(order.status.rawValue), "tone": tone(order.status),
            "payment": Texts.words(order.payment_status.rawValue),
            "fulfilment": Texts.words(order.fulfilment_status.rawValue), "total": Texts.money(order.total),
        ]
    }

    private func saveAccount(_ visit: Visit) async throws -> PageResponse {
        var user = try await services.users.me(Nothing(), visit.context)
        func secret(_ name: String) -> String? { visit.request.form.first(name).flatMap { $0.isEmpty ? nil : $0 } }
        let email = visit.form("email")
        let change = UpdateUser(
            email: email == user.email ? nil : email, name: visit.form("name"), password: secret("password"),
            current_password: secret("current_password"))
        do {
            _ = try await services.users.update(try checked(change, as: UsersAPI.update, visit.context), visit.context)
            return redirect("/account?saved=1")
        } catch let problem as Problem where problem.type.status < 500 {
            user.email = email
            user.name = visit.form("name")
            let fields = Self.fields(user)
            var errors = FormErrors()
            switch problem.type {
            case .emailTaken: errors.add(fields[1], "Another account has that address")
            case .wrongCredentials: errors.add(fields[3], "The present password is not right")
            default: errors = FormErrors(problem, fields: fields)
            }
            return try await accountPage(visit, user: user, errors: errors, status: problem.type.status)
        }
    }
}
