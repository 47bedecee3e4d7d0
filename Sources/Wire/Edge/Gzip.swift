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
    /// The same with a smaller body; nil where that is not worth it.
    var compressed: Answer? {
        guard Gzip.isWorthIt(contentType, body.count), let packed = Gzip.compress(body) else { return nil }
        var answer = self
        answer.body = packed
        answer.etag = etag.map { $0 + "-gz" }
        answer.headers.append(("content-encoding", "gzip"))
        return answer
    }

    /// The `304` that says it is the same as before.
    var unchanged: Answer {
        var answer = self
        answer.status = 304
        answer.contentType = nil
        answer.body = []
        return answer
    }
}
