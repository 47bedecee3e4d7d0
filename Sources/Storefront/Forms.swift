import Contracts
import Kernel

/// One field of a form, drawn by `field.mustache`: with its label, hint and error tied to it for screen readers.
struct Field {
    enum Control {
        case input(type: String)
        case select([(code: String, text: String)])
        case textarea
    }

    let name: String
    let label: String
    var control = Control.input(type: "text")
    var value = ""
    var hint: String?
    var autocomplete: String?
    var inputmode: String?
    var maxlength: Int?
    var isOptional = false
    /// The width on a broad screen: nil for all of it, `half`, `third`.
    var width: String?
    /// Differs from the name where a page has several forms with the same field.
    var id: String?

    /// The field as it is shown, with what was wrong with it.
    func view(_ error: String? = nil) -> View {
        let id = id ?? name
        let described = [hint.map { _ in id + "-hint" }, error.map { _ in id + "-error" }].compactMap(\.self)
        var view: View = [
            "id": id, "name": name, "label": label, "value": value, "hint": hint.orFalse, "error": error.orFalse,
            "autocomplete": autocomplete.orFalse, "inputmode": inputmode.orFalse, "maxlength": maxlength.orFalse,
            "optional": isOptional, "required": !isOptional, "wide": width.orFalse,
            "describedBy": described.isEmpty ? false : described.joined(separator: " "),
            "input": false, "select": false, "textarea": false,
        ]
        switch control {
        case .input(let type):
            view["type"] = type
            view["input"] = true
        case .textarea: view["textarea"] = true
        case .select(let choices):
            view["select"] = true
            view["options"] = choices.map { choice -> View in
                ["code": choice.code, "text": choice.text, "selected": choice.code == value]
            }
        }
        return view
    }
}

/// What was wrong with a form: the summary at the top, and the message at each field.
struct FormErrors {
    private(set) var byField: [String: String] = [:]
    private var items: [(anchor: String?, text: String)] = []

    var isEmpty: Bool { items.isEmpty }

    init() {}

    /// The violations of a problem, each at the field whose name ends its pointer (`/shipping_address/city` at `city`);
    /// what belongs to no field of this form, or a problem without violations, is said in the summary alone.
    init(_ problem: Problem, fields: [Field]) {
        for error in problem.extensions["errors"]?.arrayValue ?? [] {
            let pointer = error["pointer"]?.stringValue ?? ""
            let detail = error["detail"]?.stringValue ?? ""
            let name = pointer.split(separator: "/").last.map(String.init) ?? ""
            if let field = fields.first(where: { $0.name == name }) {
                add(field, Self.message(field, detail))
            } else {
                add(nil, name.isEmpty ? detail : "\(Texts.words(name)): \(detail)")
            }
        }
        if items.isEmpty { add(nil, problem.detail) }
    }

    mutating func add(_ field: Field?, _ text: String) {
        if let field, byField[field.name] == nil { byField[field.name] = text }
        items.append((field.map { $0.id ?? $0.name }, text))
    }

    private static func message(_ field: Field, _ detail: String) -> String {
        // What was typed as a password is never shown, not even in a message about it.
        if case .input(type: "password") = field.control {
            let length = RegisterUser.passwordLength
            return field.autocomplete == "new-password"
                ? "\(field.label): use \(length.lowerBound) to \(length.upperBound) characters" : "Password is needed"
        }
        return field.value.isEmpty ? "\(field.label) is needed" : "\(field.label): \(detail)"
    }

    /// For `problems.mustache`; `false` if nothing was wrong.
    var view: any Sendable {
        guard !items.isEmpty else { return false }
        let view: View = [
            "heading": items.count == 1 ? "One thing needs another look" : "\(items.count) things need another look",
            "items": items.map { ["anchor": $0.anchor.orFalse, "text": $0.text] as View },
        ]
        return view
    }

    func views(_ fields: [Field]) -> [View] { fields.map { $0.view(byField[$0.name]) } }
}
