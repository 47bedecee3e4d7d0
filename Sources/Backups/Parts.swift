import Synchronization

/// The parts of one backup as they are made: gives them their numbers, and remembers them for the manifest.
final class Parts: Sendable {
    let backup: String
    let sealing: Sealing
    private let list = Mutex<[Manifest.Part]>([])

    init(backup: String, _ sealing: Sealing) {
        self.backup = backup
        self.sealing = sealing
    }

    var entries: [Manifest.Part] { list.withLock { $0 } }

    /// One after the other: no two parts have the same number.
    func seal(_ rows: [UInt8], count: Int, name: String) throws -> SealedPart {
        try list.withLock { list in
            let part = try SealedPart.seal(
                rows, count: count, number: list.count, name: name, of: backup, sealing)
            list.append(part.entry)
            return part
        }
    }
}
