import Database

/// What the manifest of a continuous copy says of the PostgreSQL server that it is of.
struct ServerBase: Sendable, Equatable {
    static let engine = "postgres"

    /// The server's own name, made up with its data folder.
    var system: String
    /// One more with every promotion.
    var timeline: Int
    /// 150004.
    var version: Int
    /// Bytes in a file of the log.
    var segmentSize: Int
    /// The files are whole together with the log between them.
    var start: LSN
    var end: LSN

    /// From where the log is kept: the beginning of its file.
    var logStart: LSN { start.segmentStart(segmentSize) }

    func isOf(_ server: PostgresReplication.Server) -> Bool {
        system == server.identifier && timeline == server.timeline && segmentSize == server.segmentSize
    }

    var details: [String: String] {
        [
            "system": system, "timeline": "\(timeline)", "version": "\(version)", "segment_size": "\(segmentSize)",
            "start": "\(start)", "end": "\(end)",
        ]
    }

    init(_ server: PostgresReplication.Server, _ base: PostgresReplication.Base) {
        system = server.identifier
        timeline = base.timeline
        version = server.version
        segmentSize = server.segmentSize
        start = base.start
        end = base.end
    }

    /// Throws `BackupError.damagedManifest` for what no server can have said.
    init(_ manifest: Manifest) throws {
        func read<T>(_ name: String, _ parse: (String) -> T?) throws -> T {
            guard let value = manifest.details?[name].flatMap(parse) else {
                throw BackupError.damagedManifest(backup: manifest.id, detail: "it lacks the server's \(name)")
            }
            return value
        }
        system = try read("system") { $0 }
        timeline = try read("timeline") { Int($0).flatMap { (1...Int(Int32.max)).contains($0) ? $0 : nil } }
        version = try read("version") { Int($0) }
        segmentSize = try read("segment_size") { text in
            Int(text).flatMap { $0.nonzeroBitCount == 1 && (1 << 20...1 << 30).contains($0) ? $0 : nil }
        }
        start = try read("start") { LSN($0) }
        end = try read("end") { LSN($0) }
    }
}

/// Which stretch of the log a cut holds.
struct Stretch: Sendable, Equatable {
    let start: LSN
    let end: LSN

    var details: [String: String] { ["log_start": "\(start)", "log_end": "\(end)"] }

    init(start: LSN, end: LSN) { (self.start, self.end) = (start, end) }

    init?(_ details: [String: String]) {
        guard let start = details["log_start"].flatMap({ LSN($0) }), let end = details["log_end"].flatMap({ LSN($0) }),
            start <= end
        else { return nil }
        self.init(start: start, end: end)
    }
}
