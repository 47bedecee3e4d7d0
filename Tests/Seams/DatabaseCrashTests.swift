import Database
import Foundation
import Testing

/// What kill -9 may not take. The page cache survives a killed process, so this shows the order of commit and
/// acknowledgement and the recovery of the log, not the disk's own promise (that is `PRAGMA synchronous`).
@Suite("Database: crashes")
struct DatabaseCrashTests {
    private static let variable = "SOUK_TEST_CRASH_DATABASE"
    private static let victim = ProcessInfo.processInfo.environment[variable]

    /// This program again, as the one to be killed: it writes pairs for ever and says which were acknowledged.
    @Test("the victim (run by the next test)", .enabled(if: victim != nil))
    func runVictim() async throws {
        let database = try await SQLiteDatabase.open(path: try #require(Self.victim))
        try await database.migrate([
            Migration(1, "pairs", sqlite: "CREATE TABLE pairs (name TEXT NOT NULL, half INTEGER, UNIQUE (name, half))")
        ])
        let run = UUID().uuidString
        try await withThrowingTaskGroup(of: Void.self) { group in
            for caller in 0..<32 {
                group.addTask {
                    for number in 0... {
                        let name = "\(run)-\(caller)-\(number)"
                        do {
                            try await database.write { transaction in
                                try transaction.execute("INSERT INTO pairs VALUES ($1, 1)", name)
                                if number % 5 == 4 { throw DatabaseTestRefusal(why: "now and then") }
                                try transaction.execute("INSERT INTO pairs VALUES ($1, 2)", name)
                            }
                            let line = "ack \(name)\n"
                            _ = write(1, line, line.utf8.count)
                        } catch is DatabaseTestRefusal {}
                    }
                }
            }
            try await group.waitForAll()
        }
    }

    @Test("what was acknowledged before kill -9 is there, whole; what was refused is not", .enabled(if: victim == nil))
    func killed() async throws {
        let folder = try DatabaseTestFolder()
        let path = folder.file("a.db")
        var acknowledged: Set<String> = []
        for round in 1...5 {
            acknowledged.formUnion(try await Self.killAfter(acknowledgements: round * 200, path: path))
            // As `souk audit` opens it: the log is read without being emptied.
            let database = try await SQLiteDatabase.openReadOnly(path: path)
            let (check, halves) = try await database.read { transaction in
                let check = try transaction.row("PRAGMA integrity_check")?.text(0)
                var halves: [String: Int] = [:]
                try transaction.forEach("SELECT name FROM pairs") { halves[try $0.text(0), default: 0] += 1 }
                return (check, halves)
            }
            #expect(check == "ok")
            #expect(acknowledged.subtracting(halves.keys).isEmpty)
            #expect(halves.values.allSatisfy { $0 == 2 })
            await database.close()
        }
        #expect(acknowledged.count >= 1_000)
    }

    private static func killAfter(acknowledgements: Int, path: String) async throws -> Set<String> {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath()
        process.arguments = ["--testing-library", "swift-testing", "--filter", "runVictim"]
        process.environment = ProcessInfo.processInfo.environment.merging([variable: path]) { _, new in new }
        let pipe = Pipe()
        process.standardOutput = pipe
        process.standardError = FileHandle.nullDevice
        try process.run()
        let identifier = process.processIdentifier
        // Reading blocks: on a thread of Dispatch's, not of the pool's.
        return await withCheckedContinuation { continuation in
            DispatchQueue.global().async {
                var text = Data()
                var isKilled = false
                while true {
                    let part = pipe.fileHandleForReading.availableData
                    if part.isEmpty { break }
                    text.append(part)
                    if !isKilled, text.count(where: { $0 == UInt8(ascii: "\n") }) > acknowledgements {
                        isKilled = true
                        kill(identifier, SIGKILL)
                    }
                }
                let lines = String(decoding: text, as: UTF8.self).split(
                    separator: "\n", omittingEmptySubsequences: false)
                // The last line may have been cut.
                continuation.resume(
                    returning: Set(lines.dropLast().filter { $0.hasPrefix("ack ") }.map { String($0.dropFirst(4)) }))
            }
        }
    }
}
