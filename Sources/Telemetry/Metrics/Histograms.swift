import Metrics
import Synchronization

/// Upper bounds of histograms, fixed: bounds that move make series that cannot be compared.
enum Buckets {
    /// Seconds: from 10 µs, a cached answer, to 10 s, a lost one.
    static let seconds: [Double] = [
        0.000_01, 0.000_025, 0.000_05, 0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25,
        0.5, 1, 2.5, 5, 10,
    ]
    /// `…_size`: how many in a batch.
    static let sizes: [Double] = (0...13).map { Double(1 << $0) }
    /// `…_bytes`
    static let bytes: [Double] = (3...12).map { Double(1 << ($0 * 2)) }
    static let others: [Double] = [
        0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 25, 50, 100, 250, 500, 1_000, 10_000,
    ]

    static func forValues(named name: String) -> [Double] {
        if name.hasSuffix("_size") { return sizes }
        if name.hasSuffix("_bytes") { return bytes }
        if name.hasSuffix("_seconds") { return seconds }
        return others
    }
}

/// Counts by bucket, the last one for what is above all bounds.
///
/// Unchecked: the pointer is set once, and the memory behind it holds nothing but atomics until the end.
private final class Counts: @unchecked Sendable {
    private let counts: UnsafeMutablePointer<Atomic<UInt64>>
    private let size: Int

    init(_ size: Int) {
        self.size = size
        counts = .allocate(capacity: size)
        for index in 0..<size { (counts + index).initialize(to: Atomic(0)) }
    }

    deinit {
        counts.deinitialize(count: size)
        counts.deallocate()
    }

    func add(_ index: Int) { counts[index].wrappingAdd(1, ordering: .relaxed) }
    var values: [UInt64] { (0..<size).map { counts[$0].load(ordering: .relaxed) } }
}

extension String {
    /// The total is the sum of the buckets, so that a scrape in the middle of a record still adds up.
    fileprivate mutating func appendHistogram(
        _ name: String, _ labels: String, _ bounds: [String], _ counts: [UInt64], _ sum: Double
    ) {
        let prefix = labels.isEmpty ? "" : labels + ","
        var total: UInt64 = 0
        for (index, count) in counts.enumerated() {
            total += count
            let bound = index < bounds.count ? bounds[index] : "+Inf"
            appendSample(name + "_bucket", "\(prefix)le=\"\(bound)\"", total)
        }
        appendSample(name + "_sum", labels, Sample(value: sum))
        appendSample(name + "_count", labels, total)
    }
}

final class TimeHistogram: TimerHandler, Series {
    /// Integers: comparing and adding them is one instruction, and a sum of nanoseconds lasts for 292 years.
    private static let bounds = Buckets.seconds.map { Int64(($0 * 1_000_000_000).rounded()) }
    private static let names = Buckets.seconds.map { Sample(value: $0).description }
    private let counts = Counts(bounds.count + 1)
    private let sum = Atomic<Int64>(0)

    func recordNanoseconds(_ duration: Int64) {
        let duration = max(0, duration)
        counts.add(Self.bounds.firstIndexNotBelow(duration))
        sum.wrappingAdd(duration, ordering: .relaxed)
    }

    func write(_ name: String, _ labels: String, to text: inout String) {
        let seconds = Double(sum.load(ordering: .relaxed)) / 1_000_000_000
        text.appendHistogram(name, labels, Self.names, counts.values, seconds)
    }
}

final class ValueHistogram: RecorderHandler, Series {
    private let bounds: [Double]
    private let counts: Counts
    private let sum = AtomicDouble()

    init(_ bounds: [Double]) {
        self.bounds = bounds
        counts = Counts(bounds.count + 1)
    }

    func record(_ value: Int64) { record(Double(value)) }

    func record(_ value: Double) {
        guard value.isFinite else { return }
        counts.add(bounds.firstIndexNotBelow(value))
        sum.add(value)
    }

    func write(_ name: String, _ labels: String, to text: inout String) {
        text.appendHistogram(name, labels, bounds.map { Sample(value: $0).description }, counts.values, sum.value)
    }
}

extension [Int64] {
    fileprivate func firstIndexNotBelow(_ value: Int64) -> Int { lowerBound { $0 < value } }
}

extension [Double] {
    fileprivate func firstIndexNotBelow(_ value: Double) -> Int { lowerBound { $0 < value } }
}

extension Array {
    /// The first position whose element is not below, in an array that ascends.
    @inline(__always)
    fileprivate func lowerBound(_ isBelow: (Element) -> Bool) -> Int {
        var (low, high) = (0, count)
        while low < high {
            let middle = (low + high) / 2
            if isBelow(self[middle]) { low = middle + 1 } else { high = middle }
        }
        return low
    }
}
