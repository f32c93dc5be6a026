import Testing

@testable import Sluice

@Suite(.timeLimit(.minutes(1))) struct `An answer of the control socket` {
    static let answers = [
        ControlAnswer(.ok), ControlAnswer(.ok, [""]), ControlAnswer(.ok, ["a", "", "b"]),
        ControlAnswer(.failed, ["sluice.toml:1: ä"]),
        ControlAnswer(.refused, ["it is about to end"]), ControlAnswer(.ok, ["over"]),
    ]

    @Test(arguments: answers) func `is what was said`(answer: ControlAnswer) {
        #expect(ControlAnswer(bytes: Array(answer.text.utf8)) == answer)
        let over = ControlAnswer(bytes: Array((answer.text + ControlAnswer.over).utf8))
        #expect(over == ControlAnswer(answer.verdict, answer.lines, isOver: true))
    }

    @Test(arguments: answers) func `that was cut off is none`(answer: ControlAnswer) {
        let bytes = Array(answer.text.utf8)
        for count in bytes.indices { #expect(ControlAnswer(bytes: Array(bytes.prefix(count))) == nil, "\(count)") }
        // Without the whole of its end it is not known to have come.
        for count in 0..<ControlAnswer.over.utf8.count {
            #expect(ControlAnswer(bytes: bytes + ControlAnswer.over.utf8.prefix(count)) == answer, "\(count)")
        }
    }

    @Test(arguments: [
        "", "\n", "ok\n", "ok -1\n", "ok 1\nab", "ok 2\nab", "ok 0\nelse\n", "no 0\n", "HTTP/1.1 200 OK\r\n", "ok 0 0\n",
    ])
    func `is nothing else`(text: String) { #expect(ControlAnswer(bytes: Array(text.utf8)) == nil) }
}
