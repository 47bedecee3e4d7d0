import Database
import Kernel
import PostgresPeer
import Testing

@testable import Orders

@Suite struct LeaseClockTests {
    @Test("a process that is alone goes by its own clock")
    func alone() async throws {
        let database = try await SQLiteDatabase.open(path: SQLiteDatabase.inMemory)
        let own = JumpingClock()
        let leases = LeaseClock(own)
        try await leases.listen(to: database)
        own.advance(by: .seconds(240))
        #expect(leases.now() == own.now())
        await database.close()
    }

    @Test("those with a server go by its clock, however far off their own are", .enabled(if: PostgresPeer.isInstalled))
    func shared() async throws {
        let url = try PostgresPeer.shared.get().url
        let database = try await PostgresDatabase.open(url: url, schema: PostgresPeer.schema())
        let (ahead, behind) = (JumpingClock(), JumpingClock())
        let processes = [ahead, behind].map { LeaseClock($0) }
        #expect(processes[0].now() == ahead.now(), "until the server was heard")
        // What a busy machine takes too long to say is not believed.
        while processes[0].now() == ahead.now() { try await processes[0].listen(to: database) }
        while processes[1].now() == behind.now() { try await processes[1].listen(to: database) }
        ahead.advance(by: .seconds(240))
        behind.advance(by: .seconds(-240))
        let times = processes.map { $0.now() }
        let lease = times[0] + Orders.lease
        #expect(lease > times[1], "what the one holds, the other does not take over")
        #expect(lease <= times[1] + Orders.lease + .seconds(2), "and does so soon when the one has died")
        await database.close()
    }
}
