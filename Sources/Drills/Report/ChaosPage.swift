import Kernel

/// The report of an experiment: one page that needs nothing else, not even script.
public struct ChaosPage: Sendable {
    private let result: ChaosResult
    /// What was done, in its order; numbers in charts are places in it, from 1.
    private let actions: [(run: ChaosJournal.Run, isRollback: Bool)]

    public init(_ result: ChaosResult) {
        self.result = result
        let journal = result.journal
        actions =
            journal.run.filter(\.isAction).sorted { $0.start < $1.start }.map { ($0, false) }
            + journal.rollbacks.map { ($0, true) }
    }

    public var html: String {
        Page.document(
            title: result.title,
            """
            <header><h1>\(result.title.escaped)</h1>
            <p>\(result.about.escaped)</p><p>\(about.escaped)</p>
            \(verdict)
            </header>
            \(tiles)
            \(charts)
            <h2>What was done</h2>
            \(done)
            <h2>What a shopper must find</h2>
            \(probes)
            \(audit)
            \(steps)
            \(log)
            <footer>
            <p>\(explanation.escaped)</p>
            <p>Made by <code>souk chaos run \(result.file.escaped)</code>. Times are this machine's own.</p>
            </footer>
            """)
    }

    private var verdict: String {
        let (style, mark) = result.passed ? ("held", "✓") : ("crossed", "✗")
        return "<p class=\"verdict \(style)\">\(mark) \(result.verdict.escaped)</p>"
    }

    private var about: String {
        let began = Timestamp(seconds: result.journal.start.seconds)
        guard let load = result.shoppers?.load else { return "\(began), without shoppers" }
        let time = Duration.seconds(load.seconds.rounded()).inWords
        return "\(began), \(time) on \(load.target), \(load.visits.begun.grouped) shoppers"
    }

    private var explanation: String {
        guard let impact = result.shoppers?.impact else {
            return "Nobody shopped meanwhile: only the steady state was looked at, before and after."
        }
        let steady = impact.steady
        return "A second is steady with \(steady.goodput_at_least.readable) good answers or more (before the fault it "
            + "were \(steady.goodput_before.readable) on average) and a p99 of \(steady.p99_at_most.asTime) or less. "
            + "Shoppers arrived on time whether or not the shop kept up, and asked again when they got no answer; an "
            + "error is a step that failed for good, or a visit that could not begin."
    }

    private var tiles: String {
        guard let shoppers = result.shoppers, let impact = shoppers.impact else { return "" }
        let total = shoppers.load.total
        let again = impact.recovered_after_seconds
        let allowed = result.expectations
        let worst = shoppers.load.series.compactMap(\.p99).max()
        return Page.tiles([
            ("Errors", impact.error_rate.asShare, "\(total.failed.grouped) steps failed for good"),
            (
                "Steady again", again.map { $0 == 0 ? "at once" : "\($0.short) s" } ?? "never",
                "\(allowed.within.short) s allowed, \(allowed.steadyAgain.rawValue)"
            ),
            ("Good answers", "\(impact.steady.goodput_before.readable)/s", "before the fault"),
            ("p99", impact.steady.p99_before.asTime, "before; \(worst?.asTime ?? "none") at its worst"),
            ("Asked again", total.retries.grouped, "attempts after a failed one"),
            ("Orders", shoppers.acknowledged.grouped, "that shoppers were told of"),
            ("Audit", result.audit.map { $0.passed ? "clean" : "not clean" } ?? "none", auditInWords),
        ])
    }

    private var auditInWords: String {
        guard let audit = result.audit else { return "the experiment names none" }
        return "\(audit.checks.count) promises, from what is stored"
    }

    private var charts: String {
        guard let shoppers = result.shoppers, let began = Timestamp(rfc3339: shoppers.load.began_at) else { return "" }
        var charts = LoadCharts(shoppers.load)
        charts.band = shoppers.fault.map { fault in
            Chart.Band(
                name: "the fault", from: (fault.began - began).inSeconds, to: (fault.ended - began).inSeconds)
        }
        charts.marks = actions.enumerated().map { index, action in
            Chart.Mark(at: (action.run.start - began).inSeconds, number: index + 1)
        }
        let felt = (shoppers.impact?.felt ?? []).joined(separator: ", ")
        return """
            <h2>What shoppers felt</h2>
            <p class="lead">\((felt.isEmpty ? "Nothing." : felt + ".").escaped)</p>
            <div class="charts">\(charts.rate.wide)\(charts.latency)\(charts.errors.wide)</div>
            """
    }
}

// MARK: - Tables

extension ChaosPage {
    private var done: String {
        guard !actions.isEmpty else { return "<p class=\"lead\">Nothing.</p>" }
        let rows = actions.enumerated().map { index, action in
            let run = action.run
            let took = (run.end - run.start).inSeconds.rounded(to: 1).short + " s"
            return Self.row(
                ["\(index + 1)", moment(run.start), took, action.isRollback ? "rollback" : "method"],
                [run.name, run.outcome])
        }
        return Page.table(
            "What was done", ["", "At", "Took", "Part", "What", "What came of it"], rows, style: " texts")
    }

    /// Cells that stay on a line, and those with sentences.
    private static func row(_ cells: [String], _ sentences: [String], mark: String = "") -> String {
        "<tr>\(mark)" + cells.map { "<td>\($0.escaped)</td>" }.joined()
            + sentences.map { "<td class=\"sentence\">\($0.escaped)</td>" }.joined() + "</tr>"
    }

    private static func mark(_ isWell: Bool, _ words: (well: String, ill: String)) -> String {
        let (style, text) = isWell ? ("held", "✓ \(words.well)") : ("crossed", "✗ \(words.ill)")
        return "<td><b class=\"\(style)\">\(text)</b></td>"
    }

    /// From when shoppers came, or since the start.
    private func moment(_ time: Timestamp) -> String {
        let began = result.shoppers.flatMap { Timestamp(rfc3339: $0.load.began_at) } ?? result.journal.start
        return (time - began).inSeconds.rounded(to: 1).short + " s"
    }

    private var probes: String {
        let states = [("before", result.journal.before), ("after", result.journal.after)]
        let rows = states.flatMap { when, probes in
            probes.map { probe, isMet in
                Self.row(
                    [when, moment(probe.start)], [probe.name + (isMet ? "" : ": " + probe.outcome)],
                    mark: Self.mark(isMet, ("so", "not so")))
            }
        }
        guard !rows.isEmpty else { return "<p class=\"lead\">The experiment does not say.</p>" }
        return Page.table("Steady state", ["", "Asked", "At", "What"], rows, style: " texts")
    }

    private var audit: String {
        guard let checks = result.audit?.checks, !checks.isEmpty else { return "" }
        let rows = checks.map { check in
            let broken = check.violations.first.map { ": " + $0 } ?? ""
            return Self.row(
                [check.checked.grouped], [check.promise + broken],
                mark: Self.mark(check.holds, ("holds", "broken")))
        }
        return "<h2>Audit</h2>" + Page.table("Audit", ["", "Checked", "Promise"], rows, style: " texts")
    }

    private var steps: String {
        guard let load = result.shoppers?.load else { return "" }
        return "<h2>Shoppers by step</h2>" + load.stepsTable
    }

    /// What programs printed.
    private var log: String {
        let all = result.journal.before.map(\.0) + result.journal.run + result.journal.after.map(\.0)
        let entries = (all + result.journal.rollbacks).map { run in
            let printed = ["stdout", "stderr"].compactMap { run.output[$0]?.stringValue }.joined()
            let text = run.failure ?? (printed.isEmpty ? run.outcome : printed)
            let shown = text.count > 4_000 ? "…" + text.suffix(4_000) : text
            return "<h3>\(moment(run.start).escaped) · \(run.name.escaped)</h3><pre>\(shown.escaped)</pre>"
        }
        return "<details class=\"log\"><summary>The log</summary>\(entries.joined())</details>"
    }
}

extension ChaosJournal.Run {
    /// In a few words.
    fileprivate var outcome: String {
        if let failure { return failure }
        let status = output["status"]?.integerValue
        guard output["stdout"] != nil else { return status.map { "status \($0)" } ?? "done" }
        let printed = (output["stdout"]?.stringValue ?? "") + (isBadExit ? output["stderr"]?.stringValue ?? "" : "")
        let line = printed.split(whereSeparator: \.isNewline).first.map(String.init) ?? "done"
        let words = line.hasPrefix("fleet: ") ? String(line.dropFirst("fleet: ".count)) : line
        return (isBadExit ? "exit code \(status ?? 0): " : "") + (words.count > 160 ? words.prefix(160) + "…" : words)
    }
}
