import Kernel
import Testing

@testable import Storefront

@Suite struct TextTests {
    @Test(arguments: [
        (123_450, "GBP", "£1,234.50"), (-500, "EUR", "−€5.00"), (1_234_567, "JPY", "¥1,234,567"),
        (1_200, "CHF", "CHF\u{A0}12.00"), (0, "USD", "$0.00"), (99_999, "KWD", "KWD\u{A0}99.999"),
    ])
    func money(amount: Int64, code: String, text: String) throws {
        #expect(Texts.money(Money(amount, try #require(Currency(code)))) == text)
    }

    @Test func times() {
        #expect(Texts.time(Timestamp(year: 2026, month: 3, day: 9, hour: 14, minute: 2)) == "9 Mar 2026, 14:02 UTC")
        #expect(Texts.day("2026-12-31") == "31 Dec 2026")
    }

    @Test func excerpts() {
        #expect(Texts.excerpt("<p>Soft &amp; <b>light</b>.</p>\n<p>Two.</p>") == "Soft & light . Two.")
        let long = Texts.excerpt(String(repeating: "word ", count: 100))
        #expect(long.hasSuffix("word…") && long.unicodeScalars.count <= 161)
    }

    @Test func swatches() {
        #expect(Texts.swatch("Bottle Green") == Texts.swatch("green"))
        #expect(Texts.swatch("XL") == nil)
    }

    @Test func addressesOfThisShop() {
        #expect(Links.inside("/account?a=b") == "/account?a=b")
        for elsewhere in ["//x", "https://x", "/\\x", "x", "", "/ x", nil] { #expect(Links.inside(elsewhere) == nil) }
        #expect(Links.segment("a b/ü&") == "a%20b%2F%C3%BC%26")
        #expect(Links.image("https://cdn.example/a.jpg") != nil)
        for other in ["http://x/a.jpg", "javascript:alert(1)", "//x/a.jpg", "data:image/svg+xml,x"] {
            #expect(Links.image(other) == nil)
        }
    }

    @Test func discountsPromiseNoMoreThanTheyGive() {
        func discount(_ price: Int64, _ before: Int64) -> Int64? {
            Cards.discount(Money(price, .gbp), Money(before, .gbp))
        }
        #expect(discount(2_000, 2_999) == 33)
        #expect(discount(2_999, 3_000) == nil)
        #expect(discount(3_000, 3_000) == nil)
        #expect(discount(0, 100) == 100)
        #expect(Cards.was(Money(100, .gbp), Money(200, .eur)) == nil)
    }

    @Test func listsHaveOneAddress() {
        let listing = Listing(words: "a b", category: "shirts", isAvailable: true, after: "5")
        #expect(listing.link == "/search?q=a%20b&category=shirts&available=true&after=5")
        #expect(listing.link { $0.words = nil } == "/categories/shirts?available=true")
    }
}

@Suite struct SanitiserTests {
    @Test(arguments: [
        ("<p>One</p><p>Two</p>", "<p>One</p><p>Two</p>"),
        ("Plain & simple\nnext\n\nagain", "<p>Plain &amp; simple<br>next</p><p>again</p>"),
        ("<ul><li>a<li>b</ul>", "<ul><li>a</li><li>b</li></ul>"),
        ("<p>a<p>b", "<p>a</p><p>b</p>"),
        ("<p>a<ul><li>b</li></ul></p>c", "<p>a</p><ul><li>b</li></ul>c"),
        ("<div><span style='x'>a</span></div><div></div>", "<p>a</p>"),
        ("<b>a<i>b</b>c</i>", "<b>a<i>b</i></b>c"),
        ("a < b && c > d", "<p>a &lt; b &amp;&amp; c &gt; d</p>"),
        ("x &lt;script&gt; &#8211; &nbsp;", "<p>x &lt;script&gt; &#8211; &nbsp;</p>"),
        ("<h1>T</h1><h5>t</h5>", "<h2>T</h2><h4>t</h4>"),
        (
            "<a href=\"https://a.example/?x=1&amp;y='2'\">a</a>",
            "<a href=\"https://a.example/?x=1&amp;y=&#39;2&#39;\" rel=\"nofollow noopener\">a</a>"
        ),
        ("<li>alone</li>", "alone"),
        ("<table><tr><td>Size</td><td>M</td></tr><tr><td>L</td></tr></table>", " Size M<br> L"),
    ])
    func keepsWhatIsOnTheList(html: String, clean: String) {
        #expect(Sanitiser.clean(html) == clean)
    }

    static let vectors = [
        "<script>alert(1)</script>", "<ScRiPt >alert(1)</sCrIpT >", "<script/x>alert(1)//",
        "<img src=x onerror=alert(1)>",
        "<svg><script>alert(1)</script></svg>", "<svg/onload=alert(1)>", "<a href=javascript:alert(1)>x</a>",
        "<a href=' jAvAsCrIpT:alert(1)'>x</a>", "<a href=\"java\tscript:alert(1)\">x</a>",
        "<a href=\"&#106;avascript:alert(1)\">x</a>", "<a href=\"javascript&colon;alert(1)\">x</a>",
        "<a href=\"&#x6A&#x61;vascript:alert(1)\">x</a>", "<a href=data:text/html,<script>alert(1)</script>>x</a>",
        "<a href=vbscript:x>x</a>", "<a href=//evil.example>x</a>", "<iframe src=javascript:alert(1)></iframe>",
        "<p onclick=alert(1)>x</p>", "<p style=\"background:url(javascript:alert(1))\">x</p>",
        "<style>@import 'x'</style>", "<!--><img src=x onerror=alert(1)>-->", "<!-- --!><script>alert(1)</script>",
        "<<script>alert(1)</script>", "<scr<script>ipt>alert(1)</script>", "<math><mtext></mtext><mglyph><style>x",
        "<noscript><p title=\"</noscript><img src=x onerror=alert(1)>\">",
        "<a href=\"https://x\" onmouseover=alert(1)>x</a>",
        "<a href='https://x\" onmouseover=\"alert(1)'>x</a>", "<p/onclick=alert(1)>x", "<p\u{0C}onclick=alert(1)>x",
        "<template><script>alert(1)</script></template>", "<object data=javascript:alert(1)>", "<embed src=x>",
        "<base href=https://evil.example>", "<form action=https://evil.example><input name=password>",
        "<meta http-equiv=refresh content=0>", "<link rel=stylesheet href=x>",
        "<title><img src=x onerror=alert(1)></title>",
        "<textarea><img src=x onerror=alert(1)></textarea>", "<xmp><img src=x onerror=alert(1)></xmp>", "<p", "<p ",
        "<a href=\"",
        "<a href=https://x", "</p></p></ul>", "<%00script>alert(1)</script>",
        "<a href=\"https://x\"\u{301} onclick=alert(1)>x</a>",
        "&lt;script&gt;alert(1)&lt;/script&gt;", "<a href=\"https://x/&quot; onclick=alert(1)\">x</a>",
    ]

    /// Whatever comes in, only these tags come out, whole, with no attribute but a link's two.
    @Test(arguments: vectors)
    func letsNothingElseThrough(html: String) {
        for text in [html, "<p>" + html, html + html, "<ul><li>" + html + "<b>"] {
            let clean = Sanitiser.clean(text)
            #expect(Self.isHarmless(clean), "\(text) became \(clean)")
            #expect(faults(in: clean) == [], "\(text) became \(clean)")
            #expect(Self.isHarmless(Sanitiser.clean(clean)))
        }
    }

    @Test func bytesInAnyOrderComeOutHarmless() {
        var generator = Seeded(state: 42)
        let pieces = [
            "<", ">", "</", "p", "a", " href=", "\"", "'", "javascript:", "https://x", "<ul>", "<li>", "</ul>", "<b>",
            "&", "#",
            "x6a;", "script", "<!--", "-->", "/", "=", " ", "\u{301}", "é", "on", "<a href=\"https://x\">", "</a>",
            "<style>",
        ]
        for _ in 0..<3_000 {
            let text = (0..<Int.random(in: 1...30, using: &generator)).map { _ in
                pieces[Int.random(in: 0..<pieces.count, using: &generator)]
            }.joined()
            let clean = Sanitiser.clean(text)
            #expect(Self.isHarmless(clean) && faults(in: clean).isEmpty, "\(text) became \(clean)")
        }
    }

    @Test func longInputTakesTimeInProportion() {
        let text = String(repeating: "<b><p><a href=https://x><ul><li>&amp;", count: 2_000)
        #expect(Sanitiser.clean(text).utf8.count < 2_000_000)
    }

    private static func isHarmless(_ html: String) -> Bool {
        let plain = ["p", "br", "ul", "ol", "li", "strong", "em", "b", "i", "h2", "h3", "h4"]
        for piece in html.utf8.split(separator: UInt8(ascii: "<"), omittingEmptySubsequences: false).dropFirst() {
            guard let end = piece.firstIndex(of: UInt8(ascii: ">")) else { return false }
            let tag = String(decoding: piece[..<end], as: UTF8.self)
            if plain.contains(tag) || tag.hasPrefix("/") && (plain + ["a"]).contains(String(tag.dropFirst())) {
                continue
            }
            let prefix = "a href=\""
            let suffix = "\" rel=\"nofollow noopener"
            guard tag.hasPrefix(prefix), tag.utf8.reversed().starts(with: (suffix + "\"").utf8.reversed()) else {
                return false
            }
            let target = tag.utf8.dropFirst(prefix.utf8.count).dropLast(suffix.utf8.count + 1)
            let schemes = ["https://", "http://", "mailto:"]
            guard !target.contains(UInt8(ascii: "\"")),
                schemes.contains(where: { target.map { $0 | 0x20 }.starts(with: $0.utf8.map { $0 | 0x20 }) })
            else { return false }
        }
        return true
    }
}

/// The same numbers every time.
struct Seeded: RandomNumberGenerator {
    var state: UInt64
    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ mixed >> 30) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ mixed >> 27) &* 0x94D0_49BB_1331_11EB
        return mixed ^ mixed >> 31
    }
}
