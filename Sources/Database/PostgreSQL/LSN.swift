/// A place in a PostgreSQL server's log (log sequence number): the count of bytes that were ever written before it.
public struct LSN: Hashable, Comparable, Sendable, CustomStringConvertible {
    public let position: UInt64

    public init(_ position: UInt64) { self.position = position }

    /// As the server writes it, `16/B374D848`: both halves in hexadecimal.
    public init?(_ text: String) {
        let halves = text.split(separator: "/", omittingEmptySubsequences: false)
        guard halves.count == 2, let high = UInt32(halves[0], radix: 16), let low = UInt32(halves[1], radix: 16) else {
            return nil
        }
        self.init(UInt64(high) << 32 | UInt64(low))
    }

    public var description: String {
        String(position >> 32, radix: 16, uppercase: true) + "/"
            + String(position & 0xFFFF_FFFF, radix: 16, uppercase: true)
    }

    public static func < (left: LSN, right: LSN) -> Bool { left.position < right.position }
    public static func + (start: LSN, count: Int) -> LSN { LSN(start.position + UInt64(count)) }

    /// Where the file of the log that holds it begins.
    public func segmentStart(_ segmentSize: Int) -> LSN { LSN(position - position % UInt64(segmentSize)) }

    /// The name of the file that holds it, `000000010000000000000003`: timeline, then its number in two halves.
    public func segmentName(timeline: Int, segmentSize: Int) -> String {
        let number = position / UInt64(segmentSize)
        let perHalf = 0x1_0000_0000 / UInt64(segmentSize)
        return [UInt64(timeline), number / perHalf, number % perHalf].map { part in
            let digits = String(part, radix: 16, uppercase: true)
            return String(repeating: "0", count: max(0, 8 - digits.count)) + digits
        }.joined()
    }
}
