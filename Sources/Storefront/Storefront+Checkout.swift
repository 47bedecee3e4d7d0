import Contracts
import Kernel
import Wire

/// The checkout: one page, one form, one order.
extension Storefront {
    /// How long the checkout waits for methods and sums: nobody can pay without them.
    private static let sumsPatience = Duration.seconds(5)

    var checkoutRoutes: [PageRoute] {
        [
            personal(.get, "/checkout", priority: .checkout) { visit in
                guard let cart = try await cart(visit), !cart.lines.isEmpty else { return redirect("/cart") }
                return try await checkoutPage(visit, cart, try await firstForm(visit))
            },
            personal(.post, "/checkout", priority: .checkout, checkOut),
        ]
    }

    /// What the form holds.
    struct CheckoutForm {
        /// The order's idempotency key: minted when the form is first shown, new after every refusal that is final.
        var key = Storefront.newKey()
        var values: [String: String] = [:]

        static let names = [
            "email", "name", "line1", "line2", "city", "region", "postal_code", "country", "phone", "shipping_method",
            "coupon", "token",
        ]

        subscript(name: String) -> String {
            get { values[name] ?? "" }
            set { values[name] = newValue }
        }

        private func optional(_ name: String) -> String? { self[name].isEmpty ? nil : self[name] }

        var coupon: String? { optional("coupon") }
        var method: String? { optional("shipping_method") }

        func order(_ cart: CartID) -> PlaceOrder {
            PlaceOrder(
                cart: cart, email: self["email"],
                shipping_address: Address(
                    name: self["name"], line1: self["line1"], line2: optional("line2"), city: self["city"],
                    region: optional("region"), postal_code: optional("postal_code"), country: self["country"],
                    phone: optional("phone")),
                shipping_method: self["shipping_method"], coupon: coupon, payment: PaymentInput(token: self["token"]))
        }

        var contact: [Field] {
            [
                Field(
                    name: "email", label: "E-mail", control: .input(type: "email"), value: self["email"],
                    hint: "For the confirmation and news of this order, nothing else", autocomplete: "email",
                    maxlength: 254)
            ]
        }

        var address: [Field] {
            [
                Field(
                    name: "name", label: "Full name", value: self["name"], autocomplete: "shipping name",
                    maxlength: 200),
                Field(
                    name: "line1", label: "Address", value: self["line1"], autocomplete: "shipping address-line1",
                    maxlength: 200),
                Field(
                    name: "line2", label: "Flat, floor, company", value: self["line2"],
                    autocomplete: "shipping address-line2", maxlength: 200, isOptional: true),
                Field(
                    name: "city", label: "Town or city", value: self["city"], autocomplete: "shipping address-level2",
                    maxlength: 100, width: "third"),
                Field(
                    name: "region", label: "County or state", value: self["region"],
                    autocomplete: "shipping address-level1", maxlength: 100, isOptional: true, width: "third"),
                Field(
                    name: "postal_code", label: "Postcode", value: self["postal_code"],
                    autocomplete: "shipping postal-code", maxlength: 20, isOptional: true, width: "third"),
                Field(
                    name: "country", label: "Country", control: .select(Countries.all), value: self["country"],
                    autocomplete: "shipping country", width: "half"),
                Field(
                    name: "phone", label: "Phone, for the carrier", control: .input(type: "tel"), value: self["phone"],
                    autocomplete: "tel", maxlength: 40, isOptional: true, width: "half"),
            ]
        }

        var extras: [Field] {
            [Field(name: "coupon", label: "Coupon", value: self["coupon"], maxlength: 50, isOptional: true)]
        }

        var fields: [Field] { contact + address + extras }
    }

    /// A key that nobody has used: 128 random bits.
    static func newKey() -> String {
        String(UInt64.random(in: 0...UInt64.max), radix: 36) + String(UInt64.random(in: 0...UInt64.max), radix: 36)
    }

    /// The form as it is first shown: with what the account knows.
    private func firstForm(_ visit: Visit) async throws -> CheckoutForm {
        var form = CheckoutForm()
        form["country"] = settings.country
        form["token"] = SandboxCard.all[0].token
        guard visit.caller.userID != nil,
            let user = try? await optional(visit.context, { try await services.users.me(Nothing(), $0) })
        else { return form }
        form["email"] = user.email
        form["name"] = user.address?.name ?? user.name
        if let address = user.address {
            form["line1"] = address.line1
            form["line2"] = address.line2 ?? ""
            form["city"] = address.city
            form["region"] = address.region ?? ""
            form["postal_code"] = address.postal_code ?? ""
            form["country"] = address.country
            form["phone"] = address.phone ?? ""
        }
        return form
    }

    // MARK: The page

    private func checkoutPage(
        _ visit: Visit, _ cart: Cart, _ form: CheckoutForm, errors: FormErrors = FormErrors(), status: Int = 200
    ) async throws -> PageResponse {
        var form = form
        var errors = errors
        var status = status
        let query = ShippingQuery(country: Countries.isKnown(form["country"]) ? form["country"] : settings.country)
        async let shelves = headerShelves(visit.context)
        let known = try await optional(visit.context, within: Self.sumsPatience) {
            try await services.orders.shippingMethods(query, $0).items
        }
        let methods = known ?? []
        if known != nil, !methods.contains(where: { $0.id == form["shipping_method"] }) {
            form["shipping_method"] = methods.first?.id ?? ""
        }
        var question = PriceOrder(
            cart: cart.id, country: query.country ?? settings.country, shipping_method: form.method, coupon: form.coupon
        )
        var sums: OrderSums?
        var isAway = known == nil
        do {
            sums = try await price(question, visit.context)
            isAway = isAway || sums == nil
        } catch let problem as Problem where problem.type == .unknownCoupon {
            if errors.byField["coupon"] == nil { errors.add(form.extras[0], "Coupon: it is not valid for this order") }
            if status == 200 { status = 422 }
            question.coupon = nil
            sums = try await price(question, visit.context)
            isAway = isAway || sums == nil
        } catch let problem as Problem where problem.type.status < 500 {
            if errors.isEmpty { errors.add(nil, problem.detail) }
        }
        var head = Head("Checkout")
        head.shelves = await shelves
        return page(
            "checkout", head,
            [
                "key": form.key, "cart": cart.id.description, "guest": visit.caller.userID == nil,
                "contact": errors.views(form.contact), "address": errors.views(form.address),
                "extras": errors.views(form.extras), "problems": errors.view,
                "methods": methods.map { method -> View in
                    [
                        "code": method.id, "text": method.title, "note": false,
                        "price": method.price.amount == 0 ? "Free" : Texts.money(method.price),
                        "selected": method.id == form["shipping_method"],
                    ]
                },
                "isAway": isAway, "hasMethods": !methods.isEmpty, "chosenMethod": form["shipping_method"],
                "sandbox": settings.isSandbox, "cards": SandboxCard.views(form["token"]),
                "lines": cart.lines.enumerated().map { Self.line($1, position: $0) },
                "sums": sums.map { Self.sums($0, coupon: question.coupon) } ?? [],
                "sumsNote": sums.map(Self.note) ?? "",
                "payLabel": sums.map { "Place order · " + Texts.money($0.total) } ?? "Place order",
            ], status: status)
    }

    /// Nil where it cannot be worked out at the moment.
    private func price(_ question: PriceOrder, _ context: CallContext) async throws -> OrderSums? {
        try await optional(context, within: Self.sumsPatience) { try await services.orders.price(question, $0) }
    }

    static func sums(_ sums: OrderSums, coupon: String?) -> [View] {
        var views = [sum("Subtotal", sums.subtotal)]
        if sums.discount.amount != 0 {
            let discount = Money(-sums.discount.amount, sums.discount.currency)
            views.append(sum(coupon.map { "Discount (\($0))" } ?? "Discount", discount))
        }
        views.append(
            [
                "label": "Shipping", "text": sums.shipping.amount == 0 ? "Free" : Texts.money(sums.shipping),
                "isTotal": false,
            ])
        if sums.tax.amount != 0 { views.append(sum("Tax", sums.tax)) }
        views.append(sum("Total", sums.total, isTotal: true))
        return views
    }

    static func note(_ sums: OrderSums) -> String {
        sums.tax_included.amount == 0 ? "" : "Includes \(Texts.money(sums.tax_included)) of tax."
    }

    // MARK: The order

    private func checkOut(_ visit: Visit) async throws -> PageResponse {
        var form = CheckoutForm()
        for name in CheckoutForm.names { form[name] = visit.form(name) }
        if let key = visit.filled("key"), key.utf8.count <= 255 { form.key = key }
        // The form names its cart: a form sent again after its order was placed (the back button) must reach that order
        // through its key, though the browser has forgotten the cart by then.
        guard let id = CartID(visit.form("cart")) ?? visit.cart else { return redirect("/cart") }
        if visit.form("action") == "update" {
            guard let cart = try await cart(visit), !cart.lines.isEmpty else { return redirect("/cart") }
            return try await checkoutPage(visit, cart, form)
        }
        do {
            let order = try checked(form.order(id), as: OrdersAPI.place, visit.context)
            let placed = try await services.orders.place(order, visit.keyed(form.key))
            return redirect(Links.order(placed.order.id), cookies: [forget(CookieName.cart)])
        } catch let problem as Problem {
            return try await refusedCheckout(visit, form, problem)
        } catch is OutcomeUnknown {
            return try await refusedCheckout(visit, form, Problem(.orderUnsettled, "the answer did not come"))
        }
    }

    /// The form again, with what was wrong. A refusal that is final wants a new key, or the same answer would come for
    /// ever; while the outcome is open the key stays, so that pressing again finds the order, not a second one.
    private func refusedCheckout(
        _ visit: Visit, _ form: CheckoutForm, _ problem: Problem
    ) async throws -> PageResponse {
        guard let cart = try await cart(visit), !cart.lines.isEmpty else {
            throw problem.type == .notFound ? Problem(.notFound, "this cart is gone, perhaps into an order") : problem
        }
        var form = form
        var errors = FormErrors()
        let isOpen = problem.type.status >= 500 || problem.type == .keyInUse
        if isOpen {
            errors.add(
                nil,
                "We could not tell you yet whether your order went through. Press the button again in a moment: "
                    + "it will be found, not placed twice.")
        } else {
            form.key = Self.newKey()
            switch problem.type {
            case .paymentDeclined:
                errors.add(nil, "The card was declined and nothing was charged. Please choose another way to pay.")
            case .outOfStock:
                for line in Self.lacking(cart, problem) { errors.add(nil, line) }
            case .unknownCoupon: errors.add(form.extras[0], "Coupon: it is not valid for this order")
            case .keyReused:
                errors.add(
                    nil,
                    "This page was sent before, with other details. If that order is the one you want, you have it "
                        + "already; to place another, press the button again.")
            default: errors = FormErrors(problem, fields: form.fields)
            }
        }
        return try await checkoutPage(visit, cart, form, errors: errors, status: problem.type.status)
    }

    private static func lacking(_ cart: Cart, _ problem: Problem) -> [String] {
        let skus = (problem.extensions["lines"]?.arrayValue ?? []).compactMap { $0["sku"]?.stringValue }
        let lines = cart.lines.filter { skus.contains($0.sku) || skus.isEmpty && $0.available < $0.quantity }
        guard !lines.isEmpty else { return ["Some of it was sold in the meantime. Please look at your cart."] }
        return lines.map { line in
            line.available == 0
                ? "\(line.title) was sold in the meantime. Please remove it from your cart."
                : "\(line.title): only \(line.available) left. Please change your cart."
        }
    }
}

/// The sandbox gateway's cards, by what they do.
enum SandboxCard {
    static let all: [(token: String, text: String, note: String)] = [
        ("tok_approved", "Card that is approved", "The usual case"),
        ("tok_declined", "Card that is declined", "The bank says no, the order is cancelled"),
        ("tok_slow", "Card that takes its time", "The bank answers after some seconds"),
        ("tok_twice", "Card that answers twice", "The bank repeats itself, the order does not"),
        ("tok_lost", "Card whose answer is lost", "The money is held, but the bank never says so"),
    ]

    static func views(_ token: String) -> [View] {
        all.map { ["code": $0.token, "text": $0.text, "note": $0.note, "selected": $0.token == token] }
    }
}
