import Testing

@testable import Settings

@Suite struct TOMLPositionsTests {
    private let document = [UInt8](
        #"""
        # comment [not.a.table]
        a = 1
        b.c = "# no comment"   # comment
        "d e" = 'x = 1'

        f = [
          1, # one = 1
          [2, "]"],
          {g = 3, h = {i = 4}},
        ]
        j = """
        k = 5
        \"""
        """""
        l = '''
        ''''
        [m.n]
        o = 1979-05-27 07:32:00
        [[p]]
        q = 6
        [p.r]
        s = 7
        [[p]]
        q = 8
        [[p.t]]
        [[p.t]]
        u = 9
        """#.utf8)

    @Test(
        arguments: [
            ("a", 2), ("b", 3), ("b.c", 3), ("\"d e\"", 4), ("f", 6), ("f[0]", 7), ("f[1]", 8), ("f[1][1]", 8), ("f[2]", 9),
            ("f[2].g", 9), ("f[2].h.i", 9), ("j", 11), ("k", nil), ("l", 15), ("m", 17), ("m.n", 17), ("m.n.o", 18), ("p", 19),
            ("p[0]", 19), ("p[0].q", 20), ("p[0].r", 21), ("p[0].r.s", 22), ("p[1]", 23), ("p[1].q", 24), ("p[1].t[0]", 25),
            ("p[1].t[1]", 26), ("p[1].t[1].u", 27), ("not", nil), ("one", nil),
        ] as [(String, Int?)])
    func `a key's line is found`(path: String, line: Int?) {
        #expect(TOMLPositions(document)[SettingsPath(text: path)]?.line == line)
    }

    @Test func `line ends of either kind are counted, and a byte order mark is not`() {
        let positions = TOMLPositions([0xEF, 0xBB, 0xBF] + [UInt8]("a = 1\r\n\r\nb = 2\n".utf8))
        #expect(positions[SettingsPath().appending("a")]?.line == 1)
        #expect(positions[SettingsPath().appending("b")]?.line == 3)
    }

    @Test func `the tree of values has the document's order and lines`() throws {
        let node = try SettingsNode(document: document)
        guard case .table(let members) = node.value else {
            Issue.record("the document is a table")
            return
        }
        #expect(members.map(\.key) == ["a", "b", "d e", "f", "j", "l", "m", "p"])
        #expect(members.map(\.node.place.line) == [2, 3, 4, 6, 11, 15, 17, 19])
    }

    @Test func `a document cut off anywhere does no harm`() {
        for count in document.indices { _ = TOMLPositions(Array(document[..<count])) }
    }

    private static func times(_ text: String, _ count: Int) -> String { String(repeating: text, count: count) }

    @Test(arguments: [
        "a = " + times("[", 100_000), "a = " + times("[", 65) + times("]", 65), "a = " + times("{a=", 100_000),
        "a = " + times("[{a=", 50_000), times("a.", 100_000) + "a = 1", "[" + times("a.", 100_000) + "a]",
        "[[" + times("a.", 64) + "a]]", "b = 1\n[b.c]\na = [\n" + times("[\n", 100_000),
    ])
    func `values too deep to be a setting are told, and never the end of the process`(document: String) {
        #expect(throws: SettingsProblem.self) { try SettingsNode(document: [UInt8](document.utf8)) }
    }

    @Test func `values may be nested 64 deep`() throws {
        let document = "a = " + Self.times("[", 64) + Self.times("]", 64) + "\n" + Self.times("b.", 63) + "b = 1"
        #expect(try SettingsNode(document: [UInt8](document.utf8)).member("b") != nil)
    }

    private static let tokens = [
        "a", "=", " ", "\n", "[", "]", "{", "}", ",", "#", "\"", "'", "1", ".", "true", "-", "\r", "\t", "\u{1}", "é", "_", "0x",
        "\"\"\"", "\\", "1979-05-27", "T",
    ]

    @Test(arguments: ["", "[", "[[", "a = ", "a = [", "a = [1,", "a = [[", "a = {", "a = {b = ", "a = \"", "[a]\n[[a.b]]\n"])
    func `whatever follows is good or told, and never the end of the process`(start: String) {
        for first in Self.tokens {
            for second in Self.tokens {
                do { _ = try SettingsNode(document: [UInt8]((start + first + second).utf8)) } catch {
                    #expect(error.place.line != nil, "\(start + first + second)")
                }
            }
        }
    }

    /// The parser ends the process at some of these.
    @Test(arguments: [
        "1979-05-27T", "1979-05-27T*7:32:00Z", "1979-05-27T07:32:00Z1", "1979-05-27T07:32:00+", "1979-05-27 07", "07:32",
        "07:32:0x",
        "1979-05", "1979-05-27T07:32:00.", "0x", "0xg", "0b2", "0o8", "1__0", "_1", "1_", "1.", ".5", "1e", "1e+", "+", "-",
        "+-1", "1-2",
        "+1979-05-27", "1.2.3", "1:2", "12é", "+é", "in", "nano", "+infinity", "01", "1T", "1Z", "1t:-", "-0x1", "+i", "1e5e5",
    ])
    func `what is nearly a number or a date is told with its line`(value: String) {
        for (start, end) in [("a = ", ""), ("a = ", "\nb = 2"), ("a = [1, ", "]"), ("a = {b = ", "}"), ("a = ", " # c")] {
            #expect(throws: SettingsProblem.self) { try SettingsNode(document: [UInt8]((start + value + end).utf8)) }
            do { _ = try SettingsNode(document: [UInt8]((start + value + end).utf8)) } catch {
                #expect(error.place.line == 1, "\(error)")
            }
        }
    }

    @Test(arguments: [
        "1979-05-27T07:32:00Z", "1979-05-27t07:32:00.999999-07:00", "1979-05-27 07:32:00", "1979-05-27", "07:32:00.5", "0", "-0",
        "+99",
        "1_000", "0xDEAD_beef", "0o755", "0b1101", "1.0", "-0.01", "5e+22", "1e06", "-2E-2", "6.626e-34", "224_617.445_991",
        "inf",
        "+inf", "-inf", "nan", "+nan", "-nan", "true", "false",
    ])
    func `a value of TOML is read`(value: String) throws {
        for (start, end) in [("a = ", ""), ("a = ", "\r\nb = 2"), ("a = [1, ", " ]"), ("a = {b = ", " }"), ("a = ", "\t# c")] {
            _ = try SettingsNode(document: [UInt8]((start + value + end).utf8))
        }
    }

    /// Whatever is read level by level would take the process's stack.
    @Test(arguments: [
        ("a = ", "[", ""), ("a = ", "{a = ", ""), ("", "a.", "a = 1"), ("[", "a.", "a]"), ("[[", "a.", "a]]"), ("", "[", ""),
    ])
    func `no document is too deep`(_ start: String, _ level: String, _ end: String) throws {
        for count in [1000, 200_000] {
            let document = start + String(repeating: level, count: count) + end
            #expect(throws: SettingsProblem.self) { try SettingsNode(document: [UInt8](document.utf8)) }
        }
        let document = "a = " + String(repeating: "[", count: 60) + String(repeating: "]", count: 60)
        _ = try SettingsNode(document: [UInt8](document.utf8))
    }

    /// Each value has a copy of the path above it.
    @Test(arguments: [("", " = 1", 512), ("[", "]\na = 1", 510), ("[[", "]]\na = 1", 507), ("a = {", " = 1}", 510)])
    func `no path has more than 512 bytes`(_ start: String, _ end: String, countMax: Int) throws {
        func document(_ count: Int) -> [UInt8] { [UInt8]("\(start)\(String(repeating: "a", count: count))\(end)".utf8) }
        _ = try SettingsNode(document: document(countMax))
        for count in [countMax + 1, 500_000] {
            let expected = SettingsProblem(
                "a name may have 512 bytes, with those of the tables that it stands in",
                at: SettingsPlace(file: SettingsFile(path: "sluice.toml"), line: count > 512 || !end.contains("\n") ? 1 : 2))
            #expect(throws: expected) { try SettingsNode(document: document(count)) }
        }
    }

    /// Whoever compares texts would take the square of their length.
    @Test(arguments: ["a = 1\nb = ['MARKS']", "a = 1\nb = {c = 'aMARKS'}", "a = 1\n'MARKS' = 1", "a = 1\nb = 'éMARKS'"])
    func `no row of marks is longer than characters need`(form: String) throws {
        func document(_ marks: String) -> [UInt8] { [UInt8](form.replacing("MARKS", with: marks).utf8) }
        let marks = String(String.UnicodeScalarView((0..<30).map { $0 < 15 ? "\u{301}" : "\u{316}" }))
        _ = try SettingsNode(document: document(marks))
        _ = try SettingsNode(document: document("\(marks)a\(marks)"))
        let expected = SettingsProblem(
            "more than 30 marks in a row belong to no character",
            at: SettingsPlace(file: SettingsFile(path: "sluice.toml"), line: 2))
        #expect(throws: expected) { try SettingsNode(document: document("\(marks)\u{301}")) }
    }
}
