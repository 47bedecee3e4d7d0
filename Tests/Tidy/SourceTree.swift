import Foundation

/// The repository's Swift files, read once.
struct SourceTree {
    struct File: Sendable {
        /// From the repository's root: `Sources/Kernel/Money.swift`.
        let path: String
        let lines: [String]

        /// The folder below `Sources` or `Tests`: the target's name.
        var target: String { String(path.split(separator: "/")[1]) }
        var isSource: Bool { path.hasPrefix("Sources/") }

        /// Whether a person wrote a reason: a comment on the line itself or on the line before.
        func hasReason(at index: Int) -> Bool {
            lines[index].contains("//") || (index > 0 && lines[index - 1].isComment)
        }
    }

    static let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent()

    static let swift: [File] = ["Sources", "Tests"].flatMap { folder in
        files(in: folder, endingIn: ".swift")
    }
    static let sources = swift.filter(\.isSource)

    static func files(in folder: String, endingIn suffix: String) -> [File] {
        let base = root.appending(path: folder)
        let names = FileManager.default.enumerator(atPath: base.path)?.compactMap { $0 as? String } ?? []
        return names.filter { $0.hasSuffix(suffix) }.sorted().compactMap { name in
            guard let text = try? String(contentsOf: base.appending(path: name), encoding: .utf8) else { return nil }
            return File(path: "\(folder)/\(name)", lines: text.components(separatedBy: "\n"))
        }
    }

    /// `Sources/Kernel/Money.swift:12: let x = …` for each line of `files` that `isWrong` finds wrong.
    static func offences(in files: [File], where isWrong: (File, Int) -> Bool) -> [String] {
        files.flatMap { file in
            file.lines.indices.filter { isWrong(file, $0) }
                .map { "\(file.path):\($0 + 1): \(file.lines[$0].trimmingCharacters(in: .whitespaces))" }
        }
    }
}

extension String {
    var isComment: Bool { drop(while: \.isWhitespace).hasPrefix("//") }

    /// The line without its comment and without what stands in string literals: what the compiler acts on.
    var code: String {
        var result = ""
        var isInString = false
        var previous: Character = " "
        for character in self {
            if character == "\"", previous != "\\" { isInString.toggle() }
            if character == "/", previous == "/", !isInString { return String(result.dropLast()) }
            if !isInString { result.append(character) }
            previous = character == "\\" && previous == "\\" ? " " : character
        }
        return result
    }
}
