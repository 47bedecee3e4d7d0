import NIOCore
import NIOPosix

/// The lane's connections: opened when they are missed, kept, and given to whoever waits longest.
extension Lane {
    func open(for visit: Visit) {
        opening += 1
        opened += 1
        let connection = Connection(self)
        let bound = NIOLoopBound(connection, eventLoop: loop)
        ClientBootstrap(group: loop)
            .connectTimeout(.nanoseconds(timeout))
            .channelInitializer { [encryption] channel in
                channel.eventLoop.makeCompletedFuture {
                    try encryption?.add(to: channel)
                    try channel.pipeline.syncOperations.addHandler(bound.value)
                }
            }
            .connect(to: addresses[opened % addresses.count])
            .assumeIsolated()
            .whenComplete { result in
                self.opening -= 1
                switch result {
                case .success(let channel):
                    guard !self.isOver else { return channel.close(promise: nil) }
                    connection.index = self.connections.count
                    self.connections.append(connection)
                    connection.send(visit)
                case .failure:
                    self.failed(visit, .connect)
                    self.serveNext()
                }
            }
    }

    /// It serves whoever waits longest.
    func release(_ connection: Connection) {
        if let next = waiting.popFirst() { connection.send(next) } else { idle.append(connection) }
    }

    func closed(_ connection: Connection) {
        guard connection.index >= 0, !isOver else { return }
        let last = connections.removeLast()
        if last !== connection {
            connections[connection.index] = last
            last.index = connection.index
        }
        connection.index = -1
        if let position = idle.firstIndex(where: { $0 === connection }) { idle.remove(at: position) }
        serveNext()
    }

    /// There is room for another connection. Later and not at once: it may fail at once, too.
    private func serveNext() {
        guard let next = waiting.popFirst() else { return }
        wake(next, at: Self.now())
    }
}
