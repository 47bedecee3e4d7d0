import Kernel
import Redis

/// The Redis side of one source's events: a stream whose entries have the outbox's sequences as their ids, and a group
/// for each consumer. Every step is one script, so that it is done as a whole or not at all.
///
/// Nothing here is the only place where something is known. What was not finished by every consumer is in the outbox,
/// and the consumers' positions are beside it; from these the relay makes the stream anew.
struct EventStream: Sendable {
    /// A stream takes no more entries than these: until they are finished, events stay in the outbox.
    static let longest = 500_000
    static let deadAtOnce = 100
    /// Of the data of the events in one script.
    static let bytesAtOnce = 1 << 20

    let source: String
    /// Names the process that uses it.
    let process: String
    let client: RedisClient
    let prefix: String
    /// For how long a process has a consumer to itself without a sign of life.
    let lease: Duration

    private var stream: String { prefix + source }
    private var dead: String { stream + ":dead" }
    private func holder(of consumer: String) -> String { "\(stream):holder:\(consumer)" }
    /// Rung when there is something to do for consumers.
    static func bell(_ source: String, _ prefix: String) -> String { prefix + source + ":bell" }
    private var bell: String { Self.bell(source, prefix) }

    private func run(_ script: String, _ keys: [String], _ arguments: [any RedisArgument]) async throws -> RedisValue {
        try await client.send(.script(script, keys: keys, arguments))
    }

    // MARK: - For the relay

    /// Makes the stream and the groups that are missing, each behind its consumer's position, and gives the stream's
    /// latest sequence: at least that which all consumers have finished.
    ///
    /// A stream of another life of the database, one that was restored from a backup since, is made anew too: what its
    /// groups have finished, the restored consumers may not have. It tells itself by when the schema was made, or by
    /// being ahead of what the outbox ever issued.
    func open(positions: [String: Int64], issued: Int64, life: Timestamp) async throws -> Int64 {
        var arguments: [any RedisArgument] = [positions.values.min() ?? 0, issued, bell, life.microseconds]
        for (consumer, position) in positions { arguments += [consumer, position] as [any RedisArgument] }
        return try await run(Self.open, [stream, stream + ":life", dead], arguments).integer()
    }

    enum Appending: Equatable {
        case appended
        /// Another relay has gone on to this sequence.
        case overtaken(at: Int64)
        /// The stream is gone, or behind what it was: Redis was flushed or has an older state.
        case lost
        case full
    }

    /// Appends all of them, or nothing unless the stream's latest sequence is the one given.
    func append(_ entries: ArraySlice<Outbox.Entry>, after latest: Int64) async throws -> Appending {
        var arguments: [any RedisArgument] = [latest, bell, Self.longest]
        arguments.reserveCapacity(3 + entries.count * (1 + EventFields.count))
        for entry in entries {
            arguments.append(entry.sequence)
            EventFields.append(entry.event, for: entry.consumer ?? "", to: &arguments)
        }
        switch try await run(Self.append, [stream], arguments).integer() {
        case latest: return .appended
        case -1: return .lost
        case -2: return .full
        case let other: return other > latest ? .overtaken(at: other) : .lost
        }
    }

    /// Where the stream stands, seen in one moment: whatever a position has passed is finished or among the dead.
    struct Standing: Sendable {
        let latest: Int64
        let positions: [String: Int64]
        let dead: [Letter]
        var hasMoreDead: Bool { dead.count == EventStream.deadAtOnce }

        struct Letter: Sendable {
            let id: String
            /// Nil where it cannot be read.
            let content: (consumer: String, burial: Burial)?
        }
    }

    /// Nil where there is no stream.
    func standing() async throws -> Standing? {
        let answer = try await run(Self.standing, [stream, dead], [Self.deadAtOnce])
        guard !answer.isNull else { return nil }
        let parts = try answer.array()
        guard parts.count == 3 else { throw RedisError.unexpected("\(parts.count) parts instead of 3") }
        var positions: [String: Int64] = [:]
        for group in try parts[1].array() {
            let group = try group.array()
            guard group.count == 3 else { throw RedisError.unexpected("a group of \(group.count) parts") }
            // The oldest that is not finished, or the latest that is.
            let isUnfinished = try group[2].integer() == 1
            positions[try group[0].text()] = try Self.sequence(group[1]) - (isUnfinished ? 1 : 0)
        }
        let dead = try parts[2].array().map { try Self.letter($0) }
        return Standing(latest: try Self.sequence(parts[0]), positions: positions, dead: dead)
    }

    /// Forgets dead letters that are in the database, and entries that all have finished.
    func trim(through floor: Int64, letters: [String]) async throws {
        var commands = [RedisCommand("XTRIM", stream, "MINID", "\(floor + 1)-0")]
        if !letters.isEmpty { commands.append(RedisCommand("XDEL", [dead] + letters)) }
        _ = try await client.send(commands)
    }

    // MARK: - For a consumer

    /// What the consumer has not finished, then what is new to it, at most `count`; empty if another process has it, or
    /// the relay has not made the stream yet. With it the ids of entries that cannot be read.
    func read(for consumer: String, count: Int) async throws -> (entries: [Outbox.Entry], unreadable: [String]) {
        let answer = try await run(
            Self.read, [stream, holder(of: consumer)], [consumer, process, milliseconds, count])
        var entries: [Outbox.Entry] = []
        var unreadable: [String] = []
        for value in try answer.array() {
            let parts = try value.array()
            guard parts.count == 2 else { throw RedisError.unexpected("an entry of \(parts.count) parts") }
            if let event = EventFields.event(parts[1]) {
                entries.append(
                    Outbox.Entry(
                        sequence: try Self.sequence(parts[0]), event: event, consumer: EventFields.consumer(parts[1])))
            } else {
                unreadable.append(try parts[0].text())
            }
        }
        return (entries, unreadable)
    }

    /// Gives whether the consumer still is this process's.
    func finish(_ ids: [String], of consumer: String, burying burials: [Burial] = []) async throws -> Bool {
        var arguments: [any RedisArgument] = [consumer, process, milliseconds, burials.count]
        for burial in burials {
            arguments += [String(burial.reason.prefix(Outbox.maxErrorCharacters)), burial.time.microseconds]
            EventFields.append(burial.event, for: consumer, to: &arguments)
        }
        return try await run(Self.finish, [stream, holder(of: consumer), dead], arguments + ids).integer() == 1
    }

    /// One sign of life for the consumers that this process has.
    func renew(_ consumers: [String]) -> [RedisCommand] {
        consumers.map { .script(Self.renew, keys: [holder(of: $0)], [process, milliseconds]) }
    }

    /// Lets another process have the consumer at once.
    func release(_ consumer: String) async throws {
        _ = try await run(Self.release, [holder(of: consumer)], [process, bell])
    }

    private var milliseconds: Int64 { max(1, lease.microseconds / 1_000) }

    static func id(_ sequence: Int64) -> String { "\(sequence)-0" }

    private static func sequence(_ value: RedisValue) throws -> Int64 {
        let text = try value.text()
        guard let number = Int64(text.prefix { $0 != "-" }) else {
            throw RedisError.unexpected("the id '\(text)' instead of a sequence")
        }
        return number
    }

    private static func letter(_ value: RedisValue) throws -> Standing.Letter {
        let parts = try value.array()
        guard parts.count == 2 else { throw RedisError.unexpected("an entry of \(parts.count) parts") }
        let id = try parts[0].text()
        guard case .array(let fields) = parts[1], fields.count >= 4, let reason = try? fields[1].text(),
            let time = try? fields[3].integer(), let event = EventFields.event(.array(Array(fields.dropFirst(4)))),
            let consumer = EventFields.consumer(.array(Array(fields.dropFirst(4))))
        else { return Standing.Letter(id: id, content: nil) }
        let burial = Burial(event: event, reason: reason, time: Timestamp(microseconds: time))
        return Standing.Letter(id: id, content: (consumer, burial))
    }
}

/// An event as the fields of a stream's entry, always in this order.
enum EventFields {
    static let names = ["id", "type", "subject", "time", "data", "trace", "consumer"]
    static var count: Int { names.count }

    static func append(_ event: Event, for consumer: String, to arguments: inout [any RedisArgument]) {
        arguments += [event.id.description, event.type, event.subject, event.time.microseconds, event.data]
        arguments += [event.trace?.traceparent ?? "", consumer]
    }

    /// Nil where somebody else wrote it.
    static func event(_ value: RedisValue) -> Event? {
        guard case .array(let fields) = value, fields.count >= 2 * count, let text = try? fields[1].text(),
            let id = ID<EventKind>(text), let type = try? fields[3].text(), let subject = try? fields[5].text(),
            let time = try? fields[7].integer(), let data = try? fields[9].bytes(), let trace = try? fields[11].text()
        else { return nil }
        return Event(
            id: id, type: type, subject: subject, time: Timestamp(microseconds: time), data: data,
            trace: TraceContext(traceparent: trace))
    }

    static func consumer(_ value: RedisValue) -> String? {
        guard case .array(let fields) = value, fields.count >= 2 * count, let name = try? fields[13].text() else {
            return nil
        }
        return name.isEmpty ? nil : name
    }
}
