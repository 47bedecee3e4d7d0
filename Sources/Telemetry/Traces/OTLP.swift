import Kernel
import Tracing

/// The OpenTelemetry Protocol's JSON: protobuf's mapping, but ids in hexadecimal, and 64-bit integers as strings.
enum OTLP {
    static let maxAttributeBytes = 4 << 10

    static func resource(serviceName: String, version: String) -> JSON {
        [
            "attributes": [
                attribute("service.name", .string(serviceName)), attribute("service.version", .string(version)),
            ]
        ]
    }

    static func body(resource: JSON, _ spans: [SpanRecord]) -> JSON {
        [
            "resourceSpans": [
                [
                    "resource": resource,
                    "scopeSpans": [["scope": ["name": "souk"], "spans": .array(spans.map(span))]],
                ]
            ]
        ]
    }

    private static func span(_ span: SpanRecord) -> JSON {
        var object = JSONObject()
        object["traceId"] = .string(span.trace.traceID)
        object["spanId"] = .string(span.trace.spanID)
        if let parent = span.parent {
            var context = span.trace
            context.span = parent
            object["parentSpanId"] = .string(context.spanID)
        }
        object["name"] = .string(span.name)
        object["kind"] = .integer(kind(span.kind))
        object["startTimeUnixNano"] = .string(String(span.start))
        object["endTimeUnixNano"] = .string(String(span.end))
        object["attributes"] = attributes(span.attributes)
        if !span.events.isEmpty { object["events"] = .array(span.events.map(event)) }
        if !span.links.isEmpty { object["links"] = .array(span.links.compactMap(link)) }
        if let status = span.status {
            var result = JSONObject()
            result["code"] = .integer(status.code == .ok ? 1 : 2)
            if let message = status.message { result["message"] = .string(message) }
            object["status"] = .object(result)
        }
        return .object(object)
    }

    private static func event(_ event: SpanEvent) -> JSON {
        [
            "name": .string(event.name), "timeUnixNano": .string(String(event.nanosecondsSinceEpoch)),
            "attributes": attributes(event.attributes),
        ]
    }

    private static func link(_ link: SpanLink) -> JSON? {
        guard let trace = link.context.traceContext else { return nil }
        return [
            "traceId": .string(trace.traceID), "spanId": .string(trace.spanID),
            "attributes": attributes(link.attributes),
        ]
    }

    private static func kind(_ kind: SpanKind) -> Int64 {
        switch kind {
        case .internal: 1
        case .server: 2
        case .client: 3
        case .producer: 4
        case .consumer: 5
        }
    }

    private static func attributes(_ attributes: SpanAttributes) -> JSON {
        var list: [JSON] = []
        attributes.forEach { key, value in
            list.append(attribute(key, Redaction.hides(key) ? .string(Redaction.placeholder) : value))
        }
        return .array(list)
    }

    private static func attribute(_ key: String, _ value: SpanAttribute) -> JSON {
        ["key": .string(key), "value": self.value(value)]
    }

    private static func value(_ value: SpanAttribute) -> JSON {
        switch value {
        case .int32(let integer): ["intValue": .string(String(integer))]
        case .int64(let integer): ["intValue": .string(String(integer))]
        case .double(let number): ["doubleValue": .number(number)]
        case .bool(let flag): ["boolValue": .bool(flag)]
        case .string(let text): ["stringValue": .string(bounded(text))]
        case .stringConvertible(let value): ["stringValue": .string(bounded("\(value)"))]
        case .int32Array(let values): array(values.map { .int64(Int64($0)) })
        case .int64Array(let values): array(values.map { .int64($0) })
        case .doubleArray(let values): array(values.map { .double($0) })
        case .boolArray(let values): array(values.map { .bool($0) })
        case .stringArray(let values): array(values.map { .string($0) })
        case .stringConvertibleArray(let values): array(values.map { .string("\($0)") })
        default: ["stringValue": .string(bounded("\(value)"))]
        }
    }

    private static func array(_ values: [SpanAttribute]) -> JSON {
        ["arrayValue": ["values": .array(values.map(value))]]
    }

    private static func bounded(_ text: String) -> String {
        text.utf8.count <= maxAttributeBytes ? text : String(text.prefix(maxAttributeBytes / 4))
    }
}
