import Kernel

extension PostgresReplication {
    /// A copy of all the server's files that is whole only together with its log between two places.
    public struct Base: Sendable, Equatable {
        public let start: LSN
        public let end: LSN
        public let timeline: Int
    }

    /// A piece of the log as it came.
    public struct Piece: Sendable, Equatable {
        public let start: LSN
        public let bytes: [UInt8]
        public var end: LSN { start + bytes.count }
    }

    /// Without a word for so long, the server is given up; it may have to write all that it has in memory first.
    private static let basePatience = Duration.seconds(1_800)

    // MARK: - The base

    /// Copies the data folder, as a tar archive (ustar).
    /// - Parameters:
    ///   - isStopped: looked at once a second and more; then it ends with a `CancellationError`.
    ///   - each: is given the archive's bytes in their order.
    public func base(isStopped: () -> Bool, each: ([UInt8]) throws -> Void) throws -> Base {
        try translating {
            let command = "BASE_BACKUP (LABEL 'souk', CHECKPOINT 'fast', WAL false, WAIT false, MANIFEST 'no')"
            guard link.library.sendQuery(link.handle, command) == 1 else { throw link.lost() }
            try link.flush(link.deadline)
            let began = try result(isStopped)
            guard began.rowCount == 1, case let first = try began.values(), first.count == 2,
                case .text(let start) = first[0], case .integer(let timeline) = first[1]
            else { throw violation("a base without its start") }
            let tablespaces = try result(isStopped)
            guard tablespaces.rowCount == 1 else { throw refusal("it has tablespaces, which are not copied") }
            guard try result(isStopped).givesCopy else { throw violation("a base without files") }
            try copyOut(isStopped, each)
            let ended = try result(isStopped)
            guard ended.rowCount == 1, case .text(let end)? = try ended.values().first, let start = LSN(start),
                let end = LSN(end)
            else { throw violation("a base without its end") }
            while let rest = try link.next(link.deadline) { if let refusal = rest.refusal { throw refusal } }
            return Base(start: start, end: end, timeline: Int(timeline))
        }
    }

    /// Each message has a letter for what it is.
    private func copyOut(_ isStopped: () -> Bool, _ each: ([UInt8]) throws -> Void) throws {
        var archives = 0
        var patience = ContinuousClock.now + Self.basePatience
        while true {
            if isStopped() { throw CancellationError() }
            switch try copyData(skipping: 1) {
            case .data(UInt8(ascii: "d"), let bytes): try each(bytes)
            case .data(UInt8(ascii: "n"), _):
                archives += 1
                guard archives == 1 else { throw refusal("it has tablespaces, which are not copied") }
            case .data(UInt8(ascii: "p"), _): break
            case .data: throw violation("something unknown in a base")
            case .end: return
            case .nothing:
                guard try link.waitForInput(within: .seconds(1)) || ContinuousClock.now < patience else {
                    throw link.lost("it fell silent in the middle of a base")
                }
                continue
            }
            patience = ContinuousClock.now + Self.basePatience
        }
    }

    /// The next answer, however long it takes, unless it is stopped.
    private func result(_ isStopped: () -> Bool) throws -> PostgresResult {
        let patience = ContinuousClock.now + Self.basePatience
        while link.library.isBusy(link.handle) == 1 {
            if isStopped() { throw CancellationError() }
            guard try link.waitForInput(within: .seconds(1)) || ContinuousClock.now < patience else {
                throw link.lost("the server did not answer in time")
            }
        }
        guard let result = try link.next(link.deadline) else { throw violation("an answer is missing") }
        if let refusal = result.refusal { throw refusal }
        return result
    }

    // MARK: - The log

    /// The log from that place on, with no end.
    public func start(at start: LSN, timeline: Int) throws {
        try translating {
            let command = "START_REPLICATION SLOT \(slot) PHYSICAL \(start) TIMELINE \(timeline)"
            guard link.library.sendQuery(link.handle, command) == 1 else { throw link.lost() }
            let deadline = link.deadline
            try link.flush(deadline)
            guard let result = try link.next(deadline) else { throw link.lost() }
            if let refusal = result.refusal { throw refusal }
            // Of an old timeline there may be nothing more.
            guard result.copiesBothWays else { throw ReplicationError.logRemoved(slot: slot) }
        }
    }

    /// The next piece of the log; nil when none came within that time.
    public func receive(within limit: Duration) throws -> Piece? {
        try translating {
            let deadline = ContinuousClock.now + limit
            while true {
                switch try copyData(skipping: 25) {
                case .data(UInt8(ascii: "w"), let bytes): return Piece(start: LSN(lastHeader(1)), bytes: bytes)
                case .data(UInt8(ascii: "k"), _): if header[17] == 1 { try confirm(confirmed) }
                case .data: throw violation("something unknown in its log")
                case .end:
                    while let result = try link.next(link.deadline) {
                        if let refusal = result.refusal { throw refusal }
                    }
                    throw link.lost("it ended its log, as for a stop or a new timeline")
                case .nothing:
                    let left = deadline - ContinuousClock.now
                    guard left > .zero else { return nil }
                    _ = try link.waitForInput(within: left)
                }
            }
        }
    }

    /// Tells that all before that place is kept for good: the server may remove it, and those who wait for a
    /// synchronous standby go on.
    public func confirm(_ end: LSN) throws {
        confirmed = max(confirmed, end)
        var message: [UInt8] = [UInt8(ascii: "r")]
        for number in [confirmed.position, confirmed.position, confirmed.position, 0] {
            withUnsafeBytes(of: number.bigEndian) { message.append(contentsOf: $0) }
        }
        message.append(0)
        try translating {
            while true {
                let code = message.withUnsafeBytes { bytes in
                    link.library.putCopyData(
                        link.handle, bytes.bindMemory(to: CChar.self).baseAddress, Int32(bytes.count))
                }
                guard code >= 0 else { throw link.lost() }
                try link.flush(link.deadline)
                if code == 1 { return }
            }
        }
    }

    // MARK: - Messages

    private enum Message {
        case nothing
        case end
        case data(UInt8, [UInt8])
    }

    /// What has come, without waiting: its letter and what stands behind its first bytes, which `header` keeps.
    private func copyData(skipping count: Int) throws -> Message {
        var buffer: UnsafeMutablePointer<CChar>?
        let length = Int(link.library.getCopyData(link.handle, &buffer, 1))
        defer { link.library.freemem(buffer) }
        switch length {
        case 0: return .nothing
        case -1: return .end
        case ..<0: throw link.lost()
        default: break
        }
        let bytes = UnsafeRawBufferPointer(start: buffer, count: length)
        header = Array(bytes.prefix(25))
        let letter = bytes[0]
        let isShort = (letter == UInt8(ascii: "w") && length < 25) || (letter == UInt8(ascii: "k") && length < 18)
        guard !isShort else { throw violation("half a message") }
        return .data(letter, Array(bytes.dropFirst(count)))
    }

    private func lastHeader(_ index: Int) -> UInt64 {
        header[index..<index + 8].reduce(0) { $0 << 8 | UInt64($1) }
    }

    private func violation(_ detail: String) -> ReplicationError { .protocolViolation(server: name, detail: detail) }
    private func refusal(_ reason: String) -> ReplicationError { .refused(server: name, reason: reason) }
}
