import Kernel

/// Writes each message to a file, `FOLDER/2026-01-01/MESSAGE-ID.eml`, which any mail reader opens.
///
/// The day is the message's own and the name is its id, so that sending again writes the same file. Files are not
/// forced to the disk one by one: what must not be lost is the row that says the message is due.
public struct MailSpool: Mailer {
    public let folder: String

    public init(folder: String) { self.folder = folder }

    /// Throws `MailError`, or `FileError`.
    public func send(_ messages: [Message]) async throws {
        guard !messages.isEmpty else { return }
        try await behindOthers { [folder] in
            let files = try messages.map { message throws in
                (
                    day: "\(folder)/\(message.date.rfc3339.prefix(10))", id: message.messageID,
                    bytes: try message.formatted()
                )
            }
            var made: Set<String> = []
            for file in files {
                if made.insert(file.day).inserted { try Files.makeFolder(file.day) }
                let path = "\(file.day)/\(file.id).eml"
                try Files.write(file.bytes, to: path, by: "\(file.day)/.\(file.id).part", isSynced: false)
            }
        }
    }
}

/// Runs the work on a thread of its own, behind all others: making a file costs more than the order it tells of.
func behindOthers<Result: Sendable>(_ work: @escaping @Sendable () throws -> Result) async throws -> Result {
    try await withCheckedThrowingContinuation { continuation in
        startThread(named: "mail") {
            workBehindOthers()
            continuation.resume(with: Swift.Result { try work() })
        }
    }
}
