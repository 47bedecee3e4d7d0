public import Kernel

/// One e-mail, before it has a wire form. Addresses are `name@host` or `Ada Lovelace <ada@example.com>`.
public struct Message: Sendable, Hashable {
    public var to: String
    public var from: String
    public var subject: String
    public var text: String
    public var html: String?
    /// `notification_01h4…@shop.example`, without angle brackets: the same message sent again has the same one.
    /// Letters, digits and `-_.+=~`, at most 200.
    public var messageID: String
    /// When it was made: the same when it is sent again.
    public var date: Timestamp

    public init(
        to: String, from: String, subject: String, text: String, html: String? = nil, messageID: String, date: Timestamp
    ) {
        self.to = to
        self.from = from
        self.subject = subject
        self.text = text
        self.html = html
        self.messageID = messageID
        self.date = date
    }
}

/// Hands messages on. A message may be handed on twice after a crash, with the same id.
public protocol Mailer: Sendable {
    /// Returns once all are taken over. `MailError` names one message that can never be sent; sending all others again
    /// is right, as is sending all again with any other error: some may have been taken over and some not.
    func send(_ messages: [Message]) async throws
}

/// A message that cannot be written as RFC 5322, and never will be.
public struct MailError: Error, Sendable, Hashable, CustomStringConvertible {
    public let messageID: String
    /// `To`, `From`, `Subject`, `Message-ID`, `body`.
    public let field: String
    public let reason: String

    public var description: String { "the message \(messageID.prefix(80)) has a wrong \(field): \(reason)" }
}
