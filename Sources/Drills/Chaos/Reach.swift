import Kernel

/// What an experiment may touch: this machine, and what somebody named.
public enum Reach {
    /// Addresses are checked wherever they stand, in URLs and in the arguments of programs; `kubectl` works on a
    /// context that is written out, for the one that happens to be current may be the wrong cluster.
    ///
    /// - Parameter allowed: host names and addresses, and contexts of kubectl.
    /// - Throws: `DrillError` that names the activity.
    public static func check(_ activity: String, _ provider: Provider, allowed: [String]) throws {
        do {
            switch provider {
            case .http(let http): try Target(http.url).check(allowed: allowed)
            case .process(let process): try check(process.command, allowed)
            }
        } catch let error as DrillError {
            throw DrillError("'\(activity)': \(error)")
        }
    }

    private static func check(_ command: [String], _ allowed: [String]) throws {
        // A shell's text is looked at word by word; what it makes of its own is not seen here.
        let words = command.flatMap { $0.split { " '\"=;".contains($0) }.map(String.init) }
        for word in words where word.contains("://") { try Target(word).check(allowed: allowed) }
        let calls = words.count { $0 == "kubectl" || $0.hasSuffix("/kubectl") }
        let contexts = zip(words, words.dropFirst()).filter { $0.0 == "--context" }.map(\.1)
        guard calls <= contexts.count else {
            throw DrillError("kubectl is called without --context, expected the context of a cluster that may be hurt")
        }
        for context in contexts where calls > 0 && !allowed.contains(context) {
            throw DrillError(
                "the context '\(context)' of kubectl is not allowed; if this cluster may be hurt, "
                    + "give --allow \(context)")
        }
    }
}
