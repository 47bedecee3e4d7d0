import Kernel

/// What a load run found, for a terminal.
extension LoadResult {
    /// A table of the steps and a line for each thing that is worth one; the thresholds last.
    public var summary: String {
        var lines = ["\(target)  \(arrivals), \(Duration.milliseconds(Int64(seconds * 1_000)).inWords)", ""]
        let rows = steps.map { ($0.step, $0.measures) } + (steps.count == 1 ? [] : [("total", total)])
        lines += TextTable.lines(
            ["", "requests", "rate/s", "good/s", "p50", "p90", "p99", "p99.9", "max", "errors"],
            rows.map { name, measures in
                let latency = measures.latency
                let times = [latency?.p50, latency?.p90, latency?.p99, latency?.p99_9, latency?.max]
                return [name, measures.requests.grouped, measures.rate.readable, measures.goodput.readable]
                    + times.map { $0?.asTime ?? "" } + [measures.errorsInWords]
            })
        lines.append("")
        lines.append(
            "visits    \(visits.begun.grouped) begun: \(visits.finished.grouped) finished, "
                + "\(visits.failed.grouped) failed, \(visits.dropped.grouped) dropped, "
                + "\(visits.unfinished.grouped) unfinished")
        lines.append("statuses  " + (Self.list(total.statuses) ?? "none"))
        if let failures = Self.list(total.failures) { lines.append("failures  " + failures) }
        if total.refused > 0 { lines.append("refused   \(total.refusalsInWords)") }
        if total.retries > 0 { lines.append("retries   \(total.retries.grouped)") }
        if let lag = generator.lag {
            lines.append("generator late by \(lag.p99.asTime) at p99, \(lag.max.asTime) at most")
        }
        if interrupted { lines.append("interrupted before its end") }
        for verdict in thresholds {
            let end = verdict.aborted ? ", which ended the run" : ""
            lines.append("\(verdict.passed ? "ok  " : "FAIL") \(verdict.threshold): \(verdict.value)\(end)")
        }
        return lines.joined(separator: "\n")
    }

    private static func list(_ counts: [String: Int]) -> String? {
        guard !counts.isEmpty else { return nil }
        return counts.sorted { $0.key < $1.key }.map { "\($0.key) × \($0.value.grouped)" }.joined(separator: ", ")
    }
}

extension LoadResult.Measures {
    /// `0`, `12 (0.4 %)`
    var errorsInWords: String {
        failed == 0 ? "0" : "\(failed.grouped) (\((error_rate * 100).rounded(to: 3).short) %)"
    }

    var refusalsInWords: String {
        let without = refused_without_retry_after
        return "\(refused.grouped), "
            + (without == 0 ? "all with Retry-After" : "\(without.grouped) of them without Retry-After")
    }
}

extension LoadProgress {
    /// What a terminal shows while a run goes on: the last second by step, and the errors so far.
    public func table(steps: [String]) -> [String] {
        let seconds = max(span.inSeconds, 0.001)
        let rows = zip(steps, zip(last.steps, total.steps)).filter { $0.1.1.requests > 0 }
        let all = rows.map { ($0.0, $0.1.0, $0.1.1) } + (rows.count == 1 ? [] : [("total", last.whole, total.whole)])
        let drawn = all.map { name, second, whole in
            [
                name, (Double(second.requests) / seconds).readable, second.latency?.milliseconds(at: 50).asTime ?? "",
                second.latency?.milliseconds(at: 99).asTime ?? "", whole.bad.grouped, whole.refused.grouped,
            ]
        }
        return TextTable.lines(["", "rate/s", "p50", "p99", "errors", "refused"], drawn)
            + (total.visits.dropped > 0 ? ["dropped \(total.visits.dropped.grouped) visits"] : [])
    }

    /// The same in one line, for a log.
    public var line: String {
        let second = last.whole
        let rate = (Double(second.requests) / max(span.inSeconds, 0.001)).readable
        let p50 = second.latency?.milliseconds(at: 50).asTime ?? "none"
        let p99 = second.latency?.milliseconds(at: 99).asTime ?? "none"
        let whole = total.whole
        return "\(Int(elapsed.inSeconds.rounded())) s: \(rate)/s, p50 \(p50), p99 \(p99), "
            + "\(whole.bad.grouped) errors, \(whole.refused.grouped) refused, \(total.visits.dropped.grouped) dropped"
    }
}

/// Columns of text: the first to the left, the others to the right.
enum TextTable {
    static func lines(_ head: [String], _ rows: [[String]]) -> [String] {
        let all = [head] + rows
        let widths = head.indices.map { column in all.map { $0[column].count }.max() ?? 0 }
        return all.map { row in
            row.enumerated().map { column, text in
                let blanks = String(repeating: " ", count: widths[column] - text.count)
                return column == 0 ? text + blanks : blanks + text
            }.joined(separator: "  ")
        }
    }
}
