// Answers as a deployment might have given them.

import Chat

@testable import HTTPClient
@testable import Sluice

/// A head with these fields.
func head(_ status: Int = 200, _ fields: [(name: String, value: String)] = [], _ version: ResponseHead.Version = .http11)
    -> ResponseHead
{
    var head = ResponseHead()
    head.status = status
    head.headers = fields
    head.version = version
    return head
}

/// An event of the stream, and when it is read.
struct Piece {
    let text: String
    let moment: Int
    /// For how long nobody had looked before that.
    var blind = 5

    /// One with text, which says when it was made.
    static func made(_ made: Int, at moment: Int, blind: Int = 5) -> Piece {
        let digits = String(repeating: "0", count: 6 - "\(made)".count) + "\(made)"
        return Piece(text: chunk("1@\(digits) "), moment: moment, blind: blind)
    }

    static func text(at moment: Int) -> Piece { Piece(text: chunk("word"), moment: moment) }
    static func comment(at moment: Int) -> Piece { Piece(text: ": keep-alive\n\n", moment: moment) }
    static func done(at moment: Int) -> Piece { Piece(text: "data: [DONE]\n\n", moment: moment) }

    private static func chunk(_ text: String) -> String {
        "data: {\"id\":\"x\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"\(text)\"},\"finish_reason\":null}]}\n\n"
    }
}

/// An event stream. What is read at the same moment comes with one read.
func stream(
    _ pieces: [Piece], _ fields: [(name: String, value: String)] = [], version: ResponseHead.Version = .http11,
    failure: HTTPError? = nil, duration: Int? = nil
) -> ProbeAnswer {
    var answer = ProbeAnswer()
    answer.head = head(200, [("content-type", "text/event-stream; charset=utf-8")] + fields, version)
    for (index, piece) in pieces.enumerated() {
        answer.body += piece.text.utf8
        if index + 1 < pieces.count, pieces[index + 1].moment == piece.moment { continue }
        answer.reads.append(
            .init(
                end: answer.body.count, moment: .milliseconds(piece.moment), blind: .milliseconds(piece.blind)))
    }
    answer.failure = failure
    answer.duration = .milliseconds(duration ?? pieces.last?.moment ?? 0)
    return answer
}

/// An answer of one piece.
func answer(_ status: Int, _ body: String = "", _ fields: [(name: String, value: String)] = []) -> ProbeAnswer {
    var answer = ProbeAnswer()
    answer.head = head(status, fields)
    answer.body = Array(body.utf8)
    return answer
}

/// One with an error as OpenAI has it.
func refusal(_ status: Int, _ fields: [(name: String, value: String)] = [], code: String = "x") -> ProbeAnswer {
    answer(
        status, #"{"error":{"message":"No.","type":"x","param":null,"code":"\#(code)"}}"#,
        [("content-type", "application/json")] + fields)
}

/// One that did not come.
func failed(_ error: HTTPError) -> ProbeAnswer {
    var answer = ProbeAnswer()
    answer.failure = error
    return answer
}
