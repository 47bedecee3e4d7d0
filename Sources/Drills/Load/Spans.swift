import Kernel

extension Duration {
    /// Reads `250us`, `500ms`, `1.5s`, `10m`, `2h`; at the most 30 days.
    ///
    /// - Throws: `DrillError` that names `what` and the form.
    public init(span text: String, of what: String) throws {
        let units: [(suffix: String, microseconds: Double)] = [
            ("us", 1), ("µs", 1), ("ms", 1e3), ("s", 1e6), ("m", 60e6), ("h", 3_600e6),
        ]
        for unit in units where text.hasSuffix(unit.suffix) {
            guard let number = Double(plain: text.dropLast(unit.suffix.count)) else { continue }
            let microseconds = (number * unit.microseconds).rounded()
            guard microseconds <= 30 * 86_400e6 else { break }
            self = .microseconds(Int64(microseconds))
            return
        }
        throw DrillError("\(what) is '\(text)', expected a time up to 30 days such as 500ms, 1.5s, 10m or 2h")
    }

    var nanoseconds: Int64 { microseconds * 1_000 }

    /// `1m 30s`, `250 ms`
    public var inWords: String {
        let all = microseconds
        if all < 1_000_000 { return all % 1_000 == 0 ? "\(all / 1_000) ms" : "\(Double(all) / 1_000) ms" }
        if all < 60_000_000, all % 1_000_000 != 0 { return "\(Double(all) / 1e6) s" }
        let (hours, minutes, seconds) = (all / 3_600_000_000, all / 60_000_000 % 60, all / 1_000_000 % 60)
        let parts = [(hours, "h"), (minutes, "m"), (seconds, "s")].filter { $0.0 > 0 }
        return parts.map { "\($0.0)\($0.1)" }.joined(separator: " ")
    }
}

extension Double {
    /// Digits with at most one point: no sign, exponent, `nan` or `inf`.
    init?(plain text: some StringProtocol) {
        guard !text.isEmpty, text.utf8.count <= 18, text.utf8.allSatisfy({ $0 == 0x2E || (0x30...0x39).contains($0) }),
            let number = Double(String(text))
        else { return nil }
        self = number
    }

    /// With at most `digits` behind the point.
    func rounded(to digits: Int) -> Double {
        var factor = 1.0
        for _ in 0..<digits { factor *= 10 }
        return (self * factor).rounded() / factor
    }
}
