import Testing

@testable import Notifications

@Suite("Notifications: templates") struct TemplateTests {
    private func render(_ source: String, _ view: Template.View, html: Bool = true) throws -> String {
        try Template(Array(source.utf8), escapesHTML: html).render(view)
    }

    @Test("names are filled in, lists are repeated, and what is absent leaves nothing")
    func tags() throws {
        let view = Template.View(["a": "1"], lists: ["rows": [.init([".": "x"]), .init([".": "y"])]])
        #expect(try render("{{a}}-{{b}}-{{#rows}}[{{.}}]{{/rows}}{{#none}}!{{/none}}", view) == "1--[x][y]")
        #expect(try render("a\n{{#rows}}\n{{.}}\n{{/rows}}\nb\n", view) == "a\nx\ny\nb\n")
        #expect(try render("", view) == "")
    }

    @Test("HTML is escaped byte by byte, text is left as it is, and a value is no template")
    func escaping() throws {
        let view = Template.View(["a": "<b>&\"'{{b}}\u{301}\"\u{301}", "b": "never"])
        #expect(try render("{{a}}", view) == "&lt;b&gt;&amp;&quot;&#39;{{b}}\u{301}&quot;\u{301}")
        #expect(try render("{{a}}", view, html: false) == view.texts["a"])
    }

    @Test(
        "a malformed template is refused", arguments: ["{{a", "{{#a}}", "{{/a}}", "{{#a}}{{/b}}", "{{#a}}{{#b}}{{/a}}"])
    func malformed(source: String) {
        #expect(throws: Template.Malformed.self) { try Template(Array(source.utf8), escapesHTML: true) }
    }
}
