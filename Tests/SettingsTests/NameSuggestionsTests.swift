import Testing

@testable import Settings

@Suite(.timeLimit(.minutes(1))) struct NameSuggestionsTests {
    @Test(
        arguments: [
            ("lisen", "listen"), ("listenn", "listen"), ("work", nil), ("wrkers", "workers"), ("a", "b"), ("colour", nil),
            ("", "b"),
        ] as [(String, String?)])
    func `a name that is nearly another one is taken for that`(name: String, expected: String?) {
        var suggestions = NameSuggestions()
        #expect(suggestions.nearest(to: name, among: ["listen", "workers", "b"]) == expected)
    }

    @Test(arguments: [(64, true), (65, false), (1 << 20, false)])
    func `nobody has mistyped a long name`(count: Int, isSuggested: Bool) {
        let name = String(repeating: "a", count: count)
        for (name, other) in [(name, name.dropLast() + "b"), (name.dropLast() + "b", name)] {
            var suggestions = NameSuggestions()
            #expect((suggestions.nearest(to: name, among: [other]) != nil) == isSuggested)
        }
    }

    /// One who has mistyped all of a thousand names is told what each may have been meant to be, but no file takes long to compare.
    @Test(arguments: [(8, 40, 1_000, true), (64, 40, 1_000, false), (64, 50_000, 1, false)])
    func `very many names are not all compared`(bytes: Int, namesCount: Int, count: Int, areSuggested: Bool) {
        let names = Array(repeating: String(repeating: "a", count: bytes), count: namesCount)
        var suggestions = NameSuggestions()
        var last: String?
        for _ in 0..<count { last = suggestions.nearest(to: String(repeating: "a", count: bytes - 1), among: names) }
        #expect((last != nil) == areSuggested)
    }
}
