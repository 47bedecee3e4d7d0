/// Charts as HTML and SVG that need no script. The plot stretches with the page; its words are HTML beside it and keep
/// their size.
struct Chart {
    /// A series' colour is its class in `report.css`.
    struct Line {
        var name: String
        var style: String
        var points: [(x: Double, y: Double?)]
    }

    /// What bars are stacked from, the first at the bottom.
    struct Layer {
        var name: String
        var style: String
        /// One for each bar.
        var values: [Double]
    }

    var title: String
    /// What the reader sees at a glance, and a screen reader says.
    var summary: String
    var x: Axis
    var y: Axis
    /// What a pointer that rests on the plot is told, from left to right.
    var hints: [(from: Double, to: Double, text: String)] = []
    /// A time that is shaded.
    var band: Band?
    /// Moments, in their order.
    var marks: [Mark] = []

    struct Band {
        var name: String
        var from: Double
        var to: Double
    }

    struct Mark {
        var at: Double
        /// As in the table that explains it.
        var number: Int
    }

    private static let width = 1_000.0
    private static let height = 300.0

    func lines(_ lines: [Line]) -> String {
        frame(
            legend: lines.map { ($0.name, $0.style) },
            plot: lines.map { "<path class=\"line \($0.style)\" d=\"\(path($0.points))\"/>" }.joined())
    }

    /// - Parameter bars: from where to where each bar reaches.
    func bars(_ layers: [Layer], at bars: [(from: Double, to: Double)]) -> String {
        var bottoms = [Double](repeating: 0, count: bars.count)
        var plot = ""
        for layer in layers {
            var path = ""
            for (index, bar) in bars.enumerated() where layer.values[index] > 0 {
                let top = bottoms[index] + layer.values[index]
                let (left, right) = (across(bar.from), across(bar.to))
                let gap = min((right - left) * 0.15, 2)
                path += "M\(left.short) \(down(bottoms[index]).short)V\(down(top).short)"
                path += "H\((right - gap).short)V\(down(bottoms[index]).short)Z"
                bottoms[index] = top
            }
            plot += "<path class=\"bar \(layer.style)\" d=\"\(path)\"/>"
        }
        return frame(legend: layers.map { ($0.name, $0.style) }, plot: plot)
    }

    /// Pieces where there is a value; a lone point is a short dash.
    private func path(_ points: [(x: Double, y: Double?)]) -> String {
        var path = ""
        var isDrawing = false
        for (index, point) in points.enumerated() {
            guard let value = point.y else {
                isDrawing = false
                continue
            }
            let place = "\(across(point.x).short) \(down(value).short)"
            path += isDrawing ? "L\(place)" : "M\(place)"
            let isAlone = !isDrawing && (index + 1 >= points.count || points[index + 1].y == nil)
            if isAlone { path += "h3" }
            isDrawing = true
        }
        return path
    }

    private func across(_ value: Double) -> Double { max(0, min(1, x.place(value))) * Self.width }
    private func down(_ value: Double) -> Double { (1 - max(0, min(1, y.place(value)))) * Self.height }

    private func frame(legend: [(name: String, style: String)], plot: String) -> String {
        let legend = legend + (band.map { [($0.name, "fault")] } ?? [])
        let keys = legend.map { "<li><span class=\"key \($0.style)\"></span>\($0.name.escaped)</li>" }.joined()
        let grid = y.ticks.map { tick in
            let place = ((1 - tick.place) * Self.height).short
            return "<path class=\"grid\" d=\"M0 \(place)H\(Self.width.short)\"/>"
        }.joined()
        let targets = hints.map { hint in
            let left = across(hint.from)
            return "<rect class=\"hint\" x=\"\(left.short)\" y=\"0\" width=\"\((across(hint.to) - left).short)\" "
                + "height=\"\(Self.height.short)\"><title>\(hint.text.escaped)</title></rect>"
        }.joined()
        let rows = y.ticks.map {
            "<span style=\"top:\(((1 - $0.place) * 100).short)%\">\($0.label.escaped)</span>"
        }.joined()
        let columns = x.ticks.map { tick in
            let edge = tick.place > 0.97 ? " class=\"last\"" : tick.place < 0.03 ? " class=\"first\"" : ""
            return "<span\(edge) style=\"left:\((tick.place * 100).short)%\">\(tick.label.escaped)</span>"
        }.joined()
        let shade = band.map { band in
            let (left, right) = (across(band.from), across(band.to))
            return "<rect class=\"fault\" x=\"\(left.short)\" y=\"0\" width=\"\(max(3, right - left).short)\" "
                + "height=\"\(Self.height.short)\"/>"
        }
        let moments = marks.map { mark in
            "<path class=\"mark\" d=\"M\(across(mark.at).short) 0V\(Self.height.short)\"/>"
        }.joined()
        let spoken = "\(title). \(summary)".escaped
        return """
            <figure>
            <figcaption><h3>\(title.escaped)</h3><p>\(summary.escaped)</p><ul class="legend">\(keys)</ul></figcaption>
            <div class="plot">\(badges)<div class="rows" aria-hidden="true">\(rows)</div>
            <svg viewBox="0 0 1000 300" preserveAspectRatio="none" role="img" aria-label="\(spoken)">\
            \(shade ?? "")\(grid)\(moments)\(plot)\(targets)</svg>
            <div class="columns" aria-hidden="true">\(columns)</div></div>
            </figure>
            """
    }

    /// The marks' numbers above the plot; those too near each other share a place.
    private var badges: String {
        var groups: [(place: Double, first: Int, last: Int)] = []
        for mark in marks {
            let place = max(0, min(1, x.place(mark.at)))
            if let group = groups.last, place - group.place < Self.leastDistance {
                groups[groups.count - 1].last = mark.number
            } else {
                groups.append((place, mark.number, mark.number))
            }
        }
        guard !groups.isEmpty else { return "" }
        let spans = groups.map { place, first, last in
            "<span style=\"left:\((place * 100).short)%\">\(first == last ? "\(first)" : "\(first)–\(last)")</span>"
        }
        return "<div class=\"marks\" aria-hidden=\"true\">\(spans.joined())</div>"
    }

    /// Of the plot's width.
    private static let leastDistance = 0.06

    static func empty(_ title: String, _ text: String, isWide: Bool = false) -> String {
        let figure = "<figure><figcaption><h3>\(title)</h3></figcaption><p class=\"none\">\(text)</p></figure>"
        return isWide ? figure.wide : figure
    }
}

extension Double {
    /// At most two digits behind the point, and none where there is nothing.
    var short: String {
        let rounded = rounded(to: 2)
        return rounded == rounded.rounded() && abs(rounded) < 1e15 ? String(Int(rounded)) : String(rounded)
    }

    /// `0.25`, `3.1`, `47`, `1,204`: three digits that count.
    var readable: String {
        if self >= 100 || self == rounded() { return Int(rounded()).grouped }
        return self >= 10 ? rounded(to: 1).short : rounded(to: 2).short
    }

    /// Of milliseconds: `0.25 ms`, `1.2 s`.
    var asTime: String { self >= 1_000 ? "\((self / 1_000).readable) s" : "\(readable) ms" }
}

extension Int {
    /// `12,345`
    var grouped: String {
        var digits = String(magnitude)
        var groups: [String] = []
        while digits.count > 3 {
            groups.insert(String(digits.suffix(3)), at: 0)
            digits.removeLast(3)
        }
        return (self < 0 ? "−" : "") + ([digits] + groups).joined(separator: ",")
    }
}

extension String {
    /// A figure over both columns.
    var wide: String { "<figure class=\"wide\">" + dropFirst("<figure>".count) }

    /// As it may stand in HTML, in attributes too.
    var escaped: String {
        var out = ""
        for character in self {
            switch character {
            case "&": out += "&amp;"
            case "<": out += "&lt;"
            case ">": out += "&gt;"
            case "\"": out += "&quot;"
            default: out.append(character)
            }
        }
        return out
    }
}
