import Testing

@testable import Sluice

@Suite(.timeLimit(.minutes(1))) struct `An answer of the control socket` {
    static let answers = [
        ControlAnswer(.ok), ControlAnswer(.ok, [""]), ControlAnswer(.ok, ["a", "", "b"]),
        ControlAnswer(.failed, ["sluice.toml:1: ä"]),
        ControlAnswer(.refused, ["it is about to end"]), ControlAnswer(.ok, ["over"]),
    ]

    @Test(arguments: answers) func `is what was said`(answer: ControlAnswer) {
        #expect(ControlAnswer(bytes: answer.bytes) == answer)
        let over = ControlAnswer(bytes: answer.bytes + ControlAnswer.over)
        #expect(over == ControlAnswer(answer.verdict, answer.lines, isOver: true))
    }

    @Test(arguments: answers) func `that was cut off is none`(answer: ControlAnswer) {
        let bytes = answer.bytes
        for count in bytes.indices { #expect(ControlAnswer(bytes: Array(bytes.prefix(count))) == nil, "\(count)") }
        // Without the whole of its end it is not known to have come.
        for count in ControlAnswer.over.indices {
            #expect(ControlAnswer(bytes: bytes + ControlAnswer.over.prefix(count)) == answer, "\(count)")
        }
    }

    @Test(arguments: [
        "", "\n", "ok\n", "ok -1\n", "ok 1\nab", "ok 2\nab", "ok 0\nelse\n", "no 0\n", "HTTP/1.1 200 OK\r\n", "ok 0 0\n",
    ])
    func `is nothing else`(text: String) { #expect(ControlAnswer(bytes: Array(text.utf8)) == nil) }
}

@Suite(.timeLimit(.minutes(1))) struct `A command of the control socket` {
    static let commands: [ControlCommand] = [
        .reload, .reloadAndWait, .reopenLog, .stop, .stopAtOnce, .clients(isJSON: false), .clients(isJSON: true), .metrics,
    ]

    @Test(arguments: commands + StatusForm.all.map(ControlCommand.status))
    func `is what its line asks for, and nothing that only looks like it`(command: ControlCommand) {
        #expect(ControlCommand(line: command.line) == command)
        for text in ["\u{FEFF}", "\u{301}", "\u{200B}", "\r", " ", "\0", "\u{FFFD}"] {
            #expect(ControlCommand(line: command.line + text) == nil)
            #expect(ControlCommand(line: text + command.line) == nil)
        }
    }
}
