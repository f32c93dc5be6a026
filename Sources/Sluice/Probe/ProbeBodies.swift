// What a deployment is asked: bodies of requests.

import Chat

/// The bodies by which a deployment is asked.
enum ProbeBodies {
    /// No API takes it for a chat: whoever answers it looks at no model.
    static let noChat = Array("{}".utf8)
    static let noJSON = Array(#"{"messages":"#.utf8)

    /// One of 1 MiB that is no chat either.
    static var large: [UInt8] {
        Array(#"{"messages":""#.utf8) + [UInt8](repeating: UInt8(ascii: "x"), count: 1 << 20) + Array(#""}"#.utf8)
    }

    /// A chat of one message.
    ///
    /// - Parameter tokens: how many the answer may have; nil for as many as it likes.
    static func chat(_ model: String, _ message: String, tokens: Int? = nil, isStreaming: Bool = true) -> [UInt8] {
        var body: [UInt8] = []
        body += #"{"model":"#.utf8
        body.appendJSONString(model)
        body += #","stream":\#(isStreaming)"#.utf8
        if let tokens { body += #","max_tokens":\#(tokens)"#.utf8 }
        body += #","messages":[{"role":"user","content":"#.utf8
        body.appendJSONString(message)
        body += "}]}".utf8
        return body
    }

    /// A chat as Vapi sends it in its mode `variable`, with what it always adds.
    static func vapi(_ model: String) -> [UInt8] {
        var body: [UInt8] = []
        body += #"{"model":"#.utf8
        body.appendJSONString(model)
        body +=
            #"""
            ,"stream":true,"temperature":0.5,"max_tokens":250,"messages":[{"role":"system","content":"Be brief."},
            {"role":"user","content":"Say hello."}],"tools":[],"metadata":{"numModelRequestInTurn":0},
            "call":{"id":"sluice-probe","orgId":"sluice-probe","type":"webCall","status":"in-progress"},
            "phoneNumber":{"id":"sluice-probe","number":"+10000000000"},"customer":{"number":"+10000000001"},
            "assistant":{"name":"sluice probe"}}
            """#.utf8
        return body
    }
}
