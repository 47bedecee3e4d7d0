import Contracts
import Kernel
import Wire

/// The cart, and what the header shows of its visitor.
extension Storefront {
    var cartRoutes: [PageRoute] {
        [
            personal(.get, "/cart", priority: .checkout) { visit in
                let notice = visit.request.query.first("added") != nil ? "It is in your cart." : nil
                return try await cartPage(visit, notice: notice)
            },
            personal(.post, "/cart/lines", priority: .cart, addLine),
            personal(.post, "/cart/lines/{sku}", priority: .checkout, changeLine),
            personal(.get, "/fragments/me", priority: .browse, me),
        ]
    }

    /// The visitor's cart; nil if there is none, or none any more.
    func cart(_ visit: Visit) async throws -> Cart? { try await cart(visit, visit.context) }

    private func cart(_ visit: Visit, _ context: CallContext) async throws -> Cart? {
        guard let id = visit.cart else { return nil }
        do {
            return try await services.carts.cart(CartByID(id: id), context)
        } catch let problem as Problem where problem.type == .notFound {
            return nil
        }
    }

    private func cartPage(
        _ visit: Visit, notice: String? = nil, errors: FormErrors = FormErrors(), status: Int = 200
    ) async throws -> PageResponse {
        async let shelves = headerShelves(visit.context)
        let cart = try await cart(visit)
        let lines = cart?.lines ?? []
        var sums: [View] = []
        if let cart { sums = [Self.sum("Subtotal", cart.subtotal), Self.sum("Total", cart.subtotal, isTotal: true)] }
        var head = Head("Your cart")
        head.shelves = await shelves
        return page(
            "cart", head,
            [
                "isEmpty": lines.isEmpty, "lines": lines.enumerated().map { Self.line($1, position: $0) },
                "sums": sums, "problems": errors.view, "notice": notice.orFalse,
            ], status: status)
    }

    static func line(_ line: Cart.Line, position: Int) -> View {
        let warning: String? =
            if line.available == 0 {
                "Sold out. Please remove it."
            } else if line.available < line.quantity {
                "Only \(line.available) left. Please lower the quantity."
            } else {
                nil
            }
        return [
            "name": line.title, "variant": false, "link": Links.product(line.handle),
            "image": Links.image(line.image).orFalse, "quantity": String(line.quantity),
            "unitPrice": Texts.money(line.unit_price), "lineTotal": Texts.money(line.total),
            "warning": warning.orFalse, "action": "/cart/lines/" + Links.segment(line.sku),
            "id": "quantity-\(position)", "maxQuantity": String(maximumQuantity),
        ]
    }

    static func sum(_ label: String, _ money: Money, isTotal: Bool = false) -> View {
        ["label": label, "text": Texts.money(money), "isTotal": isTotal]
    }

    // MARK: Changes

    /// Adds to what is in the cart already. A form without script names the options, one with one variant the SKU.
    private func addLine(_ visit: Visit) async throws -> PageResponse {
        let product = try await active(visit.form("handle"), visit.context)
        guard let quantity = Int64(visit.form("quantity")), (1...Int64(Self.maximumQuantity)).contains(quantity) else {
            return try await refused(
                product, visit, "Quantity: enter a whole number from 1 to \(Self.maximumQuantity).")
        }
        guard let variant = Self.variant(of: product, visit) else {
            return try await refused(product, visit, "It is not offered in that combination. Please choose another.")
        }
        let cart = try await cart(visit)
        let present = cart?.lines.first { $0.sku == variant.sku }?.quantity ?? 0
        let wanted = min(present + quantity, Int64(Self.maximumQuantity))
        if variant.available < wanted {
            let left = variant.available == 0 ? "It is sold out." : "Only \(variant.available) left"
            let inCart = present > 0 && variant.available > 0 ? ", and \(present) in your cart already." : ""
            return try await refused(product, visit, left + (inCart.isEmpty && variant.available > 0 ? "." : inCart))
        }
        do {
            let id: CartID
            if let cart {
                let line = try checked(
                    PutCartLine(id: cart.id, sku: variant.sku, quantity: wanted), as: CartsAPI.putLine, visit.context)
                id = try await services.carts.putLine(line, visit.context).id
            } else {
                let line = StockLine(sku: variant.sku, quantity: wanted)
                id = try await services.carts.create(CreateCart(lines: [line]), visit.context).id
            }
            return redirect("/cart?added=1", cookies: [cookie(for: id)])
        } catch let problem as Problem where problem.type.status == 422 {
            return try await refused(product, visit, problem.type.title + ".")
        }
    }

    private func refused(_ product: Product, _ visit: Visit, _ text: String) async throws -> PageResponse {
        var errors = FormErrors()
        errors.add(nil, text)
        let sku = Self.variant(of: product, visit)?.sku
        let view = try await productPage(product, visit.context, selected: sku, errors: errors)
        return page("product", view.head, view.body, status: 422)
    }

    private static func variant(of product: Product, _ visit: Visit) -> Variant? {
        if let sku = visit.filled("sku") { return product.variants.first { $0.sku == sku } }
        let options = (1...3).compactMap { visit.request.form.first("option\($0)") }
        guard !options.isEmpty else { return product.variants.count == 1 ? product.variants[0] : nil }
        return product.variants.first { $0.options == options }
    }

    private func changeLine(_ visit: Visit) async throws -> PageResponse {
        guard let id = visit.cart, let sku = visit.request.parameters["sku"] else { return redirect("/cart") }
        do {
            if visit.filled("remove") != nil || visit.form("quantity") == "0" {
                _ = try await services.carts.removeLine(RemoveCartLine(id: id, sku: sku), visit.context)
                return redirect("/cart")
            }
            guard let quantity = Int64(visit.form("quantity")), (1...Int64(Self.maximumQuantity)).contains(quantity)
            else {
                var errors = FormErrors()
                errors.add(nil, "Quantity: enter a whole number from 0 to \(Self.maximumQuantity).")
                return try await cartPage(visit, errors: errors, status: 422)
            }
            let line = PutCartLine(id: id, sku: sku, quantity: quantity)
            _ = try await services.carts.putLine(try checked(line, as: CartsAPI.putLine, visit.context), visit.context)
            return redirect("/cart")
        } catch let problem as Problem where problem.type == .notFound {
            return redirect("/cart", cookies: [forget(CookieName.cart)])
        } catch let problem as Problem where problem.type.status == 422 {
            return try await cartPage(visit, errors: FormErrors(problem, fields: []), status: 422)
        }
    }

    // MARK: The visitor's own, for the header

    /// `{"cart": 2, "name": "Ada", "staff": false}`. What is away is left out: the page works without it.
    private func me(_ visit: Visit) async throws -> PageResponse {
        async let pieces = optional(visit.context) { context in
            try await cart(visit, context)?.lines.reduce(0) { $0 + $1.quantity } ?? 0
        }
        var name: String? = ""
        if visit.caller.userID != nil {
            name = try? await optional(visit.context) { try await services.users.me(Nothing(), $0).name }
        }
        var answer: JSONObject = ["staff": .bool(visit.caller.isStaff)]
        answer["cart"] = (try? await pieces).map { .integer($0) }
        answer["name"] = name.map { .string($0) }
        return PageResponse(contentType: "application/json", body: JSON.object(answer).serialized())
    }
}
