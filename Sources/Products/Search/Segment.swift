/// An inverted index over some of the catalogue's slots, never changed once made: for each word, in order, the slots
/// that have it and how much it says about them.
final class Segment: Sendable {
    /// Sorted by their bytes.
    let words: [String]
    /// Where the entries of each word begin; one more than there are words.
    private let starts: [Int32]
    let slots: [Int32]
    /// 1 to 255 for each slot.
    let weights: [UInt8]

    private init(words: [String], starts: [Int32], slots: [Int32], weights: [UInt8]) {
        self.words = words
        self.starts = starts
        self.slots = slots
        self.weights = weights
    }

    func entries(of word: Int) -> Range<Int> { Int(starts[word])..<Int(starts[word + 1]) }

    /// Those that begin with `prefix`.
    func words(beginningWith prefix: String) -> Range<Int> {
        let first = firstWord(notBefore: prefix)
        var end = first
        while end < words.count, words[end].utf8.starts(with: prefix.utf8) { end += 1 }
        return first..<end
    }

    func position(of word: String) -> Int? {
        let found = firstWord(notBefore: word)
        return found < words.count && words[found] == word ? found : nil
    }

    private func firstWord(notBefore word: String) -> Int {
        var (low, high) = (0, words.count)
        while low < high {
            let middle = (low + high) / 2
            if Self.precedes(words[middle], word) { low = middle + 1 } else { high = middle }
        }
        return low
    }

    private static func precedes(_ left: String, _ right: String) -> Bool {
        left.utf8.lexicographicallyPrecedes(right.utf8)
    }

    /// Collects documents in the order of their slots.
    struct Builder {
        private var numbers: [String: Int32] = [:]
        private var words: [String] = []
        private var entries: [(word: Int32, slot: Int32, weight: UInt8)] = []
        private var documentWeights: [Int32: Int] = [:]
        private(set) var documents = 0

        /// The words of one field of the document being made.
        mutating func add(_ text: String, weight: Int) {
            Words.forEach(in: text) { word in
                let number: Int32
                if let known = numbers[word] {
                    number = known
                } else {
                    number = Int32(words.count)
                    numbers[word] = number
                    words.append(word)
                }
                documentWeights[number, default: 0] += weight
            }
        }

        mutating func endDocument(slot: Int32) {
            for (word, weight) in documentWeights {
                // Saturating, as BM25's term frequency is; without its length, which says little of a product.
                entries.append((word, slot, UInt8(255 * weight / (weight + 4))))
            }
            documentWeights.removeAll(keepingCapacity: true)
            documents += 1
        }

        func finish() -> Segment {
            let order = words.indices.sorted { Segment.precedes(words[$0], words[$1]) }
            var rank = [Int](repeating: 0, count: words.count)
            for (position, word) in order.enumerated() { rank[word] = position }
            // A counting sort by word keeps the slots in order.
            var starts = [Int32](repeating: 0, count: words.count + 1)
            for entry in entries { starts[rank[Int(entry.word)] + 1] += 1 }
            for index in words.indices { starts[index + 1] += starts[index] }
            var next = starts
            var slots = [Int32](repeating: 0, count: entries.count)
            var weights = [UInt8](repeating: 0, count: entries.count)
            for entry in entries {
                let word = rank[Int(entry.word)]
                slots[Int(next[word])] = entry.slot
                weights[Int(next[word])] = entry.weight
                next[word] += 1
            }
            return Segment(words: order.map { words[$0] }, starts: starts, slots: slots, weights: weights)
        }
    }

    /// One segment for two; the slots of `later` come after all of `self`.
    func merged(with later: Segment) -> Segment {
        var words: [String] = []
        var starts: [Int32] = [0]
        var slots: [Int32] = []
        var weights: [UInt8] = []
        words.reserveCapacity(max(self.words.count, later.words.count))
        slots.reserveCapacity(self.slots.count + later.slots.count)
        weights.reserveCapacity(slots.capacity)
        func take(_ segment: Segment, _ word: Int) {
            let range = segment.entries(of: word)
            slots.append(contentsOf: segment.slots[range])
            weights.append(contentsOf: segment.weights[range])
        }
        var (left, right) = (0, 0)
        while left < self.words.count || right < later.words.count {
            let takesLeft =
                right == later.words.count
                || left < self.words.count && !Self.precedes(later.words[right], self.words[left])
            let takesRight =
                left == self.words.count
                || right < later.words.count && !Self.precedes(self.words[left], later.words[right])
            words.append(takesLeft ? self.words[left] : later.words[right])
            if takesLeft {
                take(self, left)
                left += 1
            }
            if takesRight {
                take(later, right)
                right += 1
            }
            starts.append(Int32(slots.count))
        }
        return Segment(words: words, starts: starts, slots: slots, weights: weights)
    }

    var entryCount: Int { slots.count }
}
