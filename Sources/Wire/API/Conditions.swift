import Kernel

/// The headers that make a call conditional or repeatable.
enum Conditions {
    static let longestKey = 255

    /// The key of an `Idempotency-Key` header: an sf-string (quoted), as the IETF draft has it, or bare.
    static func key(_ headers: [String], _ idempotency: Idempotency) throws(Problem) -> String? {
        switch idempotency {
        case .natural, .none: return nil
        case .keyAccepted, .keyRequired: break
        }
        guard let header = headers.first?.trimmed, !header.isEmpty else {
            guard case .keyRequired = idempotency else { return nil }
            throw Problem(.keyMissing, "send an Idempotency-Key: a fresh one for each thing to be done once")
        }
        guard headers.count == 1 else { throw malformed }
        let key = try header.hasPrefix("\"") ? unquoted(header) : header
        guard (1...longestKey).contains(key.utf8.count), key.utf8.allSatisfy({ (0x20...0x7E).contains($0) }) else {
            throw malformed
        }
        return key
    }

    private static func unquoted(_ text: String) throws(Problem) -> String {
        var key: [UInt8] = []
        var rest = text.utf8.dropFirst()
        while let byte = rest.popFirst() {
            switch byte {
            case ASCII.quote:
                guard rest.isEmpty else { throw malformed }
                return String(decoding: key, as: UTF8.self)
            case UInt8(ascii: "\\"):
                guard let next = rest.popFirst(), next == ASCII.quote || next == UInt8(ascii: "\\") else {
                    throw malformed
                }
                key.append(next)
            default: key.append(byte)
            }
        }
        throw malformed
    }

    private static var malformed: Problem {
        Problem(.badRequest, "expected one Idempotency-Key of 1 to \(longestKey) printable ASCII characters")
    }

    /// The version that a conditional write expects: that of `If-Match`; 0, that there is nothing yet, for
    /// `If-None-Match: *`; nil for `If-Match: *`.
    static func version(ifMatch: String?, ifNoneMatch: String?) throws(Problem) -> Int64? {
        if let ifMatch { return try ETag.version(in: ifMatch) }
        guard let ifNoneMatch else {
            throw Problem(
                .versionRequired, "send If-Match with the ETag last read, or If-None-Match: * to make something new")
        }
        guard ifNoneMatch.trimmed == "*" else {
            throw Problem(.badRequest, "expected If-None-Match: * or an If-Match")
        }
        return 0
    }
}
