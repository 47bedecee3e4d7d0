import CNIOExtrasZlib

/// A part's bytes made smaller, and back: zlib's format (RFC 1950), the whole at once.
enum Deflate {
    /// The fastest: rows shrink to a fifth with it, and to a sixth with twelve times the work of the best.
    private static let level: Int32 = 1
    private static let windowBits: Int32 = 15
    private static let memoryLevel: Int32 = 8

    static func pack(_ bytes: [UInt8]) throws -> [UInt8] {
        try withStream { stream in
            guard
                CNIOExtrasZlib_deflateInit2(
                    stream, level, CNIOEXTRAS_Z_DEFLATED, windowBits, memoryLevel, CNIOEXTRAS_Z_DEFAULT_STRATEGY)
                    == CNIOEXTRAS_Z_OK
            else { throw BackupError.compression }
            defer { cnioextras_z_deflateEnd(stream) }
            let bound = Int(cnioextras_z_deflateBound(stream, UInt(bytes.count)))
            return try run(stream, bytes, into: bound) { cnioextras_z_deflate($0, CNIOEXTRAS_Z_FINISH) }
        }
    }

    /// - Parameter size: of what comes out; anything else is damage.
    static func unpack(_ bytes: [UInt8], size: Int) throws -> [UInt8] {
        try withStream { stream in
            guard CNIOExtrasZlib_inflateInit2(stream, windowBits) == CNIOEXTRAS_Z_OK else {
                throw BackupError.compression
            }
            defer { cnioextras_z_inflateEnd(stream) }
            // A byte more, so that its end is met also where it is full.
            let all = try run(stream, bytes, into: size + 1) { cnioextras_z_inflate($0, CNIOEXTRAS_Z_FINISH) }
            guard all.count == size else { throw BackupError.compression }
            return all
        }
    }

    /// zlib keeps the stream's address, so it must not move.
    private static func withStream<T>(_ body: (UnsafeMutablePointer<cnioextras_z_stream>) throws -> T) rethrows -> T {
        let stream = UnsafeMutablePointer<cnioextras_z_stream>.allocate(capacity: 1)
        stream.initialize(to: cnioextras_z_stream())
        defer { stream.deallocate() }
        return try body(stream)
    }

    private static func run(
        _ stream: UnsafeMutablePointer<cnioextras_z_stream>, _ bytes: [UInt8], into capacity: Int,
        _ step: (UnsafeMutablePointer<cnioextras_z_stream>) -> Int32
    ) throws -> [UInt8] {
        var input = bytes
        var code: Int32 = 0
        let output = [UInt8](unsafeUninitializedCapacity: capacity) { output, count in
            input.withUnsafeMutableBufferPointer { input in
                stream.pointee.next_in = input.baseAddress
                stream.pointee.avail_in = UInt32(clamping: input.count)
                stream.pointee.next_out = output.baseAddress
                stream.pointee.avail_out = UInt32(clamping: capacity)
                code = step(stream)
            }
            count = capacity - Int(stream.pointee.avail_out)
        }
        guard code == CNIOEXTRAS_Z_STREAM_END else { throw BackupError.compression }
        return output
    }
}
