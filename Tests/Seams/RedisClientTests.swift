import Kernel
import Redis
import Synchronization
import Testing

struct RedisURLTests {
    @Test func aURLIsReadAndShownWithoutItsPassword() throws {
        let url = try RedisURL("redis://shop:p%40ss%2Fword@cache.example:6380/3")
        #expect(url.host == "cache.example" && url.port == 6_380 && url.user == "shop" && url.database == 3)
        var dumped = ""
        dump(url, to: &dumped)
        for text in ["\(url)", "\(String(reflecting: url))", dumped] {
            #expect(!text.contains("p@ss") && !text.contains("p%40") && text.contains("cache.example:6380/3"))
        }
        #expect(try RedisURL("redis://cache") == RedisURL("redis://cache:6379/0"))
        #expect(try RedisURL("redis://[::1]:7000").host == "::1")
    }

    @Test(arguments: [
        ("http://cache", "scheme"), ("cache:6379", "expected redis://"), ("rediss://cache", "TLS"),
        ("redis://", "host"), ("redis://cache:0", "port"), ("redis://cache:65536", "port"), ("redis://cache:x", "port"),
        ("redis://cache/one", "database"), ("redis://cache/-1", "database"), ("redis://cache?tls=1", "options"),
        ("redis://secret@cache", "before @"), ("redis://:@cache", "before @"), ("redis://:%zz@cache", "before @"),
        ("redis://[::1", "]"),
    ])
    func whatIsNoURLSaysWhatWasExpected(text: String, named: String) throws {
        let error = #expect(throws: RedisURL.Invalid.self) { try RedisURL(text) }
        let description = try #require(error?.description)
        #expect(description.contains(named) && description.contains("expected") && !description.contains("secret"))
    }
}

@Suite(.enabled(if: RedisServer.isInstalled, RedisServer.reason)) struct RedisClientTests {
    private func isUnavailable(_ error: RedisError?, isSent: Bool) -> Bool {
        guard case .unavailable(_, let found) = error else { return false }
        return found == isSent
    }

    @Test func everyCallerGetsItsOwnAnswer() async throws {
        let server = try await RedisServer.start()
        let client = try server.client()
        try await withThrowingTaskGroup(of: Void.self) { group in
            for number in 0..<2_000 {
                group.addTask {
                    let bytes = [UInt8](repeating: UInt8(number % 256), count: number * 3)
                    _ = try await client.send(RedisCommand("SET", "key\(number)", bytes))
                    #expect(try await client.send(RedisCommand("GET", "key\(number)")) == .bytes(bytes))
                }
            }
            try await group.waitForAll()
        }
        #expect(try await client.send(RedisCommand("DBSIZE")).integer() == 2_000)
        await client.close()
    }

    @Test func anErrorIsTheOneCallersAlone() async throws {
        let server = try await RedisServer.start()
        let client = try server.client()
        _ = try await client.send(RedisCommand("SET", "text", "x"))
        await withTaskGroup(of: Void.self) { group in
            for number in 0..<100 {
                group.addTask {
                    if number % 2 == 0 {
                        let error = await #expect(throws: RedisError.self) {
                            try await client.send(RedisCommand("INCR", "text"))
                        }
                        #expect(error == .refused("ERR value is not an integer or out of range"))
                    } else {
                        let value = try? await client.send(RedisCommand("GET", "text"))
                        #expect(value == .bytes(Array("x".utf8)))
                    }
                }
            }
        }
        await #expect(throws: RedisError.self) {
            try await client.send([RedisCommand("SET", "a", 1), RedisCommand("NOSUCH"), RedisCommand("SET", "b", 2)])
        }
        #expect(try await client.send(RedisCommand("MGET", "a", "b")).array().map { try $0.integer() } == [1, 2])
        #expect(throws: RedisError.unexpected("nothing instead of a string")) { try RedisValue.null.bytes() }
        await client.close()
    }

    @Test func theDatabaseAndThePasswordAreThoseOfTheURL() async throws {
        let server = try await RedisServer.start(password: "se/cret")
        let right = try RedisURL("redis://:se%2Fcret@127.0.0.1:\(server.port)/5")
        let client = RedisClient(right, logger: .silent)
        _ = try await client.send(RedisCommand("SET", "a", "b"))
        #expect(try await client.send(RedisCommand("INFO", "keyspace")).text().contains("db5:keys=1"))
        await client.close()
        for (text, answer) in [("redis://:wrong@", "WRONGPASS"), ("redis://", "NOAUTH")] {
            let stranger = RedisClient(
                try RedisURL(text + "127.0.0.1:\(server.port)"), options: .patient, logger: .silent)
            let error = await #expect(throws: RedisError.self) { try await stranger.check() }
            #expect(isUnavailable(error, isSent: false))
            let description = String(describing: error)
            #expect(description.contains(answer) && !description.contains("wrong@"))
            await stranger.close()
        }
    }

    @Test func nobodyThereIsSaidAtOnceAndLaterItWorks() async throws {
        let server = try await RedisServer.start()
        server.kill()
        let client = try server.client()
        for _ in 0..<100 {
            let error = await #expect(throws: RedisError.self) { try await client.check() }
            #expect(isUnavailable(error, isSent: false))
        }
        try await server.start()
        await until { (try? await client.check()) != nil }
        await client.close()
        await #expect(throws: RedisError.closed) { try await client.check() }
    }

    @Test func aRestartIsNotNoticedByWhoAsksAfterwards() async throws {
        let server = try await RedisServer.start()
        let client = try server.client()
        for _ in 0..<5 {
            try await client.check()
            server.kill()
            try await server.start()
            try await client.check()
        }
        await client.close()
    }

    @Test func aServerThatHangsCostsNobodyMoreThanTheTimeoutAndLeavesTheOutcomeOpen() async throws {
        let server = try await RedisServer.start()
        let client = try server.client(.quick)
        try await client.check()
        server.pause()
        let first = await #expect(throws: RedisError.self) { try await client.send(RedisCommand("INCR", "n")) }
        #expect(isUnavailable(first, isSent: true))
        await until {
            do throws(RedisError) {
                try await client.check()
                return true
            } catch {
                return isUnavailable(error, isSent: false)
            }
        }
        server.resume()
        await until { (try? await client.check()) != nil }
        // It was carried out after all, once.
        #expect(try await client.send(RedisCommand("GET", "n")).integer() == 1)
        await client.close()
    }

    @Test func aKillInTheMiddleLosesNoAnswerThatWasGiven() async throws {
        let server = try await RedisServer.start(isDurable: true)
        let client = try server.client()
        let acknowledged = Tally()
        try await withThrowingTaskGroup(of: Void.self) { group in
            for _ in 0..<20 {
                group.addTask {
                    for _ in 0..<50 {
                        do {
                            _ = try await client.send(RedisCommand("INCR", "n"))
                            acknowledged.add()
                        } catch let error as RedisError {
                            #expect(error.isOutage)
                        }
                    }
                }
            }
            await until { acknowledged.count > 100 }
            server.kill()
            try await server.start()
            try await group.waitForAll()
        }
        await until { (try? await client.check()) != nil }
        let found = try await client.send(RedisCommand("GET", "n")).integer()
        #expect(found >= Int64(acknowledged.count) && found <= 1_000)
        await client.close()
    }

    @Test(arguments: [
        ["garbage\r\n"], ["+PONG\r\n", "garbage\r\n"], ["+PONG\r\n", "$10\r\nhalf"],
        ["+PONG\r\n", "*2\r\n$1\r\na\r\n"],
        ["+PONG\r\n", "*1000000\r\n"], ["+PONG\r\n", "$-5\r\n"], ["+PONG\r\n", String(repeating: "*1\r\n", count: 50)],
        ["-LOADING Redis is loading the dataset\r\n"], ["+PONG\r\n", "-READONLY You can't write\r\n"],
    ])
    func whateverAnswersInsteadOfRedisIsAnOutage(answers: [String]) async throws {
        for hangsUp in [false, true] {
            let fake = try FakeRedis(answers: answers, hangsUp: hangsUp)
            let client = RedisClient(try fake.url, options: .quick, logger: .silent)
            for _ in 0..<3 {
                let error = await #expect(throws: RedisError.self) { try await client.send(RedisCommand("GET", "a")) }
                #expect(error?.isOutage == true)
            }
            await client.close()
        }
    }

    @Test func whatWaitsIsBounded() async throws {
        let server = try await RedisServer.start()
        var options = RedisClient.Options.patient
        options.connections = 1
        options.waitingLimit = 10
        let client = try server.client(options)
        try await client.check()
        server.pause()
        let refused = Tally()
        try await withThrowingTaskGroup(of: Void.self) { group in
            for _ in 0..<50 {
                group.addTask {
                    do {
                        try await client.check()
                    } catch RedisError.overloaded(let limit) {
                        #expect(limit == 10)
                        refused.add()
                    }
                }
            }
            // One batch is on its way at the most, ten wait behind it.
            await until { refused.count >= 30 }
            server.resume()
            try await group.waitForAll()
        }
        #expect(refused.count <= 40)
        await client.close()
    }

    @Test func aListenerLeavesAServerThatHangs() async throws {
        let server = try await RedisServer.start()
        let client = try server.client(.quick)
        let connections = Mutex(0)
        let listener = client.listener(to: ["a"]) { occurrence in
            if occurrence == .connected { connections.withLock { $0 += 1 } }
        }
        await withTaskGroup(of: Void.self) { group in
            group.addTask { await listener.run() }
            await until { connections.withLock { $0 } > 0 }
            server.pause()
            // Found out by the client, which asks; the listener has asked by then or does so soon.
            await until { (try? await client.check()) == nil }
            server.resume()
            await until { (try? await client.send(RedisCommand("PUBLISH", "a", "x"))) == .integer(1) }
            group.cancelAll()
        }
        await client.close()
    }

    @Test func aListenerHearsAllAndSaysWhenItMayHaveMissedSome() async throws {
        let server = try await RedisServer.start()
        let client = try server.client()
        let heard = Mutex<[RedisListener.Occurrence]>([])
        let listener = client.listener(to: ["a", "b"]) { occurrence in heard.withLock { $0.append(occurrence) } }
        await withTaskGroup(of: Void.self) { group in
            group.addTask { await listener.run() }
            await until { heard.withLock { $0 } == [.connected] }
            for number in 0..<500 { _ = try? await client.send(RedisCommand("PUBLISH", "a", number)) }
            await until { heard.withLock { $0.count } == 501 }
            #expect(heard.withLock { $0[500] } == .message(channel: "a", Array("499".utf8)))
            server.kill()
            try? await server.start()
            await until { heard.withLock { $0.count } == 502 }
            #expect(heard.withLock { $0.last } == .connected)
            await until { (try? await client.send(RedisCommand("PUBLISH", "b", "x"))) == .integer(1) }
            await until { heard.withLock { $0.last } == .message(channel: "b", [120]) }
            group.cancelAll()
        }
        await client.close()
    }
}
