import Kernel

/// What a shopper comes for.
public enum Journey: String, Sendable, CaseIterable {
    /// The front page, then a list of products.
    case browse
    /// A search, then one of the products.
    case search
    case product
    /// A product, and it goes into a cart.
    case cart
    /// The same, and the cart is bought.
    case checkout
    /// An account is opened, logged in to and looked at.
    case account
}

/// The names that a journey's requests are counted under.
public enum JourneyStep: String, Sendable, CaseIterable {
    case browse, search, product, cart, checkout, account

    var index: Int { Self.allCases.firstIndex(of: self) ?? 0 }
}

/// Who comes, in which shares, and how they behave.
public struct JourneyMix: Sendable, Equatable {
    /// Shares of journeys, in any unit.
    public var weights: [Journey: Double]
    /// Of sandbox payment tokens at checkout.
    public var payments: [String: Double] = ["tok_approved": 1]
    /// How long a shopper thinks before a step, on average: evenly from half of it to one and a half.
    public var think: [JourneyStep: Duration] = [:]
    /// Before the steps that `think` does not name.
    public var usualThink = Duration.milliseconds(500)
    /// Pieces of a SKU in a cart.
    public var quantity = 1...3
    public var catalogue = Catalogue()

    /// A shop on an ordinary day.
    public static let standard = JourneyMix(weights: [
        .browse: 40, .search: 20, .product: 25, .cart: 5, .checkout: 8, .account: 2,
    ])

    public init(weights: [Journey: Double]) { self.weights = weights }

    /// Reads `browse=60,search=20`, or `standard`.
    ///
    /// - Throws: `DrillError` that names the pair.
    public init(_ text: String) throws {
        if text == "standard" {
            self = .standard
            return
        }
        self.init(weights: [:])
        for pair in text.split(separator: ",", omittingEmptySubsequences: false) {
            let parts = pair.split(separator: "=", omittingEmptySubsequences: false).map(String.init)
            guard parts.count == 2, let weight = Double(plain: parts[1]) else {
                throw DrillError(
                    "--journey has '\(pair)', expected NAME=SHARE such as browse=60, `standard`, or a JSON file")
            }
            try setWeight(parts[0], weight, in: "--journey")
        }
        try check("--journey")
    }

    /// Reads `{"weights": {"browse": 60, …}, "payments": {"tok_approved": 9, "tok_declined": 1}, "think": "500ms" or
    /// {"checkout": "2s"}, "quantity": [1, 3]}`; everything but `weights` may be left out.
    ///
    /// - Throws: `DrillError` that names the file and the member.
    public init(json bytes: [UInt8], file: String) throws {
        let members: [JSONObject.Element]
        do {
            guard let object = try JSON.parse(bytes).objectValue else { throw DrillError("no object") }
            members = Array(object)
        } catch {
            throw DrillError("\(file) is no JSON object: \(error)")
        }
        self.init(weights: [:])
        for (name, value) in members {
            switch name {
            case "weights":
                for (journey, weight) in try Self.shares(value, name, file) {
                    try setWeight(journey, weight, in: file)
                }
            case "payments": payments = try Dictionary(uniqueKeysWithValues: Self.shares(value, name, file))
            case "think": try setThink(value, file)
            case "quantity":
                guard let bounds = value.arrayValue, bounds.count == 2, let low = bounds[0].integerValue,
                    let high = bounds[1].integerValue, low >= 1, high >= low, high <= 1_000
                else { throw DrillError("\(file): quantity is \(value), expected [LOWEST, HIGHEST] from 1 to 1000") }
                quantity = Int(low)...Int(high)
            default:
                throw DrillError("\(file) has '\(name)', expected weights, payments, think or quantity")
            }
        }
        try check(file)
    }

    private static func shares(_ value: JSON, _ name: String, _ file: String) throws -> [(String, Double)] {
        guard let object = value.objectValue else {
            throw DrillError("\(file): \(name) is \(value), expected an object of names and shares")
        }
        return try object.map { member in
            guard let share = member.value.numberValue, share >= 0 else {
                throw DrillError("\(file): \(name).\(member.key) is \(member.value), expected a number from 0")
            }
            return (member.key, share)
        }
    }

    private mutating func setWeight(_ name: String, _ weight: Double, in place: String) throws {
        guard let journey = Journey(rawValue: name) else {
            let known = Journey.allCases.map(\.rawValue).joined(separator: ", ")
            throw DrillError("\(place) has the journey '\(name)', expected one of \(known)")
        }
        weights[journey] = weight
    }

    private mutating func setThink(_ value: JSON, _ file: String) throws {
        if let text = value.stringValue {
            usualThink = try Duration(span: text, of: "\(file): think")
            return
        }
        guard let object = value.objectValue else {
            throw DrillError("\(file): think is \(value), expected a time, or an object of steps and times")
        }
        for (name, time) in object {
            guard let step = JourneyStep(rawValue: name), let text = time.stringValue else {
                let known = JourneyStep.allCases.map(\.rawValue).joined(separator: ", ")
                throw DrillError("\(file): think.\(name) is \(time), expected a time for one of \(known)")
            }
            think[step] = try Duration(span: text, of: "\(file): think.\(name)")
        }
    }

    private func check(_ place: String) throws {
        guard weights.values.contains(where: { $0 > 0 }) else {
            throw DrillError("\(place) has no journey with a share above 0")
        }
        guard payments.values.contains(where: { $0 > 0 }) else {
            throw DrillError("\(place) has no payment token with a share above 0")
        }
    }

    /// Someone can buy only what is there.
    ///
    /// - Throws: `DrillError` if nothing is in stock and somebody wants to buy.
    public mutating func use(_ catalogue: Catalogue, of target: Target) throws {
        self.catalogue = catalogue
        let isBuying = (weights[.cart] ?? 0) + (weights[.checkout] ?? 0) > 0
        guard !isBuying || !catalogue.pieces.isEmpty else {
            throw DrillError("\(target.authority) has nothing in stock, and the journeys cart and checkout buy")
        }
    }

    /// Nanoseconds.
    func think(before step: JourneyStep, _ random: inout SeededGenerator) -> Int64 {
        let mean = (think[step] ?? usualThink).nanoseconds
        return mean == 0 ? 0 : mean / 2 + Int64.random(in: 0...mean, using: &random)
    }
}

extension SeededGenerator {
    /// One of `choices` by its share; their order decides, so it is a fixed one.
    mutating func choose<Choice>(_ choices: [(choice: Choice, share: Double)]) -> Choice? {
        var left = Double.random(in: 0..<1, using: &self) * choices.reduce(0) { $0 + $1.share }
        for (choice, share) in choices where share > 0 {
            left -= share
            if left < 0 { return choice }
        }
        return choices.last { $0.share > 0 }?.choice
    }
}
