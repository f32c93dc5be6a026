// How upstreams are asked to go on with an answer that has broken off: `continue` of an upstream.

import Chat

extension ContinuationRule {
    static var fields: [Field<Self>] {
        [
            Field(
                "prompt", optional: \.prompt, .textOrNone,
                """
                For on_cut = "continue": what a message of the user says behind the text so far, which goes out as the assistant's last \
                message. Without one OpenAI would answer anew. "" sends none, for servers that go on with such a message by themselves.
                """,
                default: .words("a sentence in English that asks for the rest, but none beside message or set"),
                examples: [FieldExample(#""Your last message was cut off. Go on exactly where it ends.""#, in: .openai)]),
            Field(
                "message", .other("a table of values"),
                """
                Members that the message with the text so far has besides, for servers that go on with it then: prefix = true for Mistral \
                and DeepSeek, partial = true for Qwen.
                """,
                default: .nothing, examples: [FieldExample("{prefix = true}", in: .gateway)],
                read: { reader, node, rule in rule.message = reader.table(node, keys: nil)?.messageMembers() ?? [] },
                write: { $0.message.isEmpty ? nil : TOMLText.table($0.message.map(\.member)) }),
            Field(
                "set", .other("a table of values"),
                "Parameters of such a request alone, whatever else sets them. vLLM goes on with the message by those of the example.",
                default: .nothing,
                examples: [FieldExample("{continue_final_message = true, add_generation_prompt = false}", in: .local)],
                read: { reader, node, rule in rule.set = reader.table(node, keys: nil)?.parameterValues() ?? [] },
                write: { $0.set.isEmpty ? nil : TOMLText.table($0.set.map(\.member)) }),
        ]
    }
}

extension FieldKind<String> {
    /// Text, which may be empty.
    fileprivate static var textOrNone: Self {
        FieldKind(
            form: .text,
            read: { reader, node throws(SettingsProblem) in
                if case .string("") = node.value { return "" }
                return try reader.text(node)
            }, write: TOMLText.string)
    }
}
