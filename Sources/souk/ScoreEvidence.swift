import Drills
import FoundationEssentials
import Kernel

/// The evidence folder, and where its files are seen from a report.
struct ScoreEvidence: Sendable {
    static let largestFile = 64 << 20
    /// What drills write is long where they ran long.
    private static let limits = JSONLimits(members: 1_000_000, bytes: largestFile)
    private static let charts = ["chart.yaml", "chart.json"]

    private(set) var evidence = Evidence()
    private let folder: String
    private let names: Set<String>
    private var chart: String?

    /// - Parameter chart: in place of the folder's.
    /// - Throws: `DrillError` that names the file, the field, and what was expected.
    init(folder: String, chart: String?, now: Timestamp) throws {
        guard let names = try? FileManager.default.contentsOfDirectory(atPath: folder) else {
            throw DrillError("there is no folder '\(folder)', expected the evidence of drills: `make score` gathers it")
        }
        self.folder = folder
        self.names = Set(names)
        for name in names.sorted() where name.hasSuffix(".json") && !Self.charts.contains(name) {
            try read(name, now)
        }
        self.chart = chart ?? Self.charts.first(where: names.contains).map { "\(folder)/\($0)" }
        if let path = self.chart {
            let name = chart ?? path.split(separator: "/").last.map(String.init)
            evidence.chart = ChartFacts(file: name ?? path, objects: try ScoreChart.read(path))
        }
    }

    private mutating func read(_ name: String, _ now: Timestamp) throws {
        let path = "\(folder)/\(name)"
        do {
            let bytes = try Files.read(path, limit: Self.largestFile, followsLinks: true)
            _ = try evidence.read(name, try JSON.parse(bytes, limits: Self.limits), now: now)
        } catch let error as JSONError {
            throw DrillError("\(path) is no JSON: \(error)")
        } catch let error as DrillError {
            throw DrillError("\(folder)/\(error)")
        }
    }

    /// The file, seen from where the report is.
    ///
    /// - Parameter file: as the evidence names it.
    func link(_ file: String, from report: String) -> String {
        let target = file == evidence.chart?.source.file ? chart ?? file : "\(folder)/\(file)"
        return Self.relative(target, to: report)
    }

    /// The report for people beside a file: `load.html` beside `load.json`.
    func page(_ file: String, from report: String) -> String? {
        guard file.hasSuffix(".json") else { return nil }
        let page = String(file.dropLast(5)) + ".html"
        return names.contains(page) ? Self.relative("\(folder)/\(page)", to: report) : nil
    }

    /// Both from here, or absolute.
    static func relative(_ path: String, to report: String) -> String {
        let target = parts(path)
        let base = parts(report).dropLast()
        let common = zip(target, base).prefix { $0 == $1 }.count
        let up = [String](repeating: "..", count: base.count - common)
        return (up + target.dropFirst(common).map { $0.percentEncoded() }).joined(separator: "/")
    }

    private static func parts(_ path: String) -> [String] {
        let absolute = path.hasPrefix("/") ? path : FileManager.default.currentDirectoryPath + "/" + path
        var parts: [String] = []
        for part in absolute.split(separator: "/") where part != "." {
            if part == ".." { _ = parts.popLast() } else { parts.append(String(part)) }
        }
        return parts
    }
}
