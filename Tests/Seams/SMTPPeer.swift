import Foundation
import Kernel
import Testing

@testable import Mail

/// aiosmtpd in several settings, and servers that answer badly, started once for all tests.
enum SMTPPeer {
    static let isInstalled = PythonPeer.has("aiosmtpd", "cryptography")
    static let reason: Comment = "the mail servers of the tests are not installed: scripts/setup test"

    private static let started = Result { try PythonPeer("smtp.py") }

    /// - Parameters:
    ///   - server: as `smtp.py` names it.
    ///   - login: `user:password@`
    static func url(_ server: String, login: String = "", host: String = "localhost", options: String = "")
        throws -> SMTPURL
    {
        let peer = try started.get()
        let certificates = peer.facts["ca"]?.stringValue ?? ""
        return try SMTPURL("smtp://\(login)\(host):\(peer.port(server))?ca=\(certificates)\(options)")
    }

    /// The user that the servers know, whose password has all that must be encoded.
    static let login = "souk%40example.com:p%40ss%3Aw%2Frd%25@"

    static func withMailer(
        _ url: SMTPURL, reply: Duration = .seconds(60), _ body: (SMTPMailer) async throws -> Void
    ) async throws {
        var timeouts = SMTPMailer.Timeouts()
        timeouts.connect = reply
        timeouts.reply = reply
        let mailer = try SMTPMailer(url, timeouts)
        do { try await body(mailer) } catch { Issue.record(error) }
        await mailer.close()
    }

    /// A message that no other test has.
    static func message(
        to name: String = "ada", from: String = "Souk <shop@souk.example>", text: String = "Hello"
    ) -> Message {
        let id = UUID().uuidString
        return Message(
            to: "\(name)-\(id)@example.com", from: from, subject: "Your order", text: text,
            messageID: "\(id)@souk.example",
            date: Timestamp(year: 2026, month: 3, day: 1))
    }

    /// What the server has taken of the messages, once for each time, in any order.
    static func taken(by server: String, of messages: [Message]) throws -> [String] {
        let folder = try started.get().folder + "/" + server
        let names = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
        let letters = try names.map { try String(contentsOfFile: "\(folder)/\($0)", encoding: .utf8) }
        return letters.filter { letter in messages.contains { letter.contains("<\($0.messageID)>") } }
    }
}
