import Foundation
import Kernel

/// A server in Python that the tests talk to. It runs as long as this process, and ends with it: its standard input is
/// a pipe that nobody writes to.
final class PythonPeer: Sendable {
    enum Failure: Error { case noFacts(script: String) }

    /// What it said about itself.
    let facts: JSON
    /// For its files.
    let folder: String
    /// Keeps the pipes open.
    private let process: Process

    init(_ script: String) throws {
        let folder = NSTemporaryDirectory() + "souk-peer-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        let output = Pipe()
        process = Process()
        process.executableURL = URL(fileURLWithPath: Self.python)
        process.arguments = [Self.root.appending(path: "Tests/Peers/\(script)").path, folder]
        process.standardInput = Pipe()
        process.standardOutput = output
        process.environment = ["PATH": "/usr/bin:/bin", "AWS_EC2_METADATA_DISABLED": "true"]
        try process.run()
        var line = Data()
        while line.last != UInt8(ascii: "\n") {
            let data = output.fileHandleForReading.availableData
            guard !data.isEmpty else { throw Failure.noFacts(script: script) }
            line += data
        }
        facts = try JSON.parse(Array(line))
        self.folder = folder
    }

    func port(_ name: String) throws -> Int {
        guard let port = facts[name]?.integerValue else { throw Failure.noFacts(script: name) }
        return Int(port)
    }

    private static let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent()

    private static let python =
        ProcessInfo.processInfo.environment["SOUK_TEST_PYTHON"] ?? root.appending(path: ".venv/bin/python").path

    /// Whether the modules are installed for the Python of the tests.
    static func has(_ modules: String...) -> Bool {
        guard FileManager.default.isExecutableFile(atPath: python) else { return false }
        let process = Process()
        process.executableURL = URL(fileURLWithPath: python)
        let names = modules.map { "'\($0)'" }.joined(separator: ",")
        process.arguments = [
            "-c", "import importlib.util as u, sys; sys.exit(not all(u.find_spec(m) for m in [\(names)]))",
        ]
        guard (try? process.run()) != nil else { return false }
        process.waitUntilExit()
        return process.terminationStatus == 0
    }
}
