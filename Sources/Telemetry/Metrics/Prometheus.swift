public import Metrics
import Synchronization

/// Metrics for Prometheus to scrape: the back end of swift-metrics in this process.
///
/// Names are made valid: characters that are not become `_`; counters end in `_total`, timers in `_seconds`. Timers and
/// aggregating recorders are histograms (see `Buckets`); gauges, meters and other recorders are gauges. Recording is
/// one atomic step, or two, and allocates nothing; making an instrument takes a lock, so keep it.
public final class Prometheus: MetricsFactory {
    /// Series of one name; what comes after them is counted nowhere but in `souk_metrics_refused_total`.
    public static let maxSeries = 2_000
    public static let contentType = "text/plain; version=0.0.4; charset=utf-8"

    enum Kind: String {
        case counter, gauge, histogram
    }

    struct Family {
        let kind: Kind
        /// By the labels' text, `method="GET",status="200"`.
        var series: [String: any Series] = [:]
    }

    let families = Mutex<[String: Family]>([:])
    let help = Mutex<[String: String]>([:])
    let refused = CounterSeries()

    public init() {}

    /// The text that explains a metric to whoever reads `/metrics`; without one it is made of the name.
    public func describe(_ name: String, _ text: String) { help.withLock { $0[Names.metric(name)] = text } }

    public func makeCounter(label: String, dimensions: [(String, String)]) -> any CounterHandler {
        series(Names.counter(label), .counter, dimensions) { CounterSeries() }
    }

    public func makeFloatingPointCounter(
        label: String, dimensions: [(String, String)]
    ) -> any FloatingPointCounterHandler {
        series(Names.counter(label), .counter, dimensions) { FloatCounterSeries() }
    }

    public func makeMeter(label: String, dimensions: [(String, String)]) -> any MeterHandler {
        series(Names.metric(label), .gauge, dimensions) { GaugeSeries() }
    }

    public func makeRecorder(
        label: String, dimensions: [(String, String)], aggregate: Bool
    ) -> any RecorderHandler {
        let name = Names.metric(label)
        guard aggregate else { return series(name, .gauge, dimensions) { GaugeSeries() } }
        return series(name, .histogram, dimensions) { ValueHistogram(Buckets.forValues(named: name)) }
    }

    public func makeTimer(label: String, dimensions: [(String, String)]) -> any TimerHandler {
        series(Names.timer(label), .histogram, dimensions) { TimeHistogram() }
    }

    public func destroyCounter(_ handler: any CounterHandler) { forget(handler) }
    public func destroyFloatingPointCounter(_ handler: any FloatingPointCounterHandler) { forget(handler) }
    public func destroyMeter(_ handler: any MeterHandler) { forget(handler) }
    public func destroyRecorder(_ handler: any RecorderHandler) { forget(handler) }
    public func destroyTimer(_ handler: any TimerHandler) { forget(handler) }

    /// The series of that name and labels, the same one for the same. One that is refused (the name is taken by another
    /// kind, or has too many series) works, and is shown nowhere: a metric must never stop the shop.
    private func series<S: Series>(
        _ name: String, _ kind: Kind, _ dimensions: [(String, String)], _ make: () -> S
    ) -> S {
        let labels = Names.labels(dimensions)
        return families.withLock { families in
            var family = families[name] ?? Family(kind: kind)
            if let known = family.series[labels] as? S { return known }
            let new = make()
            guard family.kind == kind, family.series[labels] == nil, family.series.count < Self.maxSeries else {
                refused.increment(by: 1)
                return new
            }
            family.series[labels] = new
            families[name] = family
            return new
        }
    }

    private func forget(_ handler: AnyObject) {
        families.withLock { families in
            for (name, family) in families {
                guard let labels = family.series.first(where: { $0.value === handler })?.key else { continue }
                families[name]?.series[labels] = nil
                if families[name]?.series.isEmpty == true { families[name] = nil }
                return
            }
        }
    }
}

/// Names and labels as Prometheus wants them.
enum Names {
    static func metric(_ name: String) -> String {
        let bytes = name.utf8.map { $0.isMetricByte ? $0 : UInt8(ascii: "_") }
        let isDigit = bytes.first.map { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) } ?? true
        return (isDigit ? "_" : "") + String(decoding: bytes, as: UTF8.self)
    }

    static func counter(_ name: String) -> String { ended(metric(name), by: "_total") }
    static func timer(_ name: String) -> String { ended(metric(name), by: "_seconds") }

    private static func ended(_ name: String, by ending: String) -> String {
        name.hasSuffix(ending) ? name : name + ending
    }

    /// In the order of their names, so that the same labels are the same text.
    static func labels(_ dimensions: [(String, String)]) -> String {
        if dimensions.isEmpty { return "" }
        return dimensions.sorted { $0.0 < $1.0 }
            .map { name, value in "\(label(name))=\"\(escaped(value, quotes: true))\"" }
            .joined(separator: ",")
    }

    private static func label(_ name: String) -> String {
        let valid = String(
            decoding: metric(name).utf8.map { $0 == UInt8(ascii: ":") ? UInt8(ascii: "_") : $0 }, as: UTF8.self)
        // "le" is the histograms' own, and what starts with two underscores is Prometheus' own.
        return valid == "le" || valid.hasPrefix("__") ? "label_" + valid : valid
    }

    static func escaped(_ text: String, quotes: Bool) -> String {
        guard text.utf8.contains(where: { $0 == 0x5C || $0 == 0x0A || $0 == 0x22 }) else { return text }
        var out = ""
        for character in text.unicodeScalars {
            switch character {
            case "\\": out += "\\\\"
            case "\n": out += "\\n"
            case "\"" where quotes: out += "\\\""
            default: out.unicodeScalars.append(character)
            }
        }
        return out
    }
}

extension UInt8 {
    fileprivate var isMetricByte: Bool {
        switch self {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"), UInt8(ascii: ":"):
            true
        default: false
        }
    }
}
