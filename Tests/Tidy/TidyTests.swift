import Foundation
import Testing

/// What a tool can hold of CONTRIBUTING.md's rules.
@Suite("The source tree is tidy") struct TidyTests {
    static let longestLine = 120
    static let longestFile = 400
    /// Lines at the top among which a longer file says why: `// Long because …`.
    static let linesForReason = 12

    @Test("there is something to check") func treeIsFound() {
        #expect(SourceTree.sources.count > 20)
    }

    @Test("no line is longer than 120") func lineLength() {
        let long = SourceTree.offences(in: SourceTree.swift) { file, index in
            file.lines[index].count > Self.longestLine
        }
        #expect(long == [])
    }

    @Test("a file of more than 400 lines says why") func fileLength() {
        let long = SourceTree.sources.filter { file in
            file.lines.count > Self.longestFile
                && !file.lines.prefix(Self.linesForReason).contains { $0.isComment && $0.contains("Long because") }
        }
        #expect(long.map { "\($0.path): \($0.lines.count) lines" } == [])
    }

    @Test(
        "what can crash, race or block has its reason beside it",
        arguments: [
            "try!", "as!", "fatalError(", "@unchecked Sendable", "nonisolated(unsafe)", "Thread.sleep", "usleep(",
            "DispatchSemaphore", "unsafeBitCast", "Task {", "Task.detached",
        ])
    func risky(_ construct: String) {
        let bare = SourceTree.offences(in: SourceTree.sources) { file, index in
            file.lines[index].code.hasWord(construct) && !file.hasReason(at: index)
        }
        #expect(bare == [])
    }

    @Test("nothing is left to do", arguments: ["TODO", "FIXME", "XXX"]) func unfinished(_ mark: String) {
        let others = SourceTree.swift.filter { $0.target != "Tidy" }
        let left = SourceTree.offences(in: others) { file, index in file.lines[index].hasWord(mark) }
        #expect(left == [])
    }

    @Test("no test sleeps") func sleepingTests() {
        let tests = SourceTree.swift.filter { !$0.isSource }
        let sleeping = SourceTree.offences(in: tests) { file, index in file.lines[index].code.contains("Task.sleep") }
        #expect(sleeping == [])
    }

    @Test("no path of one machine is in the repository") func machinePaths() {
        let folders = [
            "Sources": [".swift", ".mustache", ".html", ".css", ".js", ".sql"], "Tests": [".swift", ".py"],
            "Benchmarks": [".py", ".lua"], "scripts": [""], "docs": [".md"],
        ]
        let files = folders.flatMap { folder, endings in
            endings.flatMap { SourceTree.files(in: folder, endingIn: $0) }
        }
        // Written apart, so that this file does not hold what it looks for.
        let homes = ["/ro" + "ot/", "/ho" + "me/", "/Us" + "ers/", "/wo" + "rk/"]
        let named = SourceTree.offences(in: files) { file, index in
            homes.contains { file.lines[index].hasPathFromRoot($0) }
        }
        #expect(named == [])
    }
}

extension String {
    /// Whether `word` occurs with no letter or digit directly before or after it.
    func hasWord(_ word: String) -> Bool {
        var rest = self[...]
        while let range = rest.range(of: word) {
            let before = range.lowerBound == startIndex ? " " : self[index(before: range.lowerBound)]
            let after = range.upperBound == endIndex ? " " : self[range.upperBound]
            let isOpenEnded = word.last.map { !$0.isLetter } ?? false
            if !before.isLetter, !before.isNumber, isOpenEnded || !(after.isLetter || after.isNumber) { return true }
            rest = self[range.upperBound...]
        }
        return false
    }

    /// Whether `folder` (`/tmp/`) occurs as the beginning of an absolute path.
    func hasPathFromRoot(_ folder: String) -> Bool {
        var rest = self[...]
        while let range = rest.range(of: folder) {
            let before = range.lowerBound == startIndex ? " " : self[index(before: range.lowerBound)]
            if !before.isLetter, !before.isNumber, !"._-/*)}{".contains(before) { return true }
            rest = self[range.upperBound...]
        }
        return false
    }
}
