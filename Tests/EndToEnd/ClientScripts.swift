// How the scripts in `clients/` are run, and what they tell.

import Foundation
import TestSupport
import Testing

extension Site {
    /// Runs a script of `clients/` to its end, and returns the lines that it told.
    func lines(of script: String, _ arguments: [String] = []) async throws -> [String] {
        try await Python.start(script, arguments, site: self).linesToItsEnd()
    }

    /// The same, with each line decoded.
    func told<Line: Decodable>(by script: String, _ arguments: [String] = [], as line: Line.Type = Line.self) async throws
        -> [Line]
    {
        try await lines(of: script, arguments).map { try JSONDecoder().decode(Line.self, from: Data($0.utf8)) }
    }
}

extension ChildProcess {
    /// Waits until it exits, which must be with 0, and returns all that it told.
    ///
    /// The limit is for large packages, whose import takes half a minute of a core.
    func linesToItsEnd() async throws -> [String] {
        #expect(try await exited(within: .seconds(300)) == .code(0), "\(errors.value.text)")
        try await output.wait(for: "the end of its output") { $0.ended }
        return output.value.lines
    }
}

/// A tool call, as clients put it together.
struct ToolCall: Codable, Equatable, Sendable {
    let id: String
    let name: String
    /// JSON, to be kept byte for byte.
    let arguments: String

    init(_ id: String, _ name: String, _ arguments: String) {
        (self.id, self.name, self.arguments) = (id, name, arguments)
    }
}

extension Chunks {
    /// A stream of tool calls, one after the other as OpenAI sends them, whose arguments come one character at a time.
    static func stream(_ calls: [ToolCall]) -> [String] {
        let pieces = calls.enumerated().flatMap { index, call in
            [toolCall(index, id: call.id, name: call.name, arguments: "")]
                + call.arguments.map { toolCall(index, arguments: String($0)) }
        }
        return [role()] + pieces + [finish("tool_calls"), done]
    }

    /// The same with all calls at once: other servers send what is next of each.
    static func mixedStream(_ calls: [ToolCall]) -> [String] {
        let starts = calls.enumerated().map { toolCall($0, id: $1.id, name: $1.name, arguments: "") }
        let length = calls.map(\.arguments.count).max() ?? 0
        let pieces = (0..<length).flatMap { position in
            calls.enumerated().compactMap { index, call in
                call.arguments.dropFirst(position).first.map { toolCall(index, arguments: String($0)) }
            }
        }
        return [role()] + starts + pieces + [finish("tool_calls"), done]
    }

    /// The same calls in an answer that does not stream.
    static func completion(_ calls: [ToolCall]) -> String {
        let list = calls.map { call in
            let function = #"{"name":\#(quoted(call.name)),"arguments":\#(quoted(call.arguments))}"#
            return #"{"id":\#(quoted(call.id)),"type":"function","function":\#(function)}"#
        }
        return """
            {"id":"chatcmpl-stub","object":"chat.completion","created":1732960800,"model":"stub-1","choices":[{"index":0,\
            "message":{"role":"assistant","content":null,"tool_calls":[\(list.joined(separator: ","))]},"logprobs":null,\
            "finish_reason":"tool_calls"}]}
            """
    }
}

/// A request's body, as far as the stub reads it.
struct ChatBody: Decodable {
    struct Message: Decodable {
        struct Call: Decodable {
            struct Function: Decodable { let name, arguments: String }
            let id: String
            let function: Function
        }
        let role: String
        let content: String?
        let tool_calls: [Call]?
        let tool_call_id: String?
    }
    let messages: [Message]
    let stream: Bool?

    /// - Throws: `DecodingError` when Sluice sent something else.
    init(_ request: UpstreamRequest) throws {
        self = try JSONDecoder().decode(Self.self, from: Data(request.body))
    }
}

extension UpstreamRequest {
    /// The answer in the form that was asked for.
    func answer(_ words: [String]) throws -> Reply {
        try ChatBody(self).stream == true ? .stream(Chunks.stream(words)) : .json(Chunks.completion(words.joined()))
    }

    func answer(_ calls: [ToolCall], mixed: Bool = false) throws -> Reply {
        guard try ChatBody(self).stream == true else { return .json(Chunks.completion(calls)) }
        return .stream(mixed ? Chunks.mixedStream(calls) : Chunks.stream(calls))
    }
}
