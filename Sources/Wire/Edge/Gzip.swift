import CNIOExtrasZlib

/// Compresses whole bodies.
enum Gzip {
    /// What is smaller is not worth it, in bytes.
    static let smallest = 1_024
    private static let level: Int32 = 6
    /// 15 bits of window, and 16 for gzip's own header.
    private static let windowBits: Int32 = 15 + 16
    private static let memoryLevel: Int32 = 8

    /// Whether a content type is text that gets smaller.
    static func isWorthIt(_ contentType: String?, _ size: Int) -> Bool {
        guard size > smallest, let contentType else { return false }
        return contentType.hasPrefix("text/") || contentType.hasPrefix("application/json")
            || contentType.hasPrefix("application/javascript") || contentType.hasPrefix("image/svg")
            || contentType.hasPrefix("application/xml")
    }

    /// nil if it cannot be compressed.
    static func compress(_ body: [UInt8]) -> [UInt8]? {
        // zlib keeps the stream's address, so it must not move.
        let stream = UnsafeMutablePointer<cnioextras_z_stream>.allocate(capacity: 1)
        stream.initialize(to: cnioextras_z_stream())
        defer { stream.deallocate() }
        guard
            CNIOExtrasZlib_deflateInit2(
                stream, level, CNIOEXTRAS_Z_DEFLATED, windowBits, memoryLevel, CNIOEXTRAS_Z_DEFAULT_STRATEGY)
                == CNIOEXTRAS_Z_OK
        else { return nil }
        defer { cnioextras_z_deflateEnd(stream) }
        var input = body
        let bound = Int(cnioextras_z_deflateBound(stream, UInt(body.count)))
        var isComplete = false
        let compressed = [UInt8](unsafeUninitializedCapacity: bound) { output, count in
            input.withUnsafeMutableBufferPointer { input in
                stream.pointee.next_in = input.baseAddress
                stream.pointee.avail_in = UInt32(input.count)
                stream.pointee.next_out = output.baseAddress
                stream.pointee.avail_out = UInt32(bound)
                isComplete = cnioextras_z_deflate(stream, CNIOEXTRAS_Z_FINISH) == CNIOEXTRAS_Z_STREAM_END
            }
            count = bound - Int(stream.pointee.avail_out)
        }
        return isComplete ? compressed : nil
    }
}

extension Answer {
    /// Replaces the body by its gzip form where that is worth it.
    mutating func compress() {
        guard Gzip.isWorthIt(contentType, body.count), let packed = Gzip.compress(body) else { return }
        body = packed
        etag = etag.map { $0 + "-gz" }
        headers.append(("content-encoding", "gzip"))
    }
}
