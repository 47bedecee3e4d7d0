import Kernel

/// Writes each message to a file, `FOLDER/2026-01-01/MESSAGE-ID.eml`, which any mail reader opens.
///
/// The day is the message's own and the name is its id, so that sending again writes the same file. Files are not
/// forced to the disk one by one: what must not be lost is the row that says the message is due.
public struct MailSpool: Mailer {
    public let folder: String
    private let pool: BlockingPool

    public init(folder: String) {
        self.folder = folder
        pool = BlockingPool(name: "mail", threads: 1)
    }

    /// Throws `MailError`, or `FileError`.
    public func send(_ messages: [Message]) async throws {
        guard !messages.isEmpty else { return }
        try await pool.run { [folder] in
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
