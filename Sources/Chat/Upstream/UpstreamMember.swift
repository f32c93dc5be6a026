/// A member of the body for an upstream, before it is written.
struct UpstreamMember {
    enum Value {
        /// The caller's bytes.
        case callers(JSONValue)
        case messages(OutgoingMessages)
        /// Those of a stream; nil when the caller sent none.
        case streamOptions(JSONValue?)
        /// JSON from the settings.
        case settings([UInt8])
        case text(String)
    }

    private(set) var name: String
    var value: Value
    /// Where its name stands in the caller's body; nil where it is another one there, or is not there.
    private(set) var nameStart: Int?

    init(_ name: String, _ value: Value) {
        (self.name, self.value) = (name, value)
    }

    /// One of the caller's, under its own name.
    init(callers member: RequestMember, _ value: Value) {
        (name, nameStart, self.value) = (member.name, member.nameStart, value)
    }

    fileprivate mutating func rename(to newName: String) { (name, nameStart) = (newName, nil) }

    fileprivate var isNull: Bool {
        switch value {
        case .callers(let value): value.kind == .null
        case .settings(let json): json == [UInt8]("null".utf8)
        case .messages, .streamOptions, .text: false
        }
    }

    /// Whether its value is the settings'.
    var isSettings: Bool { if case .settings = value { true } else { false } }

    /// How many bytes stand ahead of the caller's messages, if it is these.
    var openingCount: Int { if case .messages(let messages) = value { messages.opening.count } else { 0 } }

    /// About how many bytes it takes, with what separates it from others.
    var byteCount: Int { name.utf8.count + 4 + value.byteCount }
}

extension UpstreamMember.Value {
    /// Whether it is the conversation.
    var isMessages: Bool { if case .messages = self { true } else { false } }

    fileprivate var byteCount: Int {
        switch self {
        case .callers(let value): value.range.count
        case .messages(let messages): messages.opening.count + messages.callers.count
        case .streamOptions(let value): (value?.range.count ?? 0) + 64
        case .settings(let json): json.count
        case .text(let text): text.utf8.count + 2
        }
    }
}

extension [UpstreamMember] {
    /// Makes the changes. Each leaves every name there at most once.
    ///
    /// - Parameter call: its id, for what is to be that.
    mutating func apply(_ edits: ParameterEdits, call: String?) {
        for rename in edits.renamed where rename.hasEffect { apply(rename) }
        for name in edits.dropped where !ParameterEdits.fixedNames.contains(name) { drop(name) }
        for value in edits.defaults { put(value, call) { $0.isNull } }
        for value in edits.set { put(value, call) { _ in true } }
    }

    private mutating func apply(_ rename: ParameterEdits.Rename) {
        guard let index = index(of: rename.name) else { return }
        let other = self.index(of: rename.newName)
        if let other, !self[other].isNull {
            remove(at: index)
        } else {
            self[index].rename(to: rename.newName)
            if let other { remove(at: other) }
        }
    }

    private mutating func drop(_ name: String) {
        if let index = index(of: name) { remove(at: index) }
    }

    /// Puts the value where the old one stands, if that is to be replaced, and at the end when there is none.
    private mutating func put(_ value: ParameterEdits.Value, _ call: String?, over isReplaced: (UpstreamMember) -> Bool) {
        guard !ParameterEdits.fixedNames.contains(value.name), let json = value.json ?? call.map(\.quoted) else { return }
        if let index = index(of: value.name) {
            if isReplaced(self[index]) { self[index].value = .settings(json) }
        } else {
            append(UpstreamMember(value.name, .settings(json)))
        }
    }

    private func index(of name: String) -> Int? { firstIndex { $0.name.hasSameBytes(as: name) } }
}

extension String {
    /// As JSON.
    fileprivate var quoted: [UInt8] {
        var json: [UInt8] = []
        json.appendJSONString(self)
        return json
    }
}
