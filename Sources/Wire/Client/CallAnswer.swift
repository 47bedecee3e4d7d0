import Kernel

/// What a peer answered.
struct CallAnswer {
    let status: Int
    let headers: (String) -> String?
    let body: [UInt8]
    let call: CallRequest

    func reply<Output: Shaped>(_ type: Output.Type, _ endpoint: EndpointDescription) throws(CallFailure) -> Reply<
        Output
    > {
        guard (200...299).contains(status) else { throw failure(endpoint) }
        let value: Output
        do {
            value = try JSON.decode(Output.self, from: body.isEmpty ? Array("{}".utf8) : body)
        } catch {
            throw .unknown(
                OutcomeUnknown("\(call.method) \(call.path): \(status) with a body that cannot be read: \(error)"))
        }
        var reply = Reply(value)
        reply.location = headers("location")
        reply.version = headers("etag").flatMap { try? ETag.version(in: $0) }
        reply.next = headers("link").flatMap(Self.cursor)
        reply.isReplayed = headers("idempotency-replayed") == "true"
        return reply
    }

    private func failure(_ endpoint: EndpointDescription) -> CallFailure {
        guard headers("content-type")?.hasPrefix("application/problem+json") == true,
            let object = try? JSON.parse(body).objectValue, let type = object["type"]?.stringValue,
            type.hasPrefix("/problems/")
        else {
            // Not Souk's own words: a proxy between, or another server.
            return status == 503
                ? .refused(Problem(.unavailable, "\(call.method) \(call.path): 503", retryAfter: retryAfter))
                : .unknown(OutcomeUnknown("\(call.method) \(call.path): \(status) that is no problem+json"))
        }
        var extensions = object
        for name in ["type", "title", "status", "detail"] { extensions[name] = nil }
        let slug = String(type.dropFirst("/problems/".count))
        let known = endpoint.problems.first { $0.slug == slug && $0.status == status }
        return .refused(
            Problem(
                known ?? ProblemType(slug, status, object["title"]?.stringValue ?? ""),
                object["detail"]?.stringValue ?? "", extensions: extensions, retryAfter: retryAfter))
    }

    private var retryAfter: Int? { headers("retry-after").flatMap { Int($0) }.map { min(max($0, 1), 3_600) } }

    /// The `after` of `<…?after=…>; rel="next"`.
    private static func cursor(_ link: String) -> String? {
        guard let open = link.firstIndex(of: "<"), let close = link.firstIndex(of: ">"), open < close,
            link[close...].contains("next"), let target = try? Target(String(link[link.index(after: open)..<close]))
        else { return nil }
        return (try? Query(encoded: target.query))?.first("after")
    }
}
