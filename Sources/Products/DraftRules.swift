import Contracts
import Kernel

/// What a draft must keep beyond its schema, and the SKUs that it leaves to Souk.
struct DraftRules: Sendable {
    /// The shop's; nil for any one.
    let currency: Currency?
    static let longestSKU = 100
    /// Violations that a refusal names.
    static let named = 3

    /// - Throws: `invalid`, with a pointer and what was expected for each that is wrong.
    func check(_ draft: ProductDraft) throws {
        let shape = ProductDraft.schema.violations(in: try JSON(encoding: draft))
        guard shape.isEmpty else { throw Problem.invalid(shape) }
        var wrong: [Violation] = []
        func refuse(_ pointer: String, _ detail: String) {
            wrong.append(Violation(pointer: pointer, detail: detail))
        }
        if Set(draft.options).count < draft.options.count {
            refuse("/options", "expected names that differ, found \(draft.options.joined(separator: ", "))")
        }
        let expected = currency ?? draft.variants[0].price.currency
        var combinations: Set<[String]> = []
        var skus: Set<String> = []
        for (index, variant) in draft.variants.enumerated() {
            let place = "/variants/\(index)"
            if variant.options.count != draft.options.count {
                refuse(place + "/options", Self.wrongCount(variant, draft))
            } else if !combinations.insert(variant.options).inserted {
                let combination = variant.options.joined(separator: " / ")
                refuse(
                    place + "/options",
                    variant.options.isEmpty
                        ? "a product without options has one variant, expected options that tell them apart"
                        : "\(combination) is there twice, expected a combination of its own")
            }
            if let sku = variant.sku, !skus.insert(sku).inserted {
                refuse(place + "/sku", "\(sku) is there twice, expected a SKU of its own for each variant")
            }
            if variant.price.currency != expected {
                refuse(place + "/price", "expected \(expected), found \(variant.price.currency)")
            }
            if let before = variant.compare_at_price, before.currency != variant.price.currency {
                refuse(
                    place + "/compare_at_price",
                    "expected \(variant.price.currency) like the price, found \(before.currency)")
            }
        }
        if !wrong.isEmpty { throw Problem.invalid(wrong) }
    }

    private static func wrongCount(_ variant: ProductDraft.Variant, _ draft: ProductDraft) -> String {
        let names = draft.options.isEmpty ? "" : ": " + draft.options.joined(separator: ", ")
        return "expected \(draft.options.count) values as the product has options\(names); found "
            + (variant.options.isEmpty ? "none" : variant.options.joined(separator: ", "))
    }

    /// One line for an import's report.
    static func sentence(_ problem: Problem) -> String {
        let errors = problem.extensions["errors"]?.arrayValue ?? []
        guard errors.count > 1 else { return problem.detail }
        let named = errors.prefix(Self.named).map {
            "\($0["pointer"]?.stringValue ?? ""): \($0["detail"]?.stringValue ?? "")"
        }
        let more = errors.count > Self.named ? ["and \(errors.count - named.count) more"] : []
        return (named + more).joined(separator: "; ")
    }

    /// The SKU for a variant that came without: `LINEN-SHIRT-M-BLUE`. The same draft gives the same.
    /// - Parameter isTaken: whether another variant has it; then it ends in `-2`, `-3`….
    static func sku(
        handle: String, options: [String], position: Int, isTaken: (String) throws -> Bool
    ) rethrows -> String {
        var parts = [handle.uppercased()]
        for option in options {
            let form = option.handleForm.uppercased()
            parts.append(form.isEmpty ? String(position + 1) : form)
        }
        let whole = parts.joined(separator: "-")
        var sku = String(whole.prefix(longestSKU))
        var number = 1
        while try isTaken(sku) {
            number += 1
            let ending = "-\(number)"
            sku = whole.prefix(longestSKU - ending.utf8.count) + ending
        }
        return sku
    }
}
