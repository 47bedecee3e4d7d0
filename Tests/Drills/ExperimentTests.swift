import Kernel
import Testing

@testable import Drills

@Suite("Experiments are read, and what is wrong is named by its place") struct ExperimentTests {
    static func read(_ text: String) throws -> Experiment { try Experiment(json: Array(text.utf8), file: "x.json") }

    static func wrapped(_ activity: String) -> String {
        #"{"title": "t", "description": "d", "method": [\#(activity)]}"#
    }

    @Test func whole() throws {
        let experiment = try Self.read(
            """
            {"title": "t", "description": "d", "tags": ["a"], "configuration": {"n": 2},
             "steady-state-hypothesis": {"title": "h", "probes": [
               {"type": "probe", "name": "page", "tolerance": 200, "provider": {"type": "http", "url": "http://h/"}}]},
             "method": [{"ref": "page"}, {"type": "action", "name": "kill", "background": true,
               "pauses": {"before": 1, "after": "${n}"}, "provider": {"type": "process", "path": "true"}}],
             "rollbacks": [{"ref": "kill"}], "controls": []}
            """)
        #expect(experiment.method.map(\.name) == ["page", "kill"])
        #expect(experiment.method[1].isBackground)
        #expect(experiment.method[1].pauseAfter == "${n}")
        #expect(experiment.rollbacks[0].name == "kill")
        #expect(experiment.warnings.count == 1 && experiment.warnings[0].contains("/controls"))
    }

    @Test(
        arguments: [
            ("[]", "the experiment is no object"), (#"{"title": "t"}"#, "has no description"),
            (#"{"title": "t", "description": "d"}"#, "has no method"),
            (wrapped(#"{"type": "deed"}"#), "/method/0/type is 'deed', expected action or probe"),
            (wrapped(#"{"type": "action", "name": "a"}"#), "/method/0 has no provider"),
            (
                wrapped(#"{"type": "action", "name": "a", "provider": {"type": "python", "module": "m"}}"#),
                "/method/0/provider/type is python, which only the Chaos Toolkit runs"
            ),
            (
                wrapped(#"{"type": "action", "name": "a", "provider": {"type": "process"}}"#),
                "/method/0/provider has no path"
            ),
            (wrapped(#"{"ref": "b"}"#), "/method/0/ref is 'b', expected the name of an activity"),
            (
                wrapped(
                    #"{"type": "probe", "name": "a", "provider": {"type": "process", "path": "x"}, "tolerance": 1.5}"#),
                "/method/0/tolerance is 1.5"
            ),
        ])
    func wrong(_ text: String, _ expected: String) {
        let error = #expect(throws: DrillError.self) { try Self.read(text) }
        #expect(error?.description.contains(expected) == true, "\(error?.description ?? "")")
    }

    @Test(arguments: [
        ("${n}", JSON.integer(2)), ("at ${n}", "at 2"), ("${unknown}", "${unknown}"), ("$$x", "$x"), ("${s}", "hidden"),
        ("${set}/${n}", "there/2"), ("${usual}", "here"),
    ])
    func variables(_ text: String, _ expected: JSON) throws {
        let experiment = try Self.read(
            """
            {"title": "t", "description": "d", "method": [], "secrets": {"group": {"s": "hidden"}}, "configuration": {
              "n": 2, "set": {"type": "env", "key": "SET"}, "usual": {"type": "env", "key": "NOT", "default": "here"}}}
            """)
        let variables = try Variables(experiment, environment: { $0 == "SET" ? "there" : nil }, file: "x.json")
        #expect(variables.replace(["a": [.string(text)]]) == ["a": [expected]])
        #expect(variables.configuration["set"] == "there")
        #expect(!"\(JSON.object(variables.configuration))".contains("hidden"))
        #expect(throws: DrillError.self) { try Variables(experiment, environment: { _ in nil }, file: "x.json") }
    }

    @Test(arguments: [
        ("200", #"{"status": 200}"#, true), ("200", #"{"status": 503}"#, false), ("1", "1.0", true),
        ("true", "true", true), (#""a""#, #""a""#, true), (#""a""#, #""b""#, false),
        ("[200, 503]", #"{"status": 503}"#, true), ("[200, 503]", #"{"status": 404}"#, false), ("[1, 9]", "5", true),
        ("[1, 9]", "10", false), ("[1, 2, 3]", "3", true),
        (#"{"type": "regex", "pattern": "^o[k]$", "target": "stdout"}"#, #"{"stdout": "ok"}"#, true),
        (#"{"type": "regex", "pattern": "^o$"}"#, #""ok""#, false),
        (#"{"type": "range", "range": [0, 1.5], "target": "stdout"}"#, #"{"stdout": " 1.2\n"}"#, true),
        (#"{"type": "range", "range": [0, 1]}"#, #""many""#, false),
        (
            #"{"type": "jsonpath", "path": "$.a.b[0]", "target": "body"}"#, #"{"body": "{\"a\": {\"b\": [7]}}"}"#,
            true
        ),
        (#"{"type": "jsonpath", "path": "$.a[*].b", "expect": [1, 2]}"#, #"{"a": [{"b": 1}, {"b": 2}]}"#, true),
        (#"{"type": "jsonpath", "path": "$['a']", "expect": 3}"#, #"{"a": 4}"#, false),
        (#"{"type": "jsonpath", "path": "$.a.*", "count": 2}"#, #"{"a": {"x": 1, "y": 2}}"#, true),
    ])
    func tolerances(_ tolerance: String, _ result: String, _ isMet: Bool) throws {
        let place = Place(file: "x", pointer: "", value: try JSON.parse(Array(tolerance.utf8)))
        #expect(try Tolerance(place).isMet(by: JSON.parse(Array(result.utf8))) == isMet)
    }

    @Test(arguments: ["$.a[", "a.b", "$..a", "$.a[-1]", "$.a[?(@.b)]", "$a", "$.", "$[']"])
    func pathsThatAreNotRead(_ path: String) {
        let place = Place(file: "x", pointer: "", value: .null)
        #expect(throws: DrillError.self) { try JSONPath(path, place) }
    }

    @Test func whatIsNotNamedIsNotTouched() throws {
        func process(_ arguments: JSON) -> Provider { .process(.init(path: "env", arguments: arguments)) }
        func http(_ url: String) -> Provider { .http(.init(url: url, method: .get, headers: [:])) }
        for provider in [
            http("http://shop.example/"), process(["souk", "load", "http://shop.example/"]),
            process(["kubectl", "delete", "pod"]), process(["kubectl", "--context", "prod", "delete", "pod"]),
            process("curl http://shop.example/"),
            process("-c 'kubectl --context staging get pods | xargs kubectl delete'"),
        ] {
            #expect(throws: DrillError.self) { try Reach.check("a", provider, allowed: ["staging"]) }
        }
        try Reach.check("a", http("http://127.0.0.1:1/"), allowed: [])
        try Reach.check("a", http("http://shop.example/"), allowed: ["shop.example"])
        try Reach.check("a", process(["kubectl", "--context", "staging", "get"]), allowed: ["staging"])
    }

    private static func expecting(_ extensions: String) throws -> Expectations {
        try read(
            """
            {"title": "t", "description": "d", "extensions": [{"name": "other"}, {"name": "souk", \(extensions)}],
             "method": [{"type": "action", "name": "mend", "provider": {"type": "process", "path": "true"}}]}
            """
        ).expectations
    }

    @Test("what it expects with shoppers in the shop stands in its extension") func expectations() throws {
        let expected = try Self.expecting(
            """
            "steady_again": "when it is over", "over_with": "mend", "within": 20, "errors_meanwhile": 1,
            "audit": {"type": "process", "path": "env", "arguments": ["souk", "audit"]}
            """)
        #expect(expected.steadyAgain == .afterwards && expected.overWith == "mend" && expected.within == 20)
        #expect(expected.errors == 0.001 && expected.errorsMeanwhile == 1)
        guard case .process(let audit) = expected.audit?.adding(["--acknowledged", "told"]) else {
            Issue.record("no program")
            return
        }
        #expect(audit.command == ["env", "souk", "audit", "--acknowledged", "told"])
        let usual = try Self.read(Self.wrapped("")).expectations
        #expect(usual.steadyAgain == .meanwhile && usual.within == 10 && usual.errors == 0.001 && usual.audit == nil)
    }

    @Test(
        "what is wrong in the extension is named",
        arguments: [
            (#""steady_again": "soon""#, "/extensions/1/steady_again is 'soon', expected one of 'at once'"),
            (#""over_with": "nobody""#, "/extensions/1/over_with is 'nobody'"),
            (#""within": 0"#, "/extensions/1/within is 0, expected a number from 1 to 600"),
            (#""errors": 2"#, "/extensions/1/errors is 2"), (#""error": 0"#, "/extensions/1 has 'error'"),
            (#""audit": {"type": "process", "path": "x", "arguments": "y"}"#, "/extensions/1/audit is no program"),
        ])
    func wrongExpectations(_ text: String, _ named: String) {
        let error = #expect(throws: DrillError.self) { try Self.expecting(text) }
        #expect(error?.description.contains(named) == true, "\(error?.description ?? "")")
    }
}
