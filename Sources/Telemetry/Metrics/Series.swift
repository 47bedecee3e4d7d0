import Metrics
import Synchronization

/// One line of `/metrics`, or one histogram.
protocol Series: AnyObject, Sendable {
    func write(_ name: String, _ labels: String, to text: inout String)
}

extension String {
    mutating func appendSample(_ name: String, _ labels: String, _ value: some CustomStringConvertible) {
        append(name)
        if !labels.isEmpty {
            append("{")
            append(labels)
            append("}")
        }
        append(" ")
        append(value.description)
        append("\n")
    }
}

/// As Prometheus reads it: whole numbers without a fraction.
struct Sample: CustomStringConvertible {
    let value: Double

    var description: String {
        if value.isNaN { return "NaN" }
        if value.isInfinite { return value > 0 ? "+Inf" : "-Inf" }
        return Int64(exactly: value)?.description ?? value.description
    }
}

/// A number that many threads add to.
struct AtomicDouble: ~Copyable, Sendable {
    private let bits = Atomic<UInt64>(0)

    var value: Double { Double(bitPattern: bits.load(ordering: .relaxed)) }
    func set(_ value: Double) { bits.store(value.bitPattern, ordering: .relaxed) }

    func add(_ amount: Double) {
        var old = bits.load(ordering: .relaxed)
        while true {
            let new = (Double(bitPattern: old) + amount).bitPattern
            let (isExchanged, found) = bits.weakCompareExchange(
                expected: old, desired: new, successOrdering: .relaxed, failureOrdering: .relaxed)
            if isExchanged { return }
            old = found
        }
    }
}

final class CounterSeries: CounterHandler, Series {
    private let count = Atomic<Int64>(0)
    var value: Int64 { count.load(ordering: .relaxed) }

    /// A counter never goes down: a negative amount is ignored.
    func increment(by amount: Int64) {
        if amount > 0 { count.wrappingAdd(amount, ordering: .relaxed) }
    }

    func reset() { count.store(0, ordering: .relaxed) }

    func write(_ name: String, _ labels: String, to text: inout String) { text.appendSample(name, labels, value) }
}

final class FloatCounterSeries: FloatingPointCounterHandler, Series {
    private let sum = AtomicDouble()

    func increment(by amount: Double) {
        if amount > 0, amount.isFinite { sum.add(amount) }
    }

    func reset() { sum.set(0) }

    func write(_ name: String, _ labels: String, to text: inout String) {
        text.appendSample(name, labels, Sample(value: sum.value))
    }
}

final class GaugeSeries: MeterHandler, RecorderHandler, Series {
    private let level = AtomicDouble()

    func set(_ value: Int64) { level.set(Double(value)) }
    func set(_ value: Double) { level.set(value) }
    func increment(by amount: Double) { level.add(amount) }
    func decrement(by amount: Double) { level.add(-amount) }
    func record(_ value: Int64) { level.set(Double(value)) }
    func record(_ value: Double) { level.set(value) }

    func write(_ name: String, _ labels: String, to text: inout String) {
        text.appendSample(name, labels, Sample(value: level.value))
    }
}
