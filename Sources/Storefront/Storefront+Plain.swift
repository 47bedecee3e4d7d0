import Contracts
import Kernel
import Wire

/// What is not the shop itself: assets, the description of the HTTP interface, and two doors that API clients try.
extension Storefront {
    private static let docsAge = 300

    var plainRoutes: [PageRoute] {
        assets.all.map { asset in
            PageRoute(.get, asset.path, priority: .browse) { _ in
                PageResponse(contentType: asset.contentType, body: asset.bytes, cache: .immutable)
            }
        } + [
            PageRoute(.get, "/favicon.ico", priority: .browse) { _ in
                var response = redirect(assets.mark.path)
                response.status = 308
                return response
            },
            shared("/docs", priority: .reports, docs),
            PageRoute(.get, "/orders", priority: .browse) { request in
                redirect(Self.wantsPage(request) ? "/account" : "/api/orders")
            },
            PageRoute(.get, "/inventory", priority: .browse) { request in
                redirect(Self.wantsPage(request) ? "/staff/products" : "/api/inventory")
            },
        ]
    }

    /// Browsers name HTML; API clients name JSON or nothing in particular.
    private static func wantsPage(_ request: PageRequest) -> Bool {
        (request.header("accept") ?? "").contains("text/html")
    }

    // MARK: The HTTP interface, readable

    private func docs(_ request: PageRequest) async throws -> PageResponse {
        var names: [String] = []
        var groups: [String: [EndpointDescription]] = [:]
        for endpoint in endpoints {
            let name = Texts.words(String(endpoint.path.description.split(separator: "/").dropFirst().first ?? "other"))
            if groups[name] == nil { names.append(name) }
            groups[name, default: []].append(endpoint)
        }
        var head = Head("HTTP interface", path: "/docs")
        head.description = "The HTTP interface of \(settings.name): JSON under /api, problems as RFC 9457."
        let categories = try await knownCategories(request.context)
        head.shelves = shelves(categories ?? [])
        return page(
            "docs", head,
            [
                "lead": "JSON under /api; errors are application/problem+json with a stable type.",
                "groups": names.map { name -> View in
                    [
                        "name": name, "id": Links.segment(name.lowercased()),
                        "operations": (groups[name] ?? []).map(Self.operation),
                    ]
                },
            ], cache: .edge(tags: [Tags.catalogue], maxAge: Self.docsAge).unlessLacking(categories == nil))
    }

    private static func operation(_ endpoint: EndpointDescription) -> View {
        var inputs: [View] = []
        if case .object(_, let members) = endpoint.input {
            inputs = members.map { member in
                let isPath = endpoint.path.parameters.contains(member.name)
                return [
                    "name": member.name, "place": isPath ? "path" : endpoint.method.takesQuery ? "query" : "body",
                    "type": member.schema.expectation, "meaning": member.about ?? "",
                    "required": member.isRequired || isPath,
                ]
            }
        }
        var answers: [View] = [
            ["code": String(endpoint.success), "meaning": endpoint.success == 204 ? "Done" : meaning(endpoint.output)]
        ]
        answers += endpoint.problems.map {
            ["code": String($0.status), "meaning": "\($0.title) (/problems/\($0.slug))"]
        }
        return [
            "id": endpoint.name, "verb": endpoint.method.rawValue, "path": endpoint.path.description,
            "summary": endpoint.summary, "access": access(endpoint), "inputs": inputs, "hasInputs": !inputs.isEmpty,
            "answers": answers,
        ]
    }

    private static func meaning(_ schema: Schema) -> String {
        guard case .object(let name, let members) = schema else { return schema.expectation }
        return name + ": " + members.map(\.name).joined(separator: ", ")
    }

    private static func access(_ endpoint: EndpointDescription) -> String {
        let who =
            switch endpoint.access {
            case .anyone: "Anyone may call it."
            case .role(.customer): "For who is logged in: Authorization: Bearer."
            case .role(let role): "For the role \(role.rawValue): Authorization: Bearer."
            case .service: "For Souk itself."
            }
        switch endpoint.idempotency {
        case .keyRequired: return who + " Needs an Idempotency-Key; the same key again answers as the first time."
        case .keyAccepted: return who + " Takes an Idempotency-Key."
        case .natural, .none: return who + (endpoint.isConditional ? " Needs If-Match with the ETag last read." : "")
        }
    }
}
