import Foundation
import Kernel
import Testing

@testable import Mail

@Suite("The URL of a mail server") struct SMTPURLTests {
    @Test func itsPartsAreRead() throws {
        let plain = try SMTPURL("smtp://mail.example")
        #expect(plain.server == "mail.example:25" && plain.user == nil && plain.tls == .offered)
        let login = try SMTPURL("smtp://souk%40a.example:p%40ss%3A%2F%3F@mail.example")
        #expect(login.server == "mail.example:587" && login.tls == .required)
        #expect(login.user == "souk@a.example" && login.password == "p@ss:/?")
        let other = try SMTPURL("smtp://[::1]:2525/?tls=implicit&ca=/etc/ca%20b.pem")
        #expect(other.host == "::1" && other.port == 2_525 && other.certificates == "/etc/ca b.pem")
        #expect(try SMTPURL("smtp://a?tls=implicit").port == 465)
    }

    @Test(arguments: [
        ("mail.example", "smtp://"), ("http://mail.example", "smtp://"), ("smtps://a:secret@b", "tls=implicit"),
        ("smtp://", "host"), ("smtp://ada@b", "no password"), ("smtp://ada:@b", "no password"),
        ("smtp://:secret@b", "the user"), ("smtp://ada:secret%@b", "not well encoded"),
        ("smtp://ada:secret%00@b", "not well encoded"), ("smtp://a:0", "port"), ("smtp://a:port", "port"),
        ("smtp://a:65536", "port"), ("smtp://a b", "host"), ("smtp://ada:secret@b/c", "host"), ("smtp://[::1", "host"),
        ("smtp://a?tls=maybe", "'maybe'"), ("smtp://a?tls=", "tls is empty"), ("smtp://a?tsl=off", "'tsl'"),
        ("smtp://a?tls=off&tls=off", "twice"), ("smtp://a?ca", "ca is empty"),
    ])
    func aWrongOneSaysWhatIsWrong(url: String, word: String) {
        let error = #expect(throws: SMTPURL.Invalid.self) { try SMTPURL(url) }
        #expect(error.map { "\($0)".contains(word) && !"\($0)".contains("secret") } == true, "\(error as Any)")
    }

    @Test func thePasswordIsInNoDescription() throws {
        let url = try SMTPURL("smtp://ada:topsecret@mail.example")
        var dumped = ""
        dump(url, to: &dumped)
        for text in ["\(url)", String(reflecting: url), dumped] {
            #expect(!text.contains("topsecret") && text.contains("ada@mail.example:587"))
        }
    }
}

/// Over real connections: aiosmtpd, and servers that answer badly.
@Suite("Mail by SMTP", .enabled(if: SMTPPeer.isInstalled, SMTPPeer.reason)) struct SMTPTests {
    @Test("a letter arrives as the spool would write it, dots and all") func sameBytes() async throws {
        let message = SMTPPeer.message(text: "Größe\n.\n..two\r\n.\nend 😀")
        for server in ["plain", "pipelining"] {
            try await SMTPPeer.withMailer(SMTPPeer.url(server)) { mailer in
                try await mailer.send([message])
                let formatted = String(decoding: try message.formatted(), as: UTF8.self)
                #expect(try SMTPPeer.taken(by: server, of: [message]) == [formatted])
            }
        }
    }

    @Test("many letters arrive, each once, and sent again not again") func many() async throws {
        let messages = (0..<40).map { _ in SMTPPeer.message() }
        try await SMTPPeer.withMailer(SMTPPeer.url("plain")) { mailer in
            try await mailer.send(messages)
            try await mailer.send(messages + messages)
            try await mailer.send([])
            let taken = try SMTPPeer.taken(by: "plain", of: messages)
            #expect(taken.count == 40 && Set(taken).count == 40)
        }
    }

    @Test(
        "with TLS and a password, however the server wants it",
        arguments: [
            ("starttls", ""), ("smtps", "&tls=implicit"), ("login-only", "&tls=required"), ("offering", ""),
            ("offering", "&tls=offered"),
        ])
    func login(server: String, options: String) async throws {
        let message = SMTPPeer.message()
        let login = server == "offering" ? "" : SMTPPeer.login
        for host in ["localhost", "127.0.0.1"] {
            let url = try SMTPPeer.url(server, login: login, host: host, options: options)
            try await SMTPPeer.withMailer(url) { try await $0.send([message]) }
        }
        #expect(try SMTPPeer.taken(by: server, of: [message]).count == 2)
    }

    @Test("a wrong password is told, and not shown") func wrongPassword() async throws {
        let url = try SMTPPeer.url("starttls", login: "ada:topsecret@")
        try await SMTPPeer.withMailer(url) { mailer in
            let error = await #expect(throws: SMTPError.self) { try await mailer.send([SMTPPeer.message()]) }
            #expect(error?.kind == "loginRefused")
            #expect(error.map { "\($0)".contains("535") && !"\($0)".contains("topsecret") } == true)
        }
    }

    @Test(
        "nothing is sent over a connection that is not as safe as it has to be",
        arguments: [
            ("plain", "&tls=required"), ("other-name", ""), ("other-name", "&tls=required"), ("injecting", ""),
            ("offering", "no authority"),
        ])
    func unsafe(server: String, options: String) async throws {
        let message = SMTPPeer.message()
        // The system's authorities do not know the tests' own.
        let url =
            options == "no authority"
            ? try SMTPURL("smtp://localhost:\(SMTPPeer.url(server).port)") : try SMTPPeer.url(server, options: options)
        try await SMTPPeer.withMailer(url) { mailer in
            let error = await #expect(throws: SMTPError.self) { try await mailer.send([message]) }
            #expect(server == "injecting" || error?.kind == "insecure", "\(error as Any)")
        }
        #expect(try SMTPPeer.taken(by: server, of: [message]) == [])
    }

    @Test("a password is not sent where there is no TLS") func passwordInClear() async throws {
        try await SMTPPeer.withMailer(SMTPPeer.url("plain", login: SMTPPeer.login)) { mailer in
            let error = await #expect(throws: SMTPError.self) { try await mailer.send([SMTPPeer.message()]) }
            #expect(error?.kind == "insecure")
        }
    }

    @Test(
        "what the server refuses for ever names the field, and the others arrive",
        arguments: [("plain", "refused", "To"), ("plain", "spam", "body"), ("pipelining", "refused", "To")])
    func refused(server: String, name: String, field: String) async throws {
        var messages = [SMTPPeer.message(), SMTPPeer.message(to: name), SMTPPeer.message(), SMTPPeer.message(to: name)]
        try await SMTPPeer.withMailer(SMTPPeer.url(server)) { mailer in
            for _ in 0..<2 {
                let error = await #expect(throws: MailError.self) { try await mailer.send(messages) }
                #expect(error?.field == field && error?.reason.contains("answers 55") == true)
                messages.removeAll { $0.messageID == error?.messageID }
            }
            try await mailer.send(messages)
        }
        #expect(messages.count == 2)
        #expect(try SMTPPeer.taken(by: server, of: messages).count == 2)
    }

    @Test("a letter that is too large for the server is refused for that") func tooLarge() async throws {
        try await SMTPPeer.withMailer(SMTPPeer.url("small")) { mailer in
            let large = SMTPPeer.message(text: String(repeating: "word ", count: 1_000))
            let error = await #expect(throws: MailError.self) { try await mailer.send([large, SMTPPeer.message()]) }
            #expect(error?.messageID == large.messageID && error?.field == "body")
        }
    }

    @Test("a message that is wrong in itself is found before any is sent") func wrong() async throws {
        let messages = [SMTPPeer.message(), SMTPPeer.message(from: "nobody")]
        try await SMTPPeer.withMailer(SMTPPeer.url("plain")) { mailer in
            await #expect(throws: MailError.self) { try await mailer.send(messages) }
        }
        #expect(try SMTPPeer.taken(by: "plain", of: messages) == [])
    }

    @Test("what the server wants later stays due, and the others go on") func later() async throws {
        let messages = [SMTPPeer.message(to: "later")] + (0..<3).map { _ in SMTPPeer.message() }
        try await SMTPPeer.withMailer(SMTPPeer.url("plain")) { mailer in
            let error = await #expect(throws: SMTPError.self) { try await mailer.send(messages) }
            #expect(error == .postponed(messageID: messages[0].messageID, reply: "450 4.2.1 try again later"))
            #expect(try SMTPPeer.taken(by: "plain", of: messages).count == 3)
            try await mailer.send(messages)
            #expect(try SMTPPeer.taken(by: "plain", of: messages).count == 4)
        }
    }

    @Test(
        "a server that hangs up after a letter, or loses an answer, is asked on a new connection",
        arguments: ["one-letter", "tired", "forgetful"])
    func hangsUp(server: String) async throws {
        let messages = (0..<12).map { _ in SMTPPeer.message() }
        try await SMTPPeer.withMailer(SMTPPeer.url(server)) { mailer in
            // Its first connection of all is lost before anything was taken over it.
            if server == "forgetful" {
                await #expect(throws: SMTPError.self) { try await mailer.send([messages[0]]) }
            }
            try await mailer.send(messages)
            let taken = try SMTPPeer.taken(by: server, of: messages)
            #expect(taken.count == 12 && Set(taken).count == 12)
        }
    }

    @Test(
        "a server that is silent, speaks garbage, or takes no mail is named",
        arguments: ["silent", "garbage", "half", "closed", "endless"])
    func bad(server: String) async throws {
        // Those that say nothing more are waited for, as long as this.
        let url = try SMTPPeer.url(server)
        try await SMTPPeer.withMailer(url, reply: .seconds(1)) { mailer in
            let error = await #expect(throws: SMTPError.self) { try await mailer.send([SMTPPeer.message()]) }
            #expect(error?.kind == "unavailable" && error.map { "\($0)".contains("localhost:\(url.port)") } == true)
        }
    }

    @Test("a server that is away is named") func away() async throws {
        let url = try SMTPURL("smtp://127.0.0.1:1")
        try await SMTPPeer.withMailer(url) { mailer in
            let error = await #expect(throws: SMTPError.self) { try await mailer.send([SMTPPeer.message()]) }
            #expect(error?.kind == "unavailable" && error.map { "\($0)".contains("127.0.0.1:1") } == true)
        }
    }

    @Test("who gives up is let go, though the server says nothing") func cancellation() async throws {
        try await SMTPPeer.withMailer(SMTPPeer.url("silent")) { mailer in
            await withTaskGroup(of: Void.self) { group in
                group.addTask {
                    await #expect(throws: CancellationError.self) {
                        try await mailer.send((0..<9).map { _ in SMTPPeer.message() })
                    }
                }
                group.cancelAll()
            }
        }
    }
}

extension SMTPError {
    /// The case's name, for tests that care for no more.
    var kind: String { Mirror(reflecting: self).children.first?.label ?? "" }
}
