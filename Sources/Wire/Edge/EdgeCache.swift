import NIOCore
public import Kernel

public final class EdgeCache: Staleness {
    public init() {}
    public func markStale(_ tags: [String]) {}
    func hit(_ head: RequestHead, _ bytes: UnsafeRawBufferPointer) -> EdgeHit? { nil }
}

struct EdgeHit {
    let bytes: ByteBuffer
    let rest: ByteBuffer?
}
