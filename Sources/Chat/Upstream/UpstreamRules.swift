/// How a request is changed on its way to one upstream (contract §2). Names and values come from the settings alone.
package struct UpstreamRules: Hashable, Sendable {
    /// The model to ask for, whatever the caller named.
    package var model: String?
    /// The model for a request that names none; nil leaves it to the upstream.
    package var defaultModel: String?
    /// Top-level members that go through besides OpenAI's own parameters, as they are. Never ``withheldNames``.
    package var addedParameters: Set<String> = []  // by characters: the settings' own names
    /// Whether every top-level member goes through, but for those, and every member of a message.
    package var passesAll = false
    /// The only top-level members that go out, besides the messages, the model and `stream`; what the settings put in goes out too. Nil
    /// for all that go through.
    package var onlyParameters: Set<String>?  // by characters: the settings' own names
    /// Roles of messages that go out as others.
    package var roles: [RoleRename] = []
    /// Which members of messages go through, when not all do.
    package var messages = MessageRule.known
    /// Whether the upstream is asked for the usage of a stream (`stream_options.include_usage`) when the caller says nothing.
    package var asksForUsage = false
    /// The value of `stream_options.include_obfuscation` of a stream when the caller says nothing; nil leaves it out.
    package var obfuscation: Bool?
    /// Applied one after another.
    package var edits: [ParameterEdits] = []
    /// How it is asked to go on with an answer that has broken off.
    package var continuation = ContinuationRule()

    /// OpenAI's own parameters go through, and nothing is changed.
    package init() {}
}

extension UpstreamRules {
    /// What never goes out, whatever the settings say: other gateways take an upstream from these.
    package static let withheldNames: Set<String> = ["api_base", "base_url", "api_key"]  // by characters: the settings' own names

    /// Whether the settings let a top-level member through that is not OpenAI's.
    func admits(_ name: String) -> Bool { passesAll || mentions(name) }

    /// Whether the settings name a top-level member as one that goes through, or as one that goes through under another name.
    func mentions(_ name: String) -> Bool {
        addedParameters.contains { $0.hasSameBytes(as: name) } || onlyParameters?.contains { $0.hasSameBytes(as: name) } == true
            || edits.contains { $0.renamed.contains { $0.name.hasSameBytes(as: name) && $0.hasEffect } }
    }

    /// Whether a member that is not the settings' own goes out in the end.
    func passes(_ name: String) -> Bool {
        guard let onlyParameters else { return true }
        return (Self.everNames + onlyParameters).contains { $0.hasSameBytes(as: name) }
    }

    private static let everNames = ["messages", "model", "stream"]

    /// Whether the settings put a parameter in that the caller left out.
    func gives(_ name: String) -> Bool {
        edits.contains { edits in (edits.defaults + edits.set).contains { $0.name.hasSameBytes(as: name) } }
    }

    /// Whether the request goes out with a `reasoning_effort` other than `none`.
    /// - Parameter callers: whether the caller's is; nil when it has none.
    package func wantsReasoning(callers: Bool?) -> Bool {
        var effort = callers
        for edits in edits {
            for value in edits.defaults where value.isEffort && effort == nil { effort = value.json?.isReasoning }
            for value in edits.set where value.isEffort { effort = value.json?.isReasoning }
        }
        return effort ?? false
    }
}

/// A role of messages that goes out as another: servers that came before `developer` know `system`.
package struct RoleRename: Hashable, Sendable {
    /// As the caller has it.
    package var role: String
    /// As the upstream gets it.
    package var newRole: String

    /// - Parameter newRole: as the upstream gets it.
    package init(_ role: String, to newRole: String) { (self.role, self.newRole) = (role, newRole) }
}

/// Changes of top-level parameters, in this order: renamed, dropped, given a default, set.
///
/// They work on what would go out without them, where ElevenLabs' `user_id` is already `user`. Edits of ``fixedNames``, and renames
/// from or to one, have no effect.
package struct ParameterEdits: Hashable, Sendable {
    /// A parameter that goes out under another name.
    package struct Rename: Hashable, Sendable {
        /// The top-level member's name before this edit.
        package var name: String
        /// The name under which it goes out, with the same value.
        package var newName: String

        /// - Parameter newName: the name under which it goes out.
        package init(_ name: String, to newName: String) {
            (self.name, self.newName) = (name, newName)
        }
    }

    /// A parameter and what it is to be.
    package struct Value: Hashable, Sendable {
        /// The top-level member's name, as the upstream gets it.
        package var name: String
        /// One JSON value, validated; nil for the call's id, of a request that has one.
        package var json: [UInt8]?

        /// - Parameter json: one JSON value, validated.
        package init(_ name: String, json: [UInt8]) {
            (self.name, self.json) = (name, json)
        }

        /// The id of the request's call. Without one the parameter stays as it is.
        package init(callOf name: String) { self.name = name }
    }

    /// A parameter to rename goes through under its new name alone, also when it is none of OpenAI's. It is dropped when there is
    /// one of the new name already that is not null.
    package var renamed: [Rename] = []
    /// Parameters that do not go out.
    package var dropped: Set<String> = []  // by characters: the settings' own names
    /// Values for parameters that the caller left out or sent as null.
    package var defaults: [Value] = []
    /// Values that go out whatever the caller sent.
    package var set: [Value] = []

    /// No changes.
    package init() {}
}

extension ParameterEdits {
    /// What no edit touches: what Sluice itself reads and writes, and what never goes out.
    package static let fixedNames = UpstreamRules.withheldNames.union(["messages", "model", "stream", "stream_options"])
}

extension ParameterEdits.Rename {
    var hasEffect: Bool {
        !name.hasSameBytes(as: newName)
            && !ParameterEdits.fixedNames.contains(name) && !ParameterEdits.fixedNames.contains(newName)
    }
}

extension [UInt8] {
    /// Whether the JSON of a `reasoning_effort` asks for any.
    fileprivate var isReasoning: Bool { !elementsEqual("\"none\"".utf8) && !elementsEqual("null".utf8) }
}

extension ParameterEdits.Value {
    fileprivate var isEffort: Bool { name.hasSameBytes(as: "reasoning_effort") }

    /// Whether it is a `response_format` other than text.
    package var asksForJSON: Bool {
        guard name.hasSameBytes(as: "response_format"), let json else { return false }
        let type = JSONValue(validated: json.span).member("type", in: json.span)
        return type.map { $0.kind == .string && JSONText.isEqual($0.range, to: "text", in: json.span) } != true
    }
}
