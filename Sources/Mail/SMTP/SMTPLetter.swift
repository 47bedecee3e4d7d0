/// A message with its envelope, ready to be sent.
struct SMTPLetter: Sendable {
    let messageID: String
    /// `name@host`, of which nothing can break a command: they were checked when the message was formatted.
    let from: String
    let to: String
    /// As `MailSpool` writes it.
    let bytes: [UInt8]

    /// Throws `MailError`.
    init(_ message: Message) throws(MailError) {
        bytes = try message.formatted()
        messageID = message.messageID
        from = Self.mailbox(in: message.from)
        to = Self.mailbox(in: message.to)
    }

    /// `ada@example.com` in `Ada Lovelace <ada@example.com>`.
    private static func mailbox(in address: String) -> String {
        guard let open = address.lastIndex(of: "<") else { return address }
        return String(address[address.index(after: open)...].dropLast())
    }
}
