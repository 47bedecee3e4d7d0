import Foundation
import Kernel
import Objects
import Testing

/// What every form of the store promises.
@Suite("Objects") struct ObjectsTests {
    @Test("the S3 forms are tested too", .enabled(if: S3Peer.isInstalled, "\(S3Peer.reason)")) func bothForms() {
        #expect(ObjectStoreForm.available == ObjectStoreForm.allCases)
    }

    @Test(arguments: ObjectStoreForm.available) func whatIsPutIsGotWithItsTypeAndTag(form: ObjectStoreForm) async throws
    {
        try await form.withStore { store in
            let bytes = Array("<svg/>\n\0\u{FF}".utf8)
            let etag = try await store.put("products/1.svg", bytes, contentType: "image/svg+xml")
            let object = try await store.get("products/1.svg")
            #expect(object == Object(bytes: bytes, contentType: "image/svg+xml", etag: etag))
            #expect(try await store.put("products/1.svg", bytes, contentType: "image/svg+xml") == etag)
            #expect(try await store.put("products/1.svg", bytes, contentType: "text/plain") != etag)
            #expect(try await store.put("products/1.svg", [], contentType: "image/svg+xml") != etag)
            #expect(try await store.get("products/1.svg")?.bytes == [])
            // A key may be another one's folder.
            try await store.put("products", [7], contentType: "text/plain")
            try await store.put("products/1.svg/small", [8], contentType: "text/plain")
            #expect(try await store.get("products")?.bytes == [7])
            try await store.delete("products/1.svg")
            try await store.delete("products/1.svg")
            #expect(try await store.get("products/1.svg") == nil)
            #expect(try await store.get("products/1.svg/small")?.bytes == [8])
        }
    }

    @Test(
        arguments: ObjectStoreForm.available,
        [
            "", "/", "a/", "/a", "a//b", "../a", "a/../b", "a/./b", ".hidden", "a/.b", "a\0b", "a\\b", "a b", "é",
            "a,object",
            String(repeating: "a", count: 201), String(repeating: "a/", count: 600) + "a",
        ])
    func aKeyThatCouldLeaveTheFolderIsRefused(form: ObjectStoreForm, key: String) async throws {
        try await form.withStore { store in
            await #expect(throws: ObjectError.self) { try await store.put(key, [1], contentType: "text/plain") }
            await #expect(throws: ObjectError.self) { try await store.get(key) }
            await #expect(throws: ObjectError.self) { try await store.delete(key) }
        }
    }

    @Test(arguments: ObjectStoreForm.available) func aContentTypeThatCouldSplitTheHeadIsRefused(form: ObjectStoreForm)
        async throws
    {
        try await form.withStore { store in
            for type in ["", "text", "text/plain\nx", "text/\u{E9}"] {
                await #expect(throws: ObjectError.invalidContentType(type)) {
                    try await store.put("a", [], contentType: type)
                }
            }
        }
    }

    @Test(arguments: ObjectStoreForm.available) func keysAreListedInTheOrderOfTheirBytesPageByPage(
        form: ObjectStoreForm
    ) async throws {
        try await form.withStore { store in
            let keys = ["a", "a-b", "a.b/c", "a/1", "a/2/x", "a/2/y", "a/2-z", "b/B", "b/a", "c~"]
            for key in keys { try await store.put(key, [0], contentType: "text/plain") }
            let sorted = keys.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
            #expect(try await store.list(prefix: "", after: nil, limit: 1_000) == sorted)
            for prefix in ["a", "a/", "a/2", "a/2/", "b/", "x"] {
                let wanted = sorted.filter { $0.hasPrefix(prefix) }
                var found: [String] = []
                while true {
                    let page = try await store.list(prefix: prefix, after: found.last, limit: 2)
                    found += page
                    if page.count < 2 { break }
                }
                #expect(found == wanted)
            }
            await #expect(throws: ObjectError.invalidLimit(0)) {
                try await store.list(prefix: "", after: nil, limit: 0)
            }
        }
    }

    @Test(arguments: ObjectStoreForm.available) func aReaderNeverSeesHalfAnObject(form: ObjectStoreForm) async throws {
        try await form.withStore { store in
            let versions = (0..<8).map { [UInt8](repeating: UInt8($0), count: 50_000 + $0) }
            try await store.put("a", versions[0], contentType: "text/plain")
            try await withThrowingTaskGroup(of: Void.self) { group in
                for version in versions {
                    group.addTask { try await store.put("a", version, contentType: "text/plain") }
                    group.addTask {
                        let found = try await store.get("a")
                        #expect(found.map { versions.contains($0.bytes) } == true)
                    }
                }
                try await group.waitForAll()
            }
        }
    }
}

/// What only files can do wrong.
@Suite("Objects as files") struct FileObjectsTests {
    private let folder = NSTemporaryDirectory() + "souk-objects-\(UUID().uuidString)"

    private func withStore(_ body: (FileObjects) async throws -> Void) async throws {
        defer { try? FileManager.default.removeItem(atPath: folder) }
        try await body(FileObjects(folder: folder))
    }

    @Test func damageIsNoticed() async throws {
        try await withStore { store in
            try await store.put("a", [1, 2, 3], contentType: "text/plain")
            let path = folder + "/a,object"
            var file = try Data(contentsOf: URL(fileURLWithPath: path))
            file[file.count - 1] ^= 1
            try file.write(to: URL(fileURLWithPath: path))
            await #expect(throws: ObjectError.damaged(path: path)) { try await store.get("a") }
        }
    }

    @Test func nothingIsLeftUnfinished() async throws {
        try await withStore { store in
            for key in ["a", "b/c", "a"] { try await store.put(key, [1], contentType: "text/plain") }
            #expect(try FileManager.default.contentsOfDirectory(atPath: folder + "/.unfinished").isEmpty)
        }
    }

    @Test func aFolderThatMayNotBeMadeIsNamed() {
        #expect(throws: FileError.self) { try FileObjects(folder: "/proc/souk/objects") }
    }
}
