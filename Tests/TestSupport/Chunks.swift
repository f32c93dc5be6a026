// What upstreams stream, and what they answer in one piece.

import Foundation

/// Server-sent events in OpenAI's chunk format, each ready to send.
package enum Chunks {
    package static let done = "data: [DONE]\n\n"

    package static func role() -> String { chunk(#"{"role":"assistant","content":"","refusal":null}"#) }

    package static func content(_ text: String) -> String { chunk(#"{"content":\#(quoted(text))}"#) }

    /// An answer's role and first text. Before a text it is none.
    package static func begun(_ text: String = "Hello") -> String { role() + content(text) }

    /// What a model thinks before it answers.
    package static func reasoning(_ text: String) -> String { chunk(#"{"reasoning_content":\#(quoted(text))}"#) }

    /// A piece of a tool call: its start with identifier and name, or more of its arguments.
    package static func toolCall(_ index: Int, id: String? = nil, name: String? = nil, arguments: String) -> String {
        let start = id.map { #""id":\#(quoted($0)),"type":"function","# } ?? ""
        let function = name.map { #""name":\#(quoted($0)),"# } ?? ""
        let arguments = #""arguments":\#(quoted(arguments))"#
        return chunk(#"{"tool_calls":[{"index":\#(index),\#(start)"function":{\#(function)\#(arguments)}}]}"#)
    }

    package static func finish(_ reason: String = "stop") -> String { chunk("{}", finishReason: quoted(reason)) }

    package static func usage(prompt: Int, completion: Int) -> String {
        let counts = #""prompt_tokens":\#(prompt),"completion_tokens":\#(completion),"total_tokens":\#(prompt + completion)"#
        return frame(#""choices":[],"usage":{\#(counts)}"#)
    }

    /// A whole stream: role, one delta for each text, finish reason, `[DONE]`.
    package static func stream(_ texts: [String]) -> [String] {
        [role()] + texts.map(content) + [finish(), done]
    }

    /// A whole answer to a request that does not stream.
    package static func completion(_ text: String) -> String {
        """
        {"id":"chatcmpl-stub","object":"chat.completion","created":1732960800,"model":"stub-1","choices":[{"index":0,\
        "message":{"role":"assistant","content":\(quoted(text)),"refusal":null},"logprobs":null,"finish_reason":"stop"}],\
        "usage":{"prompt_tokens":3,"completion_tokens":2,"total_tokens":5}}
        """
    }

    package static func error(_ message: String, type: String = "invalid_request_error", code: String? = nil) -> String {
        #"{"error":{"message":\#(quoted(message)),"type":\#(quoted(type)),"param":null,"code":\#(code.map(quoted) ?? "null")}}"#
    }

    /// Whatever a delta says.
    package static func chunk(_ delta: String, finishReason: String = "null") -> String {
        frame(#""choices":[{"index":0,"delta":\#(delta),"logprobs":null,"finish_reason":\#(finishReason)}]"#)
    }

    private static func frame(_ members: String) -> String {
        let common = #""id":"chatcmpl-stub","object":"chat.completion.chunk","created":1732960800,"model":"stub-1""#
        return "data: {\(common),\(members)}\n\n"
    }
}

/// A JSON string.
package func quoted(_ text: String) -> String {
    // Encoding a string cannot fail.
    try! String(decoding: JSONEncoder().encode(text), as: UTF8.self)
}
