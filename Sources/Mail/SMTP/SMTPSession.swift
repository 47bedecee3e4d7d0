import CCurl
import Kernel

/// One handle of libcurl's, with the connection that it keeps between letters.
///
/// Sendable because one thread at a time has it: who uses it has taken it out of the mailer's list, which is locked.
final class SMTPSession: @unchecked Sendable {
    /// What a letter was answered.
    enum Verdict: Equatable {
        case taken
        /// For ever, and for this letter alone.
        case refused(MailError)
        /// Perhaps later; or the server is of no use at all.
        case failed(SMTPError)
        case cancelled
    }

    /// Codes that say something of the dialogue or of the log-in, whatever they are an answer to.
    private static let codesOfTheDialogue: Set = [421, 500, 502, 503, 530, 534, 535, 538]
    private static let maxReasonCharacters = 200

    private let url: SMTPURL
    private let library: LibCurl
    /// Nil once it is closed.
    private var handle: LibCurl.Handle?
    /// libcurl's own words for what went wrong.
    private let message = UnsafeMutablePointer<CChar>.allocate(capacity: Int(CURL_ERROR_SIZE))

    init(_ url: SMTPURL, _ library: LibCurl, _ timeouts: SMTPMailer.Timeouts) throws(SMTPError) {
        guard let handle = library.makeHandle() else { throw .libraryMissing("it has no memory left") }
        self.url = url
        self.library = library
        self.handle = handle
        message.initialize(repeating: 0, count: Int(CURL_ERROR_SIZE))
        set(CURLOPT_URL, "\(url.tls == .implicit ? "smtps" : "smtp")://\(url.server)")
        set(CURLOPT_USE_SSL, url.tls == .off ? CURLUSESSL_NONE : url.tls == .offered ? CURLUSESSL_TRY : CURLUSESSL_ALL)
        set(CURLOPT_SSLVERSION, Int(CURL_SSLVERSION_TLSv1_2))
        if let file = url.certificates { set(CURLOPT_CAINFO, file) }
        if let user = url.user, let password = url.password {
            set(CURLOPT_USERNAME, user)
            set(CURLOPT_PASSWORD, password)
        }
        // Not what the environment says about the web.
        set(CURLOPT_PROXY, "")
        set(CURLOPT_CONNECTTIMEOUT_MS, Int(timeouts.connect.microseconds / 1_000))
        set(CURLOPT_SERVER_RESPONSE_TIMEOUT, max(1, Int(timeouts.reply.microseconds / 1_000_000)))
        set(CURLOPT_TIMEOUT_MS, Int(timeouts.letter.microseconds / 1_000))
        set(CURLOPT_MAXAGE_CONN, Int(SMTPMailer.idleTime.components.seconds))
        // Without signals, which are the whole process's: see `ignoreBrokenPipes`.
        set(CURLOPT_NOSIGNAL, 1)
        set(CURLOPT_NOPROGRESS, 0)
        set(CURLOPT_VERBOSE, 1)
        set(CURLOPT_UPLOAD, 1)
        _ = souk_curl_set_pointer(library.set, handle, CURLOPT_ERRORBUFFER, message)
        _ = souk_curl_set_transfer(library.set, handle, CURLOPT_READFUNCTION, SMTPDialogue.read)
        _ = souk_curl_set_transfer(library.set, handle, CURLOPT_HEADERFUNCTION, SMTPDialogue.hear)
        _ = souk_curl_set_debug(library.set, handle, CURLOPT_DEBUGFUNCTION, SMTPDialogue.observe)
        _ = souk_curl_set_progress(library.set, handle, CURLOPT_XFERINFOFUNCTION, SMTPDialogue.progress)
    }

    deinit {
        close()
        message.deallocate()
    }

    /// Says good-bye, and waits for the answer as for any other.
    func close() {
        library.freeHandle(handle)
        handle = nil
    }

    /// A server may close a connection that has carried letters whenever it likes: then the letter goes out once more,
    /// on a new one. Where that fails, the server is away.
    func send(_ letter: SMTPLetter, isCancelled: @escaping @Sendable () -> Bool) -> Verdict {
        let (verdict, isConnectionNew) = exchange(letter, onNewConnection: false, isCancelled)
        guard case .failed(.unavailable) = verdict, !isConnectionNew else { return verdict }
        return exchange(letter, onNewConnection: true, isCancelled).verdict
    }

    private func exchange(
        _ letter: SMTPLetter, onNewConnection: Bool, _ isCancelled: @escaping @Sendable () -> Bool
    ) -> (verdict: Verdict, isConnectionNew: Bool) {
        let dialogue = SMTPDialogue(letter, isCancelled: isCancelled)
        let recipients = library.append(nil, letter.to)
        defer { library.freeList(recipients) }
        set(CURLOPT_MAIL_FROM, letter.from)
        _ = souk_curl_set_pointer(library.set, handle, CURLOPT_MAIL_RCPT, recipients)
        _ = souk_curl_set_size(library.set, handle, CURLOPT_INFILESIZE_LARGE, curl_off_t(letter.bytes.count))
        set(CURLOPT_FRESH_CONNECT, onNewConnection ? 1 : 0)
        return withExtendedLifetime(dialogue) {
            let pointer = Unmanaged.passUnretained(dialogue).toOpaque()
            for option in [CURLOPT_READDATA, CURLOPT_HEADERDATA, CURLOPT_DEBUGDATA, CURLOPT_XFERINFODATA] {
                _ = souk_curl_set_pointer(library.set, handle, option, pointer)
            }
            message[0] = 0
            let outcome = library.perform(handle)
            return (verdict(on: letter, outcome, dialogue), number(CURLINFO_NUM_CONNECTS) > 0)
        }
    }

    private func verdict(on letter: SMTPLetter, _ outcome: CURLcode, _ dialogue: SMTPDialogue) -> Verdict {
        let code = number(CURLINFO_RESPONSE_CODE)
        switch outcome {
        case CURLE_OK: return .taken
        case CURLE_ABORTED_BY_CALLBACK: return .cancelled
        case CURLE_LOGIN_DENIED where !(400..<500).contains(code):
            return .failed(.loginRefused(server: url.server, reason: code >= 500 ? dialogue.reply : reason(outcome)))
        case CURLE_USE_SSL_FAILED, CURLE_SSL_CONNECT_ERROR, CURLE_PEER_FAILED_VERIFICATION, CURLE_SSL_CACERT_BADFILE:
            return .failed(.insecure(server: url.server, reason: reason(outcome)))
        case CURLE_SEND_ERROR where code >= 400, CURLE_WEIRD_SERVER_REPLY where code >= 400,
            CURLE_RECV_ERROR where code >= 400:
            return refusal(of: letter, code, dialogue)
        default: return unavailable(reason(outcome))
        }
    }

    private func refusal(of letter: SMTPLetter, _ code: Int, _ dialogue: SMTPDialogue) -> Verdict {
        guard dialogue.step != .before, !Self.codesOfTheDialogue.contains(code) else {
            return unavailable(dialogue.reply)
        }
        if code < 500 { return .failed(.postponed(messageID: letter.messageID, reply: dialogue.reply)) }
        // The sender is the same for all letters; only the letter's size, which stands beside it, is its own.
        if dialogue.step == .mail, code != 552 { return unavailable(dialogue.reply) }
        return .refused(
            MailError(
                messageID: letter.messageID, field: dialogue.step == .recipient ? "To" : "body",
                reason: "the mail server answers \(dialogue.reply)"))
    }

    private func unavailable(_ reason: String) -> Verdict {
        .failed(.unavailable(server: url.server, reason: reason))
    }

    private func reason(_ outcome: CURLcode) -> String {
        let own = String(cString: message)
        return String(
            (own.isEmpty ? library.text(outcome).map { String(cString: $0) } ?? "" : own)
                .prefix(Self.maxReasonCharacters))
    }

    private func set(_ option: CURLoption, _ value: Int) {
        _ = souk_curl_set_number(library.set, handle, option, value)
    }

    private func set(_ option: CURLoption, _ value: curl_usessl) { set(option, Int(value.rawValue)) }

    /// libcurl copies it.
    private func set(_ option: CURLoption, _ value: String) {
        _ = value.withCString { souk_curl_set_pointer(library.set, handle, option, $0) }
    }

    private func number(_ information: CURLINFO) -> Int {
        var value = 0
        _ = souk_curl_get_number(library.get, handle, information, &value)
        return value
    }
}
