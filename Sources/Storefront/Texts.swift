import Kernel

/// How values read on a page. No formatter: these run for every card of every list.
enum Texts {
    private static let symbols: [String: String] = [
        "GBP": "£", "EUR": "€", "USD": "$", "JPY": "¥", "INR": "₹", "CNY": "CN¥", "KRW": "₩", "ILS": "₪", "VND": "₫",
        "AUD": "A$", "CAD": "CA$", "NZD": "NZ$", "HKD": "HK$", "SGD": "S$", "BRL": "R$", "MXN": "MX$", "UAH": "₴",
        "NGN": "₦", "PHP": "₱", "TRY": "₺",
    ]

    /// `£1,234.50`, `CHF 12.00`, `−£5.00`.
    static func money(_ money: Money) -> String {
        let plain = money.decimal
        let digits = plain.utf8.first == UInt8(ascii: "-") ? plain.dropFirst() : plain[...]
        let point = digits.firstIndex(of: ".") ?? digits.endIndex
        let symbol = symbols[money.currency.code] ?? money.currency.code + "\u{A0}"
        return (money.amount < 0 ? "−" : "") + symbol + grouped(digits[..<point]) + digits[point...]
    }

    /// `12,345`.
    static func count(_ number: Int64) -> String {
        (number < 0 ? "−" : "") + grouped(String(number.magnitude)[...])
    }

    static func count(_ number: Int) -> String { count(Int64(number)) }

    /// `1 piece`, `2 pieces`.
    static func count(_ number: Int64, _ one: String, _ many: String) -> String {
        count(number) + " " + (number == 1 ? one : many)
    }

    private static func grouped(_ digits: Substring) -> String {
        let length = digits.utf8.count
        guard length > 3 else { return String(digits) }
        var text = ""
        for (index, digit) in digits.enumerated() {
            if index > 0, (length - index) % 3 == 0 { text.append(",") }
            text.append(digit)
        }
        return text
    }

    private static let months = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ]

    /// `3 Mar 2026, 14:02 UTC`. Pages show one time to all their visitors, so they say which.
    static func time(_ time: Timestamp) -> String {
        let text = time.rfc3339
        return day(text) + ", " + text.dropFirst(11).prefix(5) + " UTC"
    }

    /// `3 Mar 2026`, of an RFC 3339 time or date.
    static func day(_ rfc3339: String) -> String {
        let parts = rfc3339.prefix(10).split(separator: "-")
        guard parts.count == 3, let month = Int(parts[1]), (1...12).contains(month), let day = Int(parts[2]) else {
            return rfc3339
        }
        return "\(day) \(months[month - 1]) \(parts[0])"
    }

    /// `partially_refunded` as `Partially refunded`.
    static func words(_ code: String) -> String {
        let words = String(code.map { $0 == "_" || $0 == "." || $0 == "-" ? " " : $0 })
        return words.prefix(1).uppercased() + words.dropFirst()
    }

    /// The first sentence or so of HTML as plain text, for a page's description.
    static func excerpt(_ html: String, limit: Int = 160) -> String {
        var text = ""
        var isTag = false
        var wasSpace = true
        for scalar in html.unicodeScalars {
            if scalar == "<" { isTag = true }
            let isSpace = isTag || scalar.value <= 0x20 || scalar.value == 0xA0
            if scalar == ">" { isTag = false }
            if isSpace {
                if !wasSpace { text.unicodeScalars.append(" ") }
                wasSpace = true
                continue
            }
            wasSpace = false
            text.unicodeScalars.append(scalar)
            if text.unicodeScalars.count > limit { break }
        }
        text = decoded(text)
        guard text.unicodeScalars.count > limit else { return text.last == " " ? String(text.dropLast()) : text }
        let cut = text.lastIndex(of: " ") ?? text.endIndex
        return text[..<cut] + "…"
    }

    private static func decoded(_ text: String) -> String {
        guard text.utf8.contains(UInt8(ascii: "&")) else { return text }
        var text = text
        for (reference, plain) in [
            ("&nbsp;", " "), ("&quot;", "\""), ("&#39;", "'"), ("&lt;", "<"), ("&gt;", ">"),
            ("&rsquo;", "’"), ("&ndash;", "–"), ("&amp;", "&"),
        ] {
            text.replace(reference, with: plain)
        }
        return text
    }

    /// Colours that merchants name, for the dots beside them; nil where a dot would guess.
    static func swatch(_ name: String) -> String? {
        let words = name.lowercased().split { !$0.isLetter }
        for word in words.reversed() {
            if let colour = swatches[String(word)] { return colour }
        }
        return nil
    }

    private static let swatches: [String: String] = [
        "black": "#17181a", "white": "#ffffff", "red": "#b8322a", "green": "#2f6b45", "blue": "#2f5aa0",
        "navy": "#1f2d50", "yellow": "#e6c437", "orange": "#d9772b", "pink": "#e3a3b2", "purple": "#69468c",
        "grey": "#8a8d8f", "gray": "#8a8d8f", "brown": "#6b4a33", "beige": "#ded0b6", "sand": "#d8c7a3",
        "cream": "#f1e9d6", "ivory": "#f5f0e1", "olive": "#6f7341", "teal": "#1f6f73", "gold": "#c9a04a",
        "silver": "#c2c5c9", "rust": "#a34d2a", "ochre": "#c48a2c", "indigo": "#39407f", "charcoal": "#3a3d40",
        "khaki": "#a49a6c", "maroon": "#6e2431", "burgundy": "#6a2033", "turquoise": "#3aa6a0", "mint": "#a9d5bf",
        "lavender": "#b9aed6", "coral": "#e67b62", "terracotta": "#b65c3d", "saffron": "#e2a23b", "natural": "#e4dcc8",
        "tan": "#c19a6b", "copper": "#b06a3f", "peach": "#f0b896", "mustard": "#c99a2e", "rose": "#d48a93",
        "sage": "#9cab8f", "plum": "#5e2f4f", "clay": "#b0714f", "slate": "#59656f", "magenta": "#b03a7a",
    ]
}
