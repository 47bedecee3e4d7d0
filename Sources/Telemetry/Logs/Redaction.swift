/// Values that are never written down, whatever hands them over: known by the names they go by.
enum Redaction {
    static let placeholder = "[redacted]"
    /// Anywhere in a key, in any case.
    static let names = [
        "password", "passwd", "passphrase", "secret", "token", "authorization", "cookie", "credential", "api_key",
        "apikey", "api-key", "private_key", "privatekey", "card_number", "cvc", "cvv", "session_id", "signature",
    ]

    private static let words = names.map { Array($0.utf8) }

    /// Byte by byte: every field of every line is asked about, and a search as people read text took more time than all
    /// the rest of a line.
    static func hides(_ key: String) -> Bool {
        let key = key.utf8.map { (0x41...0x5A).contains($0) ? $0 | 0x20 : $0 }
        return words.contains { word in
            key.count >= word.count && (0...key.count - word.count).contains { key[$0...].starts(with: word) }
        }
    }
}
