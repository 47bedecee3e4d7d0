/// One direction of a chart: from values to places between 0 and 1, and which values are written beside it.
struct Axis: Sendable, Equatable {
    struct Tick: Sendable, Equatable {
        var place: Double
        var label: String
    }

    let low: Double
    let high: Double
    let isLogarithmic: Bool
    private(set) var ticks: [Tick] = []

    /// From 0 to a round number that holds all values.
    static func linear(upTo values: some Sequence<Double>, steps: Int = 4, _ label: (Double) -> String) -> Axis {
        let most = max(values.max() ?? 0, 1e-9)
        let step = round(most / Double(steps))
        let high = (most / step - 1e-9).rounded(.up) * step
        var axis = Axis(low: 0, high: high, isLogarithmic: false)
        axis.ticks = stride(from: 0, through: high + step / 2, by: step).map {
            Tick(place: $0 / high, label: label($0))
        }
        return axis
    }

    /// From 0 to exactly `high`, as time runs.
    static func span(_ high: Double, steps: Int = 4, _ label: (Double) -> String) -> Axis {
        let high = max(high, 1e-9)
        let step = round(high / Double(steps))
        var axis = Axis(low: 0, high: high, isLogarithmic: false)
        axis.ticks = stride(from: 0, through: high, by: step).map { Tick(place: axis.place($0), label: label($0)) }
        return axis
    }

    /// Powers of ten around all values above 0, with 2 and 5 between them where there is room.
    static func logarithmic(around values: some Sequence<Double>, _ label: (Double) -> String) -> Axis {
        let positive = values.filter { $0 > 0 }
        let least = positive.min() ?? 1
        let most = positive.max() ?? 10
        var low = 1.0
        while low > least { low /= 10 }
        while low * 10 <= least { low *= 10 }
        var high = low * 10
        while high < most { high *= 10 }
        let decades = tens(from: low, to: high)
        var axis = Axis(low: low, high: high, isLogarithmic: true)
        let between: [Double] = decades.count <= 2 ? [1, 2, 5] : [1]
        axis.ticks = decades.flatMap { ten in between.map { ten * $0 } }.filter { $0 <= high * 1.000_1 }
            .map { Tick(place: axis.place($0), label: label($0)) }
        return axis
    }

    private static func tens(from low: Double, to high: Double) -> [Double] {
        var tens = [low]
        while let last = tens.last, last * 10 <= high * 1.000_1 { tens.append(last * 10) }
        return tens
    }

    /// How many nines a percentile has: 90 has one, 99 two, 99.9 three; 50 has a third of one.
    static func nines(_ percentile: Double) -> Double { log(100 / (100 - percentile)) / log(10) }

    /// From 0 to a percentile below 100, each nine as long as the one before it.
    static func nines(upTo percentile: Double) -> Axis {
        let high = Swift.max(nines(percentile), 1)
        var axis = Axis(low: 0, high: high, isLogarithmic: false)
        axis.ticks = [50, 90, 99, 99.9, 99.99, 99.999].filter { nines($0) <= high }.map { marked in
            Tick(
                place: axis.place(nines(marked)), label: "\(marked == marked.rounded() ? marked.short : "\(marked)") %")
        }
        return axis
    }

    func place(_ value: Double) -> Double {
        guard isLogarithmic else { return (value - low) / (high - low) }
        return (Self.log(max(value, low)) - Self.log(low)) / (Self.log(high) - Self.log(low))
    }

    /// The base-2 logarithm, to the fourth digit: nobody sees the fifth.
    private static func log(_ value: Double) -> Double {
        var exponent = Double(value.exponent)
        var mantissa = value.significand
        var bit = 1.0
        for _ in 0..<16 {
            mantissa *= mantissa
            bit /= 2
            if mantissa >= 2 {
                mantissa /= 2
                exponent += bit
            }
        }
        return exponent
    }

    /// 1, 2 or 5 times a power of ten, at least `value`, which is above 0.
    private static func round(_ value: Double) -> Double {
        var ten = 1.0
        while ten > value { ten /= 10 }
        while ten * 10 <= value { ten *= 10 }
        return [1, 2, 5, 10].map { $0 * ten }.first { $0 >= value - 1e-12 } ?? value
    }
}
