public import Kernel

/// The published interface: OpenAPI 3.1, made from the endpoints' declarations.
public enum OpenAPI {
    /// Endpoints for Souk's own roles are left out.
    public static func document(_ endpoints: [EndpointDescription], version: String) -> JSON {
        var schemas = SchemaWriter()
        var paths = JSONObject()
        for endpoint in endpoints where endpoint.access != .service {
            var item = paths[endpoint.path.description]?.objectValue ?? JSONObject()
            item[endpoint.method.rawValue.lowercased()] = operation(endpoint, &schemas)
            paths[endpoint.path.description] = .object(item)
        }
        schemas.named["Problem"] = problemSchema
        return [
            "openapi": "3.1.0",
            "info": [
                "title": "Souk", "version": .string(version),
                "description": """
                A shop. Amounts are integers in the currency's minor unit; times are RFC 3339 in UTC; errors are \
                RFC 9457 problems with a stable `type`.
                """,
                "license": ["name": "Apache 2.0", "identifier": "Apache-2.0"],
            ],
            "servers": [["url": "/"]],
            "paths": .object(paths),
            "components": [
                "schemas": .object(schemas.named),
                "securitySchemes": [
                    "bearer": [
                        "type": "http", "scheme": "bearer", "bearerFormat": "JWT",
                        "description": "The access token of POST /api/sessions",
                    ]
                ],
            ],
        ]
    }

    private static func operation(_ endpoint: EndpointDescription, _ schemas: inout SchemaWriter) -> JSON {
        var operation: JSONObject = [
            "operationId": .string(endpoint.name), "summary": .string(endpoint.summary),
            "tags": [.string(String(endpoint.name.prefix { $0 != "." }))],
        ]
        switch endpoint.access {
        case .anyone: operation["security"] = [[:], ["bearer": []]]
        case .role(let role):
            operation["security"] = [["bearer": []]]
            operation["description"] = .string("Needs the role \(role.rawValue) or one above it.")
        case .service: break
        }
        let parameters = parameters(endpoint, &schemas)
        if !parameters.isEmpty { operation["parameters"] = .array(parameters) }
        if let body = body(endpoint, &schemas) { operation["requestBody"] = body }
        operation["responses"] = .object(responses(endpoint, &schemas))
        return .object(operation)
    }

    // MARK: - What goes in

    private static func members(_ schema: Schema) -> [Schema.Member] {
        if case .object(_, let members) = schema { members } else { [] }
    }

    private static func parameters(_ endpoint: EndpointDescription, _ schemas: inout SchemaWriter) -> [JSON] {
        let inPath = endpoint.path.parameters
        let members = members(endpoint.input)
        var parameters: [JSON] = []
        for name in inPath {
            let member = members.first { $0.name == name }
            parameters.append(
                parameter(name, "path", true, member?.schema ?? .text(1...200), member?.about, &schemas))
        }
        if endpoint.method.takesQuery {
            for member in members where !inPath.contains(member.name) {
                parameters.append(
                    parameter(member.name, "query", member.isRequired, member.schema, member.about, &schemas))
            }
        }
        return parameters + headers(endpoint)
    }

    private static func parameter(
        _ name: String, _ place: JSON, _ isRequired: Bool, _ schema: Schema, _ about: String?,
        _ schemas: inout SchemaWriter
    ) -> JSON {
        var parameter: JSONObject = [
            "name": .string(name), "in": place, "required": .bool(isRequired), "schema": schemas.json(schema),
        ]
        if let about { parameter["description"] = .string(about) }
        return .object(parameter)
    }

    private static func headers(_ endpoint: EndpointDescription) -> [JSON] {
        func header(_ name: JSON, _ isRequired: Bool, _ about: JSON, _ schema: JSON) -> JSON {
            ["name": name, "in": "header", "required": .bool(isRequired), "description": about, "schema": schema]
        }
        let tag: JSON = ["type": "string", "examples": ["\"7-0123456789abcdef\""]]
        let key: JSON = [
            "type": "string", "minLength": 1, "maxLength": .integer(Int64(Conditions.longestKey)),
            "pattern": "^[!-~]+$", "examples": ["2b5f9f3c-0a52-4d0e-9d8e-5f1c1b7f2a11"],
        ]
        var headers: [JSON] = endpoint.signatureHeaders.map { name in
            header(.string(name), false, "The sender's signature of the body", ["type": "string"])
        }
        switch endpoint.idempotency {
        case .keyRequired: headers.append(header("Idempotency-Key", true, "Fresh for each thing to be done once", key))
        case .keyAccepted: headers.append(header("Idempotency-Key", false, "Makes the call safe to repeat", key))
        case .natural, .none: break
        }
        if endpoint.isConditional {
            headers.append(header("If-Match", false, "The ETag last read; needed to change what is there", tag))
            headers.append(header("If-None-Match", false, "`*` to make something new", ["const": "*"]))
        } else if endpoint.method == .get {
            headers.append(header("If-None-Match", false, "The ETag last read; the same is answered 304", tag))
        }
        return headers
    }

    private static func body(_ endpoint: EndpointDescription, _ schemas: inout SchemaWriter) -> JSON? {
        guard endpoint.signatureHeaders.isEmpty else {
            let foreign: JSON = ["type": "object", "description": "The sender's own, signed byte for byte"]
            return ["required": true, "content": ["application/json": ["schema": foreign]]]
        }
        let inPath = endpoint.path.parameters
        guard !endpoint.method.takesQuery, case .object(let name, let all) = endpoint.input else { return nil }
        let members = all.filter { !inPath.contains($0.name) }
        guard !members.isEmpty else { return nil }
        let schema =
            members.count == all.count
            ? schemas.json(endpoint.input) : schemas.object(members)
        let example = SchemaWriter.example(.object(name, members))
        return [
            "required": .bool(members.contains(where: \.isRequired)),
            "content": ["application/json": ["schema": schema, "example": example]],
        ]
    }

    // MARK: - What comes out

    private static func responses(_ endpoint: EndpointDescription, _ schemas: inout SchemaWriter) -> JSONObject {
        var responses: JSONObject = [String(endpoint.success): success(endpoint, &schemas)]
        if endpoint.method == .get {
            responses["304"] = ["description": "It is what If-None-Match names", "headers": ["ETag": text("Its tag")]]
        }
        let byStatus = Dictionary(grouping: problems(endpoint), by: \.status)
        for (status, types) in byStatus.sorted(by: { $0.key < $1.key }) {
            var seen: Set<String> = []
            let unique = types.filter { seen.insert($0.slug).inserted }
            var headers = JSONObject()
            if status == 401 { headers["WWW-Authenticate"] = text("Bearer") }
            if status == 405 { headers["Allow"] = text("The methods that are offered") }
            if [429, 503, 504].contains(status) {
                headers["Retry-After"] = ["description": "Seconds", "schema": ["type": "integer", "minimum": 1]]
            }
            responses[String(status)] = [
                "description": .string(unique.map { "`/problems/\($0.slug)`: \($0.title)" }.joined(separator: "; ")),
                "headers": .object(headers),
                "content": ["application/problem+json": ["schema": ["$ref": "#/components/schemas/Problem"]]],
            ]
        }
        return responses
    }

    private static func success(_ endpoint: EndpointDescription, _ schemas: inout SchemaWriter) -> JSON {
        var headers: JSONObject = ["traceparent": text("W3C Trace Context")]
        if endpoint.method == .get { headers["ETag"] = text("For If-None-Match, and If-Match where it has a version") }
        if endpoint.success == 201 { headers["Location"] = text("Where it is, where it has a place of its own") }
        switch endpoint.idempotency {
        case .keyRequired, .keyAccepted:
            headers["Idempotency-Replayed"] = text("`true` on the first answer to a repeated request")
        case .natural, .none: break
        }
        if endpoint.method == .get, members(endpoint.output).contains(where: { $0.name == "next" }) {
            headers["Link"] = text("`rel=\"next\"`: the next page")
        }
        var response: JSONObject = ["description": "Done", "headers": .object(headers)]
        if !members(endpoint.output).isEmpty || !endpoint.output.isObject {
            response["content"] = [
                "application/json": [
                    "schema": schemas.json(endpoint.output), "example": SchemaWriter.example(endpoint.output),
                ]
            ]
        }
        return .object(response)
    }

    /// What an endpoint may answer: what it declares, and what the wire answers for it.
    private static func problems(_ endpoint: EndpointDescription) -> [ProblemType] {
        var problems: [ProblemType] = endpoint.problems
        problems += [
            .badRequest, .unauthenticated, .methodNotAllowed, .timeout, .uriTooLong, .invalid, .tooManyRequests,
            .headersTooLarge, .internalError, .overloaded, .unavailable, .deadlineExceeded,
        ]
        if !endpoint.method.takesQuery { problems += [.tooLarge, .mediaType] }
        if endpoint.access != .anyone || endpoint.method != .get { problems.append(.forbidden) }
        if !endpoint.path.parameters.isEmpty { problems.append(.notFound) }
        if endpoint.isConditional { problems += [.versionMismatch, .versionRequired] }
        switch endpoint.idempotency {
        case .keyRequired: problems += [.keyMissing, .keyInUse, .keyReused]
        case .keyAccepted: problems += [.keyInUse, .keyReused]
        case .natural, .none: break
        }
        return problems
    }

    private static func text(_ about: JSON) -> JSON { ["description": about, "schema": ["type": "string"]] }

    private static let problemSchema: JSON = [
        "type": "object", "description": "RFC 9457", "required": ["type", "title", "status", "detail"],
        "properties": [
            "type": ["type": "string", "description": "Stable: what to match on"],
            "title": ["type": "string"], "status": ["type": "integer"],
            "detail": ["type": "string", "description": "What happened this time"],
            "errors": [
                "type": "array", "description": "Each field that is not as expected",
                "items": [
                    "type": "object", "required": ["pointer", "detail"],
                    "properties": ["pointer": ["type": "string"], "detail": ["type": "string"]],
                ],
            ],
        ],
    ]
}

extension Schema {
    fileprivate var isObject: Bool { if case .object = self { true } else { false } }
}
