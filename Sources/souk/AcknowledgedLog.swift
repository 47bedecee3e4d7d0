import Contracts
import Kernel
import Synchronization

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

/// What clients were told: a JSON object a line, `{"order": id, "idempotency_key": key, "total": {…}}`.
struct AcknowledgedOrder: Codable {
    var order: OrderID
    var idempotency_key: String?
    var total: Money?
}

final class AcknowledgedLog: Sendable {
    private let descriptor: Mutex<Int32>

    init(_ path: String) throws {
        let opened = open(path, O_WRONLY | O_CREAT | O_APPEND, 0o644)
        guard opened >= 0 else { throw Failure("\(path) cannot be written: \(String(cString: strerror(errno)))") }
        descriptor = Mutex(opened)
    }

    func append(order: Order, key: String) throws {
        try append(AcknowledgedOrder(order: order.id, idempotency_key: key, total: order.total))
    }

    func append(_ entry: AcknowledgedOrder) throws {
        let line = try JSON.encode(entry) + [0x0A]
        let written = descriptor.withLock { descriptor in
            line.withUnsafeBytes { write(descriptor, $0.baseAddress, $0.count) }
        }
        guard written == line.count else { throw Failure("the log of acknowledged orders cannot be written") }
    }

    static func read(_ path: String) throws -> [AcknowledgedOrder] {
        let chunks = try FileChunks(path)
        defer { chunks.close() }
        var bytes: [UInt8] = []
        while case let chunk = try chunks.next(), !chunk.isEmpty { bytes += chunk }
        return try bytes.split(separator: 0x0A).enumerated().map { index, line in
            do {
                return try JSON.decode(AcknowledgedOrder.self, from: line)
            } catch {
                throw Failure("\(path):\(index + 1): \(error)")
            }
        }
    }
}
