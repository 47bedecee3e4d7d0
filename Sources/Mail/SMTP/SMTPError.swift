/// What is wrong with the mail server or the way to it: never a letter's fault, for which there is `MailError`. Sending
/// the same letters again later is right.
public enum SMTPError: Error, Sendable, Equatable {
    /// libcurl is not installed, or too old.
    case libraryMissing(String)
    /// It cannot be reached, hangs up, says nothing, speaks garbage, or takes no mail at all. `server` is `host:port`.
    case unavailable(server: String, reason: String)
    /// The server does not accept the user's name and password, or no way to give them that libcurl knows.
    case loginRefused(server: String, reason: String)
    /// The connection is not as secret as it has to be: no TLS, or a certificate that does not hold.
    case insecure(server: String, reason: String)
    /// The server wants this letter later: it has no room for it, or knows the sender too little yet.
    case postponed(messageID: String, reply: String)
}

extension SMTPError: CustomStringConvertible {
    public var description: String {
        switch self {
        case .libraryMissing(let advice): "mail by SMTP needs libcurl: \(advice)"
        case .unavailable(let server, let reason): "the mail server \(server) takes no mail at the moment: \(reason)"
        case .loginRefused(let server, let reason):
            "the mail server \(server) refuses the log-in: \(reason); check the user's name and password"
        case .insecure(let server, let reason): "no safe connection to the mail server \(server): \(reason)"
        case .postponed(let id, let reply): "the mail server wants the message \(id) later: \(reply)"
        }
    }
}
