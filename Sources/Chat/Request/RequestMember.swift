/// A top-level member of a request.
struct RequestMember: Sendable {
    /// The name with its escapes undone.
    let name: String
    /// Which of the names that Sluice knows this is; nil for all others.
    let parameter: Parameter?
    /// Where its name stands in the body, with its quotes.
    let nameStart: Int
    let value: JSONValue
}

extension [RequestMember] {
    /// The value under this name when it is there and not null.
    func value(_ parameter: Parameter) -> JSONValue? {
        guard let value = last(where: { $0.parameter == parameter })?.value, value.kind != .null else { return nil }
        return value
    }

    /// Without all but the last of the members that share a name. Linear, however many there are.
    func lastOfEachName() -> [RequestMember] {
        var parameters: UInt64 = 0
        var others: Set<[UInt8]> = []
        var repeated: Set<Int> = []
        for index in indices.reversed() {
            if let parameter = self[index].parameter {
                if parameters & parameter.bit != 0 { repeated.insert(index) }
                parameters |= parameter.bit
            } else if !others.insert([UInt8](self[index].name.utf8)).inserted {
                repeated.insert(index)
            }
        }
        return repeated.isEmpty ? self : indices.filter { !repeated.contains($0) }.map { self[$0] }
    }

    /// Whether any member is one that only Vapi adds.
    var includeVapiMember: Bool { contains { $0.parameter?.isAddedByVapi == true } }

    /// Whether the request is surely Vapi's: it has a `call` object, or two of the others. One alone, such as `customer`, may be
    /// anybody's own.
    var comeFromVapi: Bool {
        value(.call)?.kind == .object || count { $0.parameter?.isAddedByVapi == true && $0.value.kind == .object } >= 2
    }
}

/// The top-level names that Sluice knows.
enum Parameter: UInt8, CaseIterable, Sendable {
    // OpenAI's own parameters.
    case messages, model, audio, frequency_penalty, function_call, functions, logit_bias, logprobs, max_completion_tokens
    case max_tokens, metadata, modalities, moderation, n, parallel_tool_calls, prediction, presence_penalty, prompt_cache_key
    case prompt_cache_options, prompt_cache_retention, reasoning_effort, response_format, safety_identifier, seed, service_tier
    case stop, store, stream, stream_options, temperature, tool_choice, tools, top_logprobs, top_p, user, verbosity
    case web_search_options
    // What Vapi adds to a request.
    case call, phoneNumber, customer, assistant, assistantOverrides
    // What ElevenLabs adds.
    case user_id, elevenlabs_extra_body
    // What other gateways take an upstream from. Here upstreams come from the settings alone, so they never go out.
    case api_base, base_url, api_key
    // What its webhook events have.
    case message

    private static let names = allCases.map { "\($0)" }
    private static let byKey = ParameterTable(allCases.filter { $0.name.utf8.count <= JSONKey.bytesMax })
    private static let long = allCases.filter { $0.name.utf8.count > JSONKey.bytesMax }

    /// The parameter of a validated name; its range includes the quotes.
    init?(_ name: Range<Int>, in document: Span<UInt8>) {
        if let parameter = Self.byKey.parameter(JSONKey(name, in: document)) {
            self = parameter
            return
        }
        guard name.count - 2 > JSONKey.bytesMax,
            let parameter = Self.long.first(where: { JSONText.isEqual(name, to: $0.name, in: document) })
        else { return nil }
        self = parameter
    }

    /// Whether it is a name of OpenAI's, or one that never goes out, but for capitals.
    static func isVariant(_ name: String) -> Bool {
        allCases.contains { parameter in
            guard parameter.isKnownToOpenAI || parameter.isWithheld, parameter.name.utf8.count == name.utf8.count else {
                return false
            }
            return zip(parameter.name.utf8, name.utf8).allSatisfy { $0.lowercased == $1.lowercased }
        }
    }

    private var isWithheld: Bool {
        switch self {
        case .api_base, .base_url, .api_key: true
        default: false
        }
    }

    var name: String { Self.names[Int(rawValue)] }

    /// One bit of its own in a word; there are fewer than 64.
    var bit: UInt64 { 1 << UInt64(rawValue) }

    var isAddedByVapi: Bool {
        switch self {
        case .call, .phoneNumber, .customer, .assistant, .assistantOverrides: true
        default: false
        }
    }

    /// Whether it goes to the upstream: an allow-list, since platforms add members of any name at the top level (contract §2).
    var isKnownToOpenAI: Bool { rawValue <= Self.web_search_options.rawValue }
}

/// Parameters by their names, each at the first free place behind the one that its key's bits say.
private struct ParameterTable {
    private typealias Entry = (key: JSONKey, parameter: Parameter)
    private var entries: [Entry?] = Array(repeating: nil, count: 128)

    /// - Precondition: there are more places than parameters.
    init(_ parameters: [Parameter]) {
        for parameter in parameters {
            let key = JSONKey(parameter.name)
            var place = Self.place(of: key)
            while entries[place] != nil { place = Self.next(to: place) }
            entries[place] = (key, parameter)
        }
    }

    func parameter(_ key: JSONKey) -> Parameter? {
        var place = Self.place(of: key)
        while let entry = entries[place] {
            if entry.key == key { return entry.parameter }
            place = Self.next(to: place)
        }
        return nil
    }

    private static func place(of key: JSONKey) -> Int { Int(truncatingIfNeeded: key.hash64 >> 57) }

    private static func next(to place: Int) -> Int { (place + 1) % 128 }
}
