/// Values that are never written down, whatever hands them over: known by the names they go by.
enum Redaction {
    static let placeholder = "[redacted]"
    /// Anywhere in a key, in any case.
    static let names = [
        "password", "passwd", "passphrase", "secret", "token", "authorization", "cookie", "credential", "api_key",
        "apikey", "api-key", "private_key", "privatekey", "card_number", "cvc", "cvv", "session_id", "signature",
    ]

    static func hides(_ key: String) -> Bool {
        let key = key.lowercased()
        return names.contains { key.contains($0) }
    }
}
