import Kernel

/// RFC 5322 and MIME: one part of plain text, or `multipart/alternative` with HTML beside it.
extension Message {
    static let maxSubjectBytes = 2_000
    static let maxBodyBytes = 1 << 20
    static let maxMessageIDBytes = 200

    /// The bytes of an .eml file: CRLF, seven bits, no line above 998 bytes. Throws `MailError`.
    func formatted() throws(MailError) -> [UInt8] {
        var out: [UInt8] = []
        out.reserveCapacity(1_024 + text.utf8.count + (html?.utf8.count ?? 0))
        let id = try checkedMessageID()
        out.appendHeader("Date", Self.rfc5322(date))
        out.appendHeader("From", try address(from, "From"))
        out.appendHeader("To", try address(to, "To"))
        out.appendHeader("Subject", try checkedSubject())
        out.appendHeader("Message-ID", "<\(id)>")
        out.appendHeader("MIME-Version", "1.0")
        guard text.utf8.count + (html?.utf8.count ?? 0) <= Self.maxBodyBytes else {
            throw wrong("body", "it has more than \(Self.maxBodyBytes) bytes")
        }
        guard let html else {
            out.appendPart("text/plain", text)
            return out
        }
        // Quoted-printable never holds "=_", so that the boundary cannot occur in a part.
        let boundary = "=_souk_alternative"
        out.appendHeader("Content-Type", "multipart/alternative; boundary=\"\(boundary)\"")
        out.append(text: "\r\n")
        for (type, content) in [("text/plain", text), ("text/html", html)] {
            out.append(text: "--\(boundary)\r\n")
            out.appendPart(type, content)
        }
        out.append(text: "--\(boundary)--\r\n")
        return out
    }

    private func wrong(_ field: String, _ reason: String) -> MailError {
        MailError(messageID: messageID, field: field, reason: reason)
    }

    /// It names a file too, hence the narrow alphabet.
    private func checkedMessageID() throws(MailError) -> String {
        let bytes = messageID.utf8
        let isPlain = bytes.allSatisfy { $0.isLetterOrDigit || "-_.+=~@".utf8.contains($0) }
        guard isPlain, (3...Self.maxMessageIDBytes).contains(bytes.count), bytes.first != UInt8(ascii: "."),
            bytes.filter({ $0 == UInt8(ascii: "@") }).count == 1, bytes.first != UInt8(ascii: "@"),
            bytes.last != UInt8(ascii: "@")
        else {
            throw wrong(
                "Message-ID", "expected left@right of letters, digits and -_.+=~, at most \(Self.maxMessageIDBytes)")
        }
        return messageID
    }

    private func checkedSubject() throws(MailError) -> String {
        guard subject.utf8.count <= Self.maxSubjectBytes else {
            throw wrong("Subject", "it has more than \(Self.maxSubjectBytes) bytes")
        }
        guard !subject.utf8.contains(where: \.isControl) else { throw wrong("Subject", "it holds a control character") }
        let isPlain = subject.utf8.count <= 66 && subject.utf8.allSatisfy { $0 < 0x7F } && !subject.contains("=?")
        return isPlain ? subject : subject.encodedWords
    }

    private func address(_ value: String, _ field: String) throws(MailError) -> String {
        guard !value.utf8.contains(where: \.isControl) else { throw wrong(field, "it holds a control character") }
        guard let open = value.lastIndex(of: "<") else {
            try check(address: value, field)
            return value
        }
        guard value.last == ">" else { throw wrong(field, "expected name@host or Name <name@host>") }
        let mailbox = value[value.index(after: open)...].dropLast()
        try check(address: mailbox, field)
        var name = value[..<open]
        while name.last == " " { name.removeLast() }
        guard name.utf8.count <= 200, !name.utf8.contains(where: { "<>@".utf8.contains($0) }) else {
            throw wrong(field, "expected one Name <name@host>, the name of at most 200 bytes without <, > and @")
        }
        if name.isEmpty { return "<\(mailbox)>" }
        if !name.utf8.allSatisfy({ $0 < 0x7F }) || name.contains("=?") {
            return "\(String(name).encodedWords)\r\n <\(mailbox)>"
        }
        let quoted = name.flatMap { $0 == "\"" || $0 == "\\" ? ["\\", $0] : [$0] }
        return "\"\(String(quoted))\" <\(mailbox)>"
    }

    private func check(address: some StringProtocol, _ field: String) throws(MailError) {
        let parts = address.utf8.split(separator: UInt8(ascii: "@"), omittingEmptySubsequences: false)
        guard parts.count == 2, (1...64).contains(parts[0].count), (1...253).contains(parts[1].count),
            address.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F && !"<>()[]\\,;:\"".utf8.contains($0) })
        else { throw wrong(field, "expected name@host in ASCII") }
    }

    /// `Thu, 01 Jan 2026 00:00:00 +0000`
    private static func rfc5322(_ time: Timestamp) -> String {
        let (year, month, day, hour, minute, second) = time.civil
        let days = Int(((time.seconds - Int64(hour * 3_600 + minute * 60 + second)) / 86_400 + 4) % 7 + 7) % 7
        let weekday = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"][days]
        let names = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
        func two(_ value: Int) -> String { value < 10 ? "0\(value)" : "\(value)" }
        return "\(weekday), \(two(day)) \(names[month - 1]) \(year) \(two(hour)):\(two(minute)):\(two(second)) +0000"
    }
}

extension String {
    /// RFC 2047: base64 words of at most 75 bytes, each of whole characters, one a line.
    fileprivate var encodedWords: String {
        var words: [String] = []
        var chunk: [UInt8] = []
        func flush() {
            if !chunk.isEmpty { words.append("=?utf-8?B?\(chunk.base64)?=") }
            chunk = []
        }
        for scalar in unicodeScalars {
            let bytes = Array(UTF8.encode(scalar) ?? UTF8.encodedReplacementCharacter)
            if chunk.count + bytes.count > 45 { flush() }
            chunk += bytes
        }
        flush()
        return words.joined(separator: "\r\n ")
    }
}

extension [UInt8] {
    mutating func append(text: String) { append(contentsOf: text.utf8) }

    fileprivate mutating func appendHeader(_ name: String, _ value: String) { append(text: "\(name): \(value)\r\n") }

    /// A part's headers, the empty line and its content, which ends with CRLF.
    fileprivate mutating func appendPart(_ type: String, _ content: String) {
        appendHeader("Content-Type", "\(type); charset=utf-8")
        appendHeader("Content-Transfer-Encoding", "quoted-printable")
        append(text: "\r\n")
        appendQuotedPrintable(content)
        append(text: "\r\n")
    }

    /// RFC 2045, 6.7: lines of at most 76; any line break becomes CRLF.
    private mutating func appendQuotedPrintable(_ content: String) {
        let hex = Array("0123456789ABCDEF".utf8)
        let bytes = Array(content.utf8)
        var column = 0
        var index = 0
        while index < bytes.count {
            let byte = bytes[index]
            let next = index + 1 < bytes.count ? bytes[index + 1] : 0x0A
            index += 1
            if byte == 0x0D || byte == 0x0A {
                if byte == 0x0D, next == 0x0A, index < bytes.count { index += 1 }
                append(text: "\r\n")
                column = 0
                continue
            }
            let isBlank = byte == 0x20 || byte == 0x09
            // A blank at a line's end would be lost, a dot at its start is special to SMTP.
            let isLiteral =
                isBlank
                ? next != 0x0D && next != 0x0A
                : byte > 0x20 && byte < 0x7F && byte != UInt8(ascii: "=")
            if column + (isLiteral ? 1 : 3) > 75 {
                append(text: "=\r\n")
                column = 0
            }
            if isLiteral, !(column == 0 && byte == UInt8(ascii: ".")) {
                append(byte)
                column += 1
            } else {
                append(UInt8(ascii: "="))
                append(hex[Int(byte >> 4)])
                append(hex[Int(byte & 15)])
                column += 3
            }
        }
    }
}

extension UInt8 {
    fileprivate var isControl: Bool { self < 0x20 || self == 0x7F }

    fileprivate var isLetterOrDigit: Bool {
        switch self {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"):
            true
        default: false
        }
    }
}
