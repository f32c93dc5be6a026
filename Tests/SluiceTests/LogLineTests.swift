import Chat
import Clock
import Foundation
import Logging
import Settings
import TestSupport
import Testing

@testable import Sluice

/// Lines in each form.
@Suite struct LogLineTests {
    private func line(_ form: LogForm, _ message: String, _ fill: (inout LogLine) -> Void) -> String {
        var line = LogLine(form)
        // Twice: nothing of the line before is left.
        for _ in 0..<2 {
            line.begin(.warning, message)
            fill(&line)
            line.end()
        }
        return String(decoding: line.bytes, as: UTF8.self)
            .replacing(/\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z/, with: "TIME")
            .replacing("\u{1B}[33m", with: "YELLOW").replacing("\u{1B}[2m", with: "DIM").replacing("\u{1B}[0m", with: "PLAIN")
            .replacing(/[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d sluice\[\d+\]/, with: "LOCAL")
    }

    private static let forms: [(form: LogForm, expected: String)] = [
        (
            LogForm(format: .json),
            #"{"time":"TIME","level":"warning","message":"it is so","who":"a b","count":-7,"seconds":1.250,"list":["x","y"]}"#
                + "\n"
        ),
        (
            LogForm(format: .logfmt),
            #"time=TIME level=warning message="it is so" who="a b" count=-7 seconds=1.250 list="x y""# + "\n"
        ),
        (LogForm(format: .text), #"TIME warning  it is so   who="a b" count=-7 seconds=1.250 list="x y""# + "\n"),
        (
            LogForm(format: .text, isColored: true),
            #"TIME YELLOWwarning PLAIN it is so  DIM who=PLAIN"a b"DIM count=PLAIN-7DIM seconds=PLAIN1.250DIM list=PLAIN"x y""#
                + "\n"
        ),
        (
            LogForm(format: .logfmt, envelope: .level),
            #"<4>time=TIME level=warning message="it is so" who="a b" count=-7 seconds=1.250 list="x y""# + "\n"
        ),
        (LogForm(format: .text, envelope: .syslog), #"<28>LOCAL: it is so who="a b" count=-7 seconds=1.250 list="x y""#),
        (
            LogForm(format: .json, envelope: .syslog),
            #"<28>LOCAL: {"time":"TIME","level":"warning","message":"it is so","who":"a b","count":-7,"seconds":1.250,"list":["x","y"]}"#
        ),
        (
            LogForm(format: .text, envelope: .journal),
            """
            PRIORITY=4
            SYSLOG_IDENTIFIER=sluice
            MESSAGE=it is so who="a b" count=-7 seconds=1.250 list="x y"
            SLUICE_WHO=a b
            SLUICE_COUNT=-7
            SLUICE_SECONDS=1.250
            SLUICE_LIST=x y

            """
        ),
    ]

    @Test(arguments: forms)
    func `a line in each form`(form: LogForm, expected: String) {
        let line = line(form, "it is so") { line in
            line.append(LogName("who"), "a b")
            line.append(LogName("none"), nil)
            line.append(LogName("count"), -7)
            line.append(LogName("seconds"), .milliseconds(1250))
            line.append(LogName("list"), count: 2) { index, list in
                if form.format == .json { list.appendQuoted(["x", "y"][index]) } else { list.append(["x", "y"][index]) }
            }
        }
        #expect(line == expected)
    }

    @Test(arguments: [
        ("plain", "plain"), ("", #""""#), ("a b", #""a b""#), ("a=b", #""a=b""#), (#"say "no""#, #""say \"no\"""#),
        (#"C:\x"#, #""C:\\x""#), ("one\ntwo\r\tthree", #""one\ntwo\r\tthree""#),
        ("\u{0}\u{1B}[31m\u{7F}", #""\u0000\u001b[31m\u007f""#),
        ("\u{80}\u{9B}31m\u{9F}", #""\u0080\u009b31m\u009f""#), ("a\u{2028}b\u{2029}", #""a\u2028b\u2029""#),
        ("\u{202E}gnp.exe\u{2066}\u{2069}\u{200F}\u{61C}", #""\u202egnp.exe\u2066\u2069\u200f\u061c""#),
        ("\u{202A}\u{202B}\u{202C}\u{202D}\u{2067}\u{2068}\u{200E}", #""\u202a\u202b\u202c\u202d\u2067\u2068\u200e""#),
        ("\u{FEFF}x\u{200B}", #""\ufeffx\u200b""#),
        ("می\u{200C}خواهم क्\u{200D}ष", "\"می\u{200C}خواهم क्\u{200D}ष\""),
        ("Zürich 東京 👩‍🚀", #""Zürich 東京 👩‍🚀""#),
    ])
    func `nothing of a text acts on whoever reads it`(text: String, expected: String) throws {
        for format in Settings.Log.Format.allCases {
            let line = line(LogForm(format: format), "m") { $0.append(LogName("v"), text) }
            let isQuoted = expected.hasPrefix("\"")
            let value = format == .json && !isQuoted ? "\"\(expected)\"" : expected
            #expect(line.hasSuffix(format == .json ? #","v":\#(value)}"# + "\n" : " v=\(value)\n"), "\(line)")
            #expect(line.unicodeScalars.count { $0.value < 0x20 } == 1)
            guard format == .json else { continue }
            let object = try JSONSerialization.jsonObject(with: Data(line.replacing("TIME", with: "x").utf8)) as? [String: Any]
            #expect((object?["v"] as? String)?.unicodeScalars.elementsEqual(text.unicodeScalars) == true)
        }
        let field = line(LogForm(format: .json, envelope: .journal), "m") { $0.append(LogName("v"), text) }
        #expect(field.split(separator: "\n").count == 4 && field.split(separator: "\n").last?.hasPrefix("SLUICE_V=") == true)
    }

    @Test func `a message that is no constant does not act either`() {
        for format in Settings.Log.Format.allCases {
            let line = line(LogForm(format: format), "\u{1B}[2J\nlevel=error") { _ in }
            #expect(line.unicodeScalars.count { $0.value < 0x20 } == 1)
            #expect(line.contains(#"\u001b[2J\nlevel=error"#))
        }
    }

    @Test(arguments: Settings.Log.Format.allCases, [LogForm.Envelope.none, .level, .syslog])
    func `a line has at most 4096 bytes, whatever it is of`(format: Settings.Log.Format, envelope: LogForm.Envelope) {
        let line = line(LogForm(format: format, envelope: envelope), "m") { line in
            for number in 0..<9 { line.append(LogName("text\(number)"), String(repeating: "\u{1}", count: 1 << number)) }
            line.append(LogName("long"), String(repeating: "x", count: 1 << 20))
            line.append(LogName("number"), 7)
            line.append(LogName("list"), count: 1000) { _, list in list.append("element") }
        }
        #expect(line.utf8.count <= 4096)
        #expect(line.contains("text8") && line.contains("number") && !line.contains("long"))
        #expect(line.contains("element") && line.hasSuffix(envelope == .syslog ? (format == .json ? "]}" : "\"") : "\n"))
    }

    @Test func `a request's line has all that is known of it`() throws {
        let pipe = LogPipe()
        let settings = Settings.Log(format: .logfmt)
        let log = RequestLog(try Log(settings, in: pipe.environment))
        var record = RequestRecord(RequestID(callers: "r-1"), at: Instant(nanoseconds: 0))
        (record.client, record.call, record.status) = ("first", "c-1", 200)
        log.write(record, at: Instant(nanoseconds: 1_500_000_000))
        let line = pipe.read().replacing(/time=\S+/, with: "time=TIME")
        #expect(
            line
                == "time=TIME level=info message=answered request=r-1 client=first call=c-1 status=200 ending=done seconds=1.500 bytes=0\n"
        )
    }

    @Test func `a request that another answer has gone on with is a warning, and says what was wrong`() throws {
        let pipe = LogPipe()
        let log = RequestLog(try Log(Settings.Log(format: .logfmt), in: pipe.environment))
        var record = RequestRecord(RequestID(callers: "r-1"), at: Instant(nanoseconds: 0))
        record.breakOff(after: .upstreamCutOff)
        log.write(record, at: Instant(nanoseconds: 0))
        // Where nobody could go on, that is what counts.
        record.ending = .failed(.upstreamTimedOut(.firstToken, after: .seconds(1)))
        log.write(record, at: Instant(nanoseconds: 0))
        record.hasEndedSpoken = true
        log.write(record, at: Instant(nanoseconds: 0))
        record.ending = .callerLeft()
        record.hasEndedSpoken = false
        log.write(record, at: Instant(nanoseconds: 0))
        let lines = pipe.read().split(separator: "\n")
        let expected = [
            "level=warning message=answered request=r-1 status=499 ending=continued cause=cut ",
            "level=warning message=answered request=r-1 status=499 ending=timeout.first_token ",
            "level=warning message=answered request=r-1 status=499 ending=spoken_cut cause=timeout.first_token ",
            "level=info message=answered request=r-1 status=499 ending=caller_left ",
        ]
        #expect(lines.count == expected.count && zip(lines, expected).allSatisfy { $0.contains($1) }, "\(lines)")
    }

    @Test func `a request's line follows the settings that are in force when it ends`() throws {
        let pipe = LogPipe()
        let log = try Log(Settings.Log(), in: pipe.environment)
        let requests = RequestLog(log)
        let record = RequestRecord(RequestID(callers: "r-1"), at: Instant(nanoseconds: 0))
        requests.write(record, at: Instant(nanoseconds: 0))
        try log.reconfigure(Settings.Log(level: .warning, format: .text))
        requests.write(record, at: Instant(nanoseconds: 0))
        try log.reconfigure(Settings.Log(level: .info, format: .text))
        requests.write(record, at: Instant(nanoseconds: 0))
        let lines = pipe.read().split(separator: "\n")
        #expect(lines.map { $0.first } == ["{", "2"])
        #expect(lines.last?.contains(" info     answered   request=r-1 ") == true, "\(lines)")
    }
}
