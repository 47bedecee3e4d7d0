import Kernel

/// Entity tags: `"<version>-<hash of the body>"`, or the hash alone where nothing has a version.
enum ETag {
    /// The tag of a body, without quotes.
    static func of(_ body: [UInt8], version: Int64? = nil) -> String {
        let hash = hex(ContentHash.of(body))
        return version.map { "\($0)-\(hash)" } ?? hash
    }

    /// Whether an `If-None-Match` names the tag (weak comparison; also its gzip form) or says `*`.
    static func matches(_ header: String, _ tag: String) -> Bool {
        header.utf8.withContiguousStorageIfAvailable { header in
            tag.utf8.withContiguousStorageIfAvailable { tag in
                let bytes = UnsafeRawBufferPointer(header)
                return matches(bytes, 0..<bytes.count, UnsafeRawBufferPointer(tag))
            } ?? false
        } ?? false
    }

    static func matches(_ bytes: UnsafeRawBufferPointer, _ range: Range<Int>, _ tag: UnsafeRawBufferPointer) -> Bool {
        var found = false
        bytes.forEachListed(range) { entry in
            guard !found else { return }
            var start = entry.lowerBound
            if entry.count == 1, bytes[start] == UInt8(ascii: "*") { return found = true }
            if entry.count > 2, bytes[start] == UInt8(ascii: "W"), bytes[start + 1] == UInt8(ascii: "/") { start += 2 }
            guard entry.upperBound - start >= tag.count + 2, bytes[start] == ASCII.quote,
                bytes[entry.upperBound - 1] == ASCII.quote
            else { return }
            for (offset, byte) in tag.enumerated() where bytes[start + 1 + offset] != byte { return }
            let rest = start + 1 + tag.count..<entry.upperBound - 1
            found = rest.isEmpty || bytes.equals(rest, "-gz")
        }
        return found
    }

    /// The version that an `If-Match` names: nil for `*`.
    static func version(in header: String) throws(Problem) -> Int64? {
        let text = header.trimmed
        if text == "*" { return nil }
        guard text.utf8.count > 2, text.hasPrefix("\""), text.hasSuffix("\"") else { throw mismatch }
        let tag = text.dropFirst().dropLast()
        guard let version = Int64(tag.prefix { $0 != "-" }), version >= 0 else { throw mismatch }
        return version
    }

    private static var mismatch: Problem {
        Problem(.versionMismatch, "If-Match is not the ETag that a GET of this answered")
    }

    private static func hex(_ value: UInt64) -> String {
        let digits = String(value, radix: 16)
        return String(repeating: "0", count: 16 - digits.utf8.count) + digits
    }
}

extension StringProtocol {
    var trimmed: String {
        let isBlank: (Character) -> Bool = { $0 == " " || $0 == "\t" }
        var text = Substring(self).drop(while: isBlank)
        while let last = text.last, isBlank(last) { text.removeLast() }
        return String(text)
    }
}

/// A 64-bit hash of content, the same in every process and release. Not for secrets.
enum ContentHash {
    static func of(_ bytes: [UInt8]) -> UInt64 {
        bytes.withUnsafeBytes { bytes in
            var hash = mix(0x9E37_79B9_7F4A_7C15 ^ UInt64(bytes.count), 0xA076_1D64_78BD_642F)
            var position = 0
            while position + 8 <= bytes.count {
                let word = UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: position, as: UInt64.self))
                hash = mix(hash ^ word, 0xE703_7ED1_A0B4_28DB)
                position += 8
            }
            var last: UInt64 = 0
            while position < bytes.count {
                last = last << 8 | UInt64(bytes[position])
                position += 1
            }
            return mix(hash ^ last, 0x8EBC_6AF0_9C88_C6E3)
        }
    }

    /// Multiplies to 128 bits and folds, as wyhash does; the halves are kept from becoming zero for good.
    private static func mix(_ left: UInt64, _ right: UInt64) -> UInt64 {
        let (high, low) = left.multipliedFullWidth(by: right)
        return high ^ low ^ left.byteSwapped
    }
}
