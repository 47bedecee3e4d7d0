import CCurl

/// What libcurl asks for and tells of while it hands one letter on: all on the thread that does it.
final class SMTPDialogue {
    /// What the server was last told, as far as a refusal's meaning depends on it.
    enum Step: Equatable {
        /// The greeting, TLS, the log-in.
        case before
        case mail
        case recipient
        case data
    }

    /// Bytes of a server's replies to all that one letter needs; who says more is no mail server.
    static let maxReplyBytes = 64 << 10
    static let maxReplyCharacters = 200

    private(set) var step = Step.before
    /// The last line before the good-bye, without what is no printable ASCII: `550 5.1.1 no such user`.
    private(set) var reply = ""
    private var hasSaidGoodbye = false
    private var repliedBytes = 0
    private var unsent: ArraySlice<UInt8>
    private let isCancelled: @Sendable () -> Bool

    init(_ letter: SMTPLetter, isCancelled: @escaping @Sendable () -> Bool) {
        unsent = letter.bytes[...]
        self.isCancelled = isCancelled
    }

    private static func this(_ pointer: UnsafeMutableRawPointer?) -> SMTPDialogue? {
        pointer.map { Unmanaged<SMTPDialogue>.fromOpaque($0).takeUnretainedValue() }
    }

    /// Whatever fits of what is left.
    static let read: curl_read_callback = { buffer, size, count, pointer in
        guard let self = this(pointer), let buffer else { return 0 }
        let part = self.unsent.prefix(size * count)
        UnsafeMutableRawBufferPointer(start: buffer, count: size * count).copyBytes(from: part)
        self.unsent = self.unsent.dropFirst(part.count)
        return part.count
    }

    /// A line of the server's. A count that is not the line's ends the transfer.
    static let hear: curl_write_callback = { buffer, size, count, pointer in
        guard let self = this(pointer), let buffer else { return 0 }
        let line = UnsafeRawBufferPointer(start: buffer, count: size * count)
        self.repliedBytes += line.count
        guard self.repliedBytes <= SMTPDialogue.maxReplyBytes else { return 0 }
        if self.hasSaidGoodbye { return line.count }
        let text = line.prefix { $0 != 0x0D && $0 != 0x0A }.prefix(SMTPDialogue.maxReplyCharacters)
        self.reply = String(decoding: text.map { (0x20..<0x7F).contains($0) ? $0 : UInt8(ascii: "?") }, as: UTF8.self)
        return line.count
    }

    /// Of what libcurl tells about itself, commands alone matter, and of these the verb: others hold the password.
    static let observe: curl_debug_callback = { _, kind, bytes, count, pointer in
        guard kind == CURLINFO_HEADER_OUT, let self = this(pointer), let bytes else { return 0 }
        let verb = String(decoding: UnsafeRawBufferPointer(start: bytes, count: min(5, count)), as: UTF8.self)
        switch verb {
        case "MAIL ": self.step = .mail
        case "RCPT ": self.step = .recipient
        case "DATA\r": self.step = .data
        default: break
        }
        // To this server, or before to one whose connection had grown old.
        self.hasSaidGoodbye = verb == "QUIT\r"
        return 0
    }

    /// Asked about once a second, and oftener while something moves; other than 0 ends the transfer.
    static let progress: curl_xferinfo_callback = { pointer, _, _, _, _ in
        this(pointer)?.isCancelled() == true ? 1 : 0
    }
}
