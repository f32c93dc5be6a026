import Clock
import Testing

@testable import Sluice

/// What `sluice status --watch` shows where the terminal is too small.
@Suite struct `Lines that are scrolled` {
    private static let all = (1...10).map { "line \($0)" }

    /// With room for four, one of which says where they are.
    @Test(
        arguments: [
            ([], 1), ([.down], 2), ([.down, .down, .up], 2), ([.up], 1), ([.pageDown], 4),
            ([.pageDown, .pageDown, .pageDown], 8),
            ([.end], 8), ([.end, .pageUp], 5), ([.end, .down], 8), ([.end, .start], 1), ([.end, .quit], 8),
        ] as [([ScrolledLines.Key], Int)]) func `begin where the keys have led to, and say where that is`(
            keys: [ScrolledLines.Key], first: Int
        )
    {
        var view = ScrolledLines()
        view.lines = Self.all
        for key in keys { view.move(key, room: 4) }
        let shown = view.shown(in: 4)
        #expect(shown.dropLast() == Self.all[(first - 1)...].prefix(3))
        #expect(shown.last?.hasPrefix("lines \(first) to \(first + 2) of 10") == true)
    }

    @Test func `are all of them where there is room, and as many as there are once they are fewer`() {
        var view = ScrolledLines()
        view.lines = Self.all
        #expect(view.shown(in: 10) == Self.all)
        view.move(.end, room: 4)
        view.lines = Array(Self.all.prefix(5))
        #expect(view.shown(in: 4).first == "line 3")
        view.lines = ["one"]
        #expect(view.shown(in: 4) == ["one"])
        view.lines = Self.all
        #expect(view.shown(in: 1) == ["line 8"])
        view.move(.down, room: 1)
        #expect(view.shown(in: 1) == ["line 9"])
    }

    @Test(
        arguments: [
            ("q", [.quit]), ("\u{3}", [.quit]), ("\u{1A}", [.suspend]),
            ("x", []), ("", []), ("\u{1B}", []), ("\u{1B}[A\u{1B}[B", [.up, .down]),
            ("\u{1B}OA\u{1B}OB", [.up, .down]), ("\u{1B}[5~\u{1B}[6~", [.pageUp, .pageDown]),
            ("\u{1B}[H\u{1B}[F\u{1B}[1~\u{1B}[4~", [.start, .end, .start, .end]), ("\u{1B}[1;5Aq", [.up, .quit]),
            ("\u{1B}[", []), ("\u{1B}[5", []), ("\u{1B}[99~\u{1B}[Zq", [.quit]),
        ] as [(String, [ScrolledLines.Key])]) func `are moved by what terminals send for keys`(
            bytes: String, keys: [ScrolledLines.Key]
        )
    {
        for split in 0...bytes.utf8.count {
            var (unread, found) = ([UInt8](), [ScrolledLines.Key]())
            for part in [bytes.utf8.prefix(split), bytes.utf8.dropFirst(split)] {
                unread += part
                found += ScrolledLines.Key.take(from: &unread)
            }
            #expect(found == keys, "split at \(split)")
        }
    }

    /// Alt-[ and Alt-O begin as the arrows do.
    @Test(
        arguments: [
            ("\u{1B}[", "q", [.quit]), ("\u{1B}O", "q", [.quit]), ("\u{1B}", "[A", []), ("\u{1B}[5", "\u{1B}[B", [.down]),
            ("q\u{1B}[", "A", [.quit]),
        ] as [(String, String, [ScrolledLines.Key])])
    func `are moved by keys behind one that has begun as another, a while later`(
        first: String, later: String, keys: [ScrolledLines.Key]
    ) {
        let start = Instant(nanoseconds: 1_000_000_000)
        var typed = TypedKeys()
        var found = typed.take(first.utf8, at: start)
        // That nothing has come does not make it one that has.
        for seconds in 0..<3 { found += typed.take([], at: start + .seconds(seconds)) }
        found += typed.take(later.utf8, at: start + .seconds(3))
        #expect(found == keys)
    }

    @Test func `are moved by a key that comes in parts`() {
        let start = Instant(nanoseconds: 1_000_000_000)
        var typed = TypedKeys()
        let found = "\u{1B}[5~".utf8.enumerated().map { place, byte in
            typed.take([byte], at: start + .milliseconds(100 * place))
        }
        #expect(found == [[], [], [], [.pageUp]])
    }

    @Test func `hold nothing back of a sequence that has no end`() {
        var bytes = Array("\u{1B}[\(String(repeating: "1", count: 100))".utf8)
        #expect(ScrolledLines.Key.take(from: &bytes).isEmpty && bytes.isEmpty)
    }

    @Test(
        arguments: [
            (20, "route  p50    p95"), (17, "route  p50    p95"), (16, "route  p50    …"), (15, "route  p50    …"),
            (11, "route  p50…"), (10, "route  …"), (6, "route…"), (5, "…"), (1, "…"),
        ])
    func `are cut between words, and not within a number`(width: Int, shown: String) {
        #expect("route  p50    p95".cutBetweenWords(to: width) == shown)
    }
}
