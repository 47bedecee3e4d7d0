import Kernel
import Products
import Testing

@Suite("CSV is read as it is met") struct ImportCSVTests {
    private func rows(_ text: String) throws -> [[String]] {
        var reader = CSVReader(Array(text.utf8))
        return try reader.rows()
    }

    private func lines(_ text: String) throws -> [Int] {
        var reader = CSVReader(Array(text.utf8))
        var lines: [Int] = []
        while let row = try reader.next() { lines.append(row.line) }
        return lines
    }

    @Test(
        "line ends are LF, CRLF or CR, and the last may be missing; empty lines are no rows",
        arguments: [
            "a,b\nc,d\n", "a,b\nc,d", "a,b\r\nc,d\r\n", "a,b\rc,d\r", "\n\na,b\n\n\nc,d\n\n", "\u{FEFF}a,b\nc,d",
        ])
    func lineEnds(_ text: String) throws {
        #expect(try rows(text) == [["a", "b"], ["c", "d"]])
    }

    @Test(
        "quoted fields hold commas, quotes and line breaks",
        arguments: [
            (#""a,b",c"#, ["a,b", "c"]), (#""a ""b"" c","#, [#"a "b" c"#, ""]), ("\"a\nb\",c", ["a\nb", "c"]),
            ("\"a\r\nb\"", ["a\r\nb"]), (#""""#, [""]), (#""""""""#, [#""""#]), (#"a"b,c"d"#, [#"a"b"#, #"c"d"#]),
            (",,", ["", "", ""]), (" a , b ", [" a ", " b "]), (#""a"b,c"#, ["ab", "c"]),
        ] as [(String, [String])])
    func quotes(_ text: String, _ fields: [String]) throws {
        #expect(try rows(text) == [fields])
    }

    @Test("a row is named by the line it begins on, whatever the line ends") func lineNumbers() throws {
        for end in ["\n", "\r\n", "\r"] {
            let text = ["a,b", "\"1", "2\",x", "", "c,d", "\"3", "", "4\",y", "e,f"].joined(separator: end)
            #expect(try lines(text) == [1, 2, 5, 6, 9])
        }
    }

    @Test("what is written is read back, whatever is in it and in whatever chunks it comes") func roundTrip() throws {
        var random = SeededGenerator(seed: 11)
        let pieces = ["a", "é", "😀", ",", "\"", "\"\"", "\n", "\r", "\r\n", " ", "\u{FEFF}", "\u{301}", "'", "\t", "0"]
        for _ in 0..<500 {
            let rows = (0..<Int.random(in: 1...8, using: &random)).map { _ in
                (0..<Int.random(in: 1...5, using: &random)).map { _ in
                    (0..<Int.random(in: 0...6, using: &random)).map { _ in
                        pieces.randomElement(using: &random) ?? ""
                    }.joined()
                }
            }
            let bytes = Array(rows.map(CSVWriter.line).joined().utf8)
            var reader = CSVReader(bytes, by: random, largest: Int.random(in: 1...9, using: &random))
            #expect(try reader.rows() == rows)
        }
    }

    @Test("a byte order mark is passed over in chunks of any size", arguments: 1...5) func mark(_ size: Int) throws {
        var reader = CSVReader(Array("\u{FEFF}Handle,Title\r\na,b".utf8), by: SeededGenerator(seed: 1), largest: size)
        #expect(try reader.rows() == [["Handle", "Title"], ["a", "b"]])
        var short = CSVReader(Array("é".utf8), by: SeededGenerator(seed: 1), largest: size)
        #expect(try short.rows() == [["é"]])
        var empty = CSVReader([])
        #expect(try empty.rows() == [])
    }

    @Test("NUL and broken UTF-8 are refused with their line, and the next row is read") func brokenBytes() throws {
        for (bytes, words) in [
            ([UInt8(0)], "NUL"), ([0xC3, 0x28], "UTF-8"), ([0xFF], "UTF-8"), ([0xC0, 0x80], "UTF-8"),
        ] {
            var reader = CSVReader(Array("a,b\n\"x\ny\",".utf8) + bytes + Array("\nc,d\n".utf8))
            #expect(try reader.next()?.fields == ["a", "b"])
            let error = #expect(throws: CSVError.self) { try reader.next() }
            #expect(error?.line == 2 && error?.isRecoverable == true)
            #expect(error?.message.contains(words) == true && error?.message.contains("field 2") == true)
            let next = try reader.next()
            #expect(next?.line == 4 && next?.fields == ["c", "d"])
        }
    }

    @Test("a quote that is not closed is refused with the line of its row") func unclosed() throws {
        var reader = CSVReader(Array("a,b\nc,\"d\n\n\ne,f\n".utf8))
        _ = try reader.next()
        let error = #expect(throws: CSVError.self) { try reader.next() }
        #expect(error?.line == 2 && error?.isRecoverable == false)
        #expect(error?.description == "line 2: a quote that opens here is not closed")
    }

    @Test("rows and their fields are bounded") func limits() throws {
        for text in ["\"", "", "\","] {
            let chunk = [UInt8](repeating: UInt8(ascii: "a"), count: 1 << 16)
            var first: [UInt8]? = Array(text.utf8) + chunk
            var reader = CSVReader {
                defer { first = nil }; return first ?? chunk
            }
            let error = #expect(throws: CSVError.self) { try reader.next() }
            #expect(error?.isRecoverable == false && error?.line == 1)
        }
        var wide = CSVReader([UInt8](repeating: UInt8(ascii: ","), count: 1_999))
        #expect(try wide.next()?.fields.count == CSVReader.fieldLimit)
        var wider = CSVReader([UInt8](repeating: UInt8(ascii: ","), count: 2_000))
        #expect(throws: CSVError.self) { try wider.next() }
    }

    @Test("what cannot be read further is not read further") func failingSource() {
        struct Away: Error {}
        var reader = CSVReader { throw Away() }
        #expect(throws: Away.self) { try reader.next() }
    }
}
