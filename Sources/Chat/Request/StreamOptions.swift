/// One of the `stream_options` that Sluice may ask for in the caller's stead (contract §2).
private struct StreamOption {
    let name: String
    /// What to ask for when the caller says nothing; nil for nothing.
    let wanted: Bool?
    /// Whether a no of the caller's does not count.
    var isNeeded = false
    /// What the caller said, which may be null.
    var callers: JSONValue?

    var isAdded: Bool {
        guard wanted != nil else { return false }
        let kind = callers?.kind ?? .null
        return kind == .null || isNeeded && kind == .false
    }
}

extension UpstreamRules {
    /// Whether a stream may be asked for more than what its caller said.
    var askMoreOfStreams: Bool { asksForUsage || obfuscation != nil }

    /// The `stream_options` of a stream whose caller sent none.
    fileprivate var ownStreamOptions: String {
        switch (asksForUsage, obfuscation) {
        case (true, nil): #"{"include_usage":true}"#
        case (true, true?): #"{"include_usage":true,"include_obfuscation":true}"#
        case (true, false?): #"{"include_usage":true,"include_obfuscation":false}"#
        case (false, true?): #"{"include_obfuscation":true}"#
        case (false, false?): #"{"include_obfuscation":false}"#
        case (false, nil): "{}"
        }
    }
}

extension [UInt8] {
    /// Appends the `stream_options` of a stream: the caller's members in their bytes, and behind them what `rules` ask for and
    /// the caller left out or sent as null. With nothing to add it is the caller's value as it stands.
    ///
    /// - Parameter needsUsage: whether the usage is asked for, where the upstream may be, though the caller said no.
    mutating func appendStreamOptions(_ caller: JSONValue?, _ rules: UpstreamRules, needsUsage: Bool, of body: [UInt8]) {
        guard let caller else { return append(rules.ownStreamOptions) }
        var options = [
            StreamOption(name: "include_usage", wanted: rules.asksForUsage ? true : nil, isNeeded: needsUsage),
            StreamOption(name: "include_obfuscation", wanted: rules.obfuscation),
        ]
        var (isEmpty, isPlain, hasDuplicates) = (true, true, false)
        caller.forEachMember(in: body.span) { member in
            isEmpty = false
            for index in options.indices where JSONText.isEqual(member.name, to: options[index].name, in: body.span) {
                isPlain = false
                if options[index].wanted != nil, options[index].callers != nil { hasDuplicates = true }
                options[index].callers = member.value
            }
        }
        if !hasDuplicates, !options.contains(where: \.isAdded) { return append(contentsOf: body[caller.range]) }
        var isFirst = false
        if caller.kind == .object, isPlain, !isEmpty {
            append(contentsOf: body[caller.range].dropLast())
        } else {
            isFirst = true
            append("{")
            caller.forEachMember(in: body.span) { member in
                let option = options.first { JSONText.isEqual(member.name, to: $0.name, in: body.span) }
                // Of duplicates the last counts: one before it, or one of null, would stand beside what is added.
                if let option, option.isAdded || option.callers != member.value { return }
                appendSeparator(&isFirst)
                append(contentsOf: body[member.range])
            }
        }
        for option in options where option.isAdded {
            appendSeparator(&isFirst)
            appendJSONString(option.name)
            append(option.wanted == true ? ":true" : ":false")
        }
        append("}")
    }

    private mutating func appendSeparator(_ isFirst: inout Bool) {
        if !isFirst { append(",") }
        isFirst = false
    }
}
