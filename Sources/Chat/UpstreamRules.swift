/// How a request is changed on its way to one upstream (contract §2). Names and values come from the settings alone.
package struct UpstreamRules: Hashable, Sendable {
    /// The model to ask for, whatever the caller named.
    package var model: String?
    /// The model for a request that names none; nil leaves it to the upstream.
    package var defaultModel: String?
    /// Top-level members that go through besides OpenAI's own parameters.
    package var addedParameters: Set<String> = []
    /// Whether every top-level member goes through, and every member of a message.
    package var passesAll = false
    /// Whether the upstream is asked for the usage of a stream (`stream_options.include_usage`) when the caller says nothing.
    package var asksForUsage = false
    /// The value of `stream_options.include_obfuscation` of a stream when the caller says nothing; nil leaves it out.
    package var obfuscation: Bool?
    /// Applied one after another.
    package var edits: [ParameterEdits] = []

    package init() {}
}

/// Changes of top-level parameters, in this order: renamed, dropped, given a default, set.
package struct ParameterEdits: Hashable, Sendable {
    package struct Rename: Hashable, Sendable {
        package var name: String
        package var newName: String

        package init(_ name: String, to newName: String) {
            (self.name, self.newName) = (name, newName)
        }
    }

    package struct Value: Hashable, Sendable {
        package var name: String
        /// JSON, validated.
        package var json: [UInt8]

        package init(_ name: String, json: [UInt8]) {
            (self.name, self.json) = (name, json)
        }
    }

    /// A parameter whose new name the caller uses as well is dropped.
    package var renamed: [Rename] = []
    package var dropped: Set<String> = []
    /// Values for parameters that the caller left out or sent as null.
    package var defaults: [Value] = []
    /// Values that go out whatever the caller sent.
    package var set: [Value] = []

    package init() {}
}
