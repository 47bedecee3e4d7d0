import Foundation
import Kernel
import Mail
import Testing

struct MailTests {
    private let folder = NSTemporaryDirectory() + "souk-mail-\(UUID().uuidString)"
    private let date = Timestamp(year: 2026, month: 3, day: 1, hour: 9, minute: 5, second: 7)

    private func message(
        to: String = "ada@example.com", from: String = "Souk <shop@souk.example>", subject: String = "Your order",
        text: String = "Thank you.", html: String? = nil, id: String = "ntf_01@souk.example"
    ) -> Message {
        Message(to: to, from: from, subject: subject, text: text, html: html, messageID: id, date: date)
    }

    /// What the spool wrote for one message.
    private func spooled(_ message: Message) async throws -> String {
        defer { try? FileManager.default.removeItem(atPath: folder) }
        try await MailSpool(folder: folder).send([message])
        let data = try Data(contentsOf: URL(fileURLWithPath: "\(folder)/2026-03-01/\(message.messageID).eml"))
        return String(decoding: data, as: UTF8.self)
    }

    @Test func aPlainMessageHasItsHeadersAndItsText() async throws {
        #expect(
            try await spooled(message(text: "One\nTwo = 2\r\n.dot")) == """
                Date: Sun, 01 Mar 2026 09:05:07 +0000\r
                From: "Souk" <shop@souk.example>\r
                To: ada@example.com\r
                Subject: Your order\r
                Message-ID: <ntf_01@souk.example>\r
                MIME-Version: 1.0\r
                Content-Type: text/plain; charset=utf-8\r
                Content-Transfer-Encoding: quoted-printable\r
                \r
                One\r
                Two =3D 2\r
                =2Edot\r

                """)
    }

    @Test func htmlStandsBesideTheTextAfterIt() async throws {
        let mail = try await spooled(message(text: "Hi", html: "<p>Hi</p>"))
        let parts = mail.components(separatedBy: "--=_souk_alternative")
        #expect(parts.count == 4)
        #expect(parts[0].contains("Content-Type: multipart/alternative; boundary=\"=_souk_alternative\"\r\n"))
        #expect(parts[1].hasPrefix("\r\nContent-Type: text/plain; charset=utf-8\r\n"))
        #expect(parts[1].hasSuffix("\r\n\r\nHi\r\n"))
        #expect(parts[2].hasPrefix("\r\nContent-Type: text/html; charset=utf-8\r\n"))
        #expect(parts[2].hasSuffix("\r\n\r\n<p>Hi</p>\r\n"))
        #expect(parts[3] == "--\r\n")
    }

    @Test func otherThanASCIIIsEncodedAndLinesStayShort() async throws {
        let mail = try await spooled(
            message(
                from: "Søuk \"fine\" <shop@souk.example>", subject: String(repeating: "Größe 😀 ", count: 30),
                text: String(repeating: "Straße 😀 ", count: 400)))
        #expect(mail.utf8.allSatisfy { $0 < 0x80 })
        #expect(mail.components(separatedBy: "\r\n").allSatisfy { $0.utf8.count <= 76 + 9 })
        #expect(!mail.replacingOccurrences(of: "\r\n", with: "").contains("\n"))
        let subject = try #require(mail.firstRange(of: "Subject: ")).upperBound
        let folded = mail[subject...].components(separatedBy: "\r\nMessage-ID")[0]
        let words = folded.components(separatedBy: "\r\n ").map { word in
            #expect(word.utf8.count <= 75 && word.hasPrefix("=?utf-8?B?") && word.hasSuffix("?="))
            return Data(base64Encoded: String(word.dropFirst(10).dropLast(2))) ?? Data()
        }
        // Each word is text by itself: no character is cut.
        let text = words.compactMap { String(data: $0, encoding: .utf8) }.joined()
        #expect(text == String(repeating: "Größe 😀 ", count: 30))
        #expect(decodedQuotedPrintable(mail).contains(String(repeating: "Straße 😀 ", count: 400)))
    }

    private func decodedQuotedPrintable(_ mail: String) -> String {
        let body = Array(
            (mail.components(separatedBy: "\r\n\r\n").last ?? "").replacingOccurrences(of: "=\r\n", with: "").utf8)
        var bytes: [UInt8] = []
        var index = 0
        while index < body.count {
            if body[index] == UInt8(ascii: "="), index + 2 < body.count {
                bytes.append(UInt8(String(decoding: body[(index + 1)...(index + 2)], as: UTF8.self), radix: 16) ?? 0)
                index += 3
            } else {
                bytes.append(body[index])
                index += 1
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    @Test(arguments: [
        "a@b\r\nBcc: x@y", "a@b\nBcc: x@y", "a b@c", "a@b,c@d", "a@b;c@d", "a", "@b", "a@", "a@b@c", "é@b", "",
        "Ada <a@b>, Eve <e@f>", "Ada <a@b", "A\r\nBcc: e <a@b>",
    ])
    func anAddressThatCouldBeMoreIsRefused(address: String) async throws {
        for wrong in [message(to: address), message(from: address)] {
            await #expect(throws: MailError.self) {
                try await MailSpool(folder: folder).send([message(id: "x@y"), wrong])
            }
        }
        // Nothing is sent if one of them is wrong.
        #expect(!FileManager.default.fileExists(atPath: folder))
    }

    @Test func aSubjectOrIdThatCouldBeMoreIsRefused() async throws {
        for wrong in [
            message(subject: "a\r\nBcc: x@y"), message(subject: "a\0"), message(id: "../x@y"), message(id: "a/b@c"),
            message(id: "a"), message(id: ".a@b"), message(id: "a>@b"),
            message(id: String(repeating: "a", count: 300) + "@b"),
        ] {
            await #expect(throws: MailError.self) { try await MailSpool(folder: folder).send([wrong]) }
        }
    }

    @Test func theSameIdIsTheSameFile() async throws {
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let spool = MailSpool(folder: folder)
        try await spool.send([message(), message(id: "ntf_02@souk.example")])
        try await spool.send([message()])
        let files = try FileManager.default.contentsOfDirectory(atPath: folder + "/2026-03-01").sorted()
        #expect(files == ["ntf_01@souk.example.eml", "ntf_02@souk.example.eml"])
    }
}
