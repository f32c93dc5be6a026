// Where requests for some models go: `[[models]]`.

package import Chat
package import Choosing

/// Where requests for some models go, and how they are changed on the way.
package struct ModelSettings: Equatable, Sendable {
    /// What targets with weights share out.
    package enum Affinity: String, CaseIterable, Sendable {
        /// Each request goes to the least loaded.
        case none
        /// All requests of a call go to the same.
        case call
    }

    /// How long its name may be.
    package static let nameBytesMax = 128

    /// The route that it is for, as the web server calls it; nil for requests of none.
    package var name: String?
    /// The models that are meant, by the names that callers use.
    package var match: ModelPattern
    /// What a request has to be besides, all of it.
    package var conditions: [ModelCondition] = []
    /// At least one. The next is asked when those before it fail.
    package var targets: [TargetSettings]
    /// Changes of the request's parameters, whichever target it goes to.
    package var edits = ParameterEdits()
    /// How often its requests are tried; where it says nothing, what holds for all models.
    package var attempts = AttemptSettings()
    /// What targets with weights share out.
    package var affinity = Affinity.none
    /// How long a first token may take before the next target is asked too; nil for ever.
    package var hedgeAfter: HedgeDelay?
    /// Statuses that go to the next target, though they are the request's fault, or the key's.
    package var fallbackOn: [Int] = []
    /// What it says in place of the process's timeouts.
    package var timeouts = Settings.Timeouts.Own()
    /// What is left out of its answers' texts; nil for what holds for all models.
    package var speech: SpeechParts?
    /// What callers hear while there is no token; nil for what holds for all models.
    package var filler: FillerSettings?
    /// What goes out ahead of the caller's messages; nil for what holds for all models.
    package var prepend: PrependSettings?
    /// What is asked before each turn; nil for what holds for all models.
    package var hook: HookSettings?
    /// What becomes of an answer that breaks off; nil for what holds for all models.
    package var onCut: Settings.CutForm?
    /// The sentence for that; nil for what holds for all models.
    package var spokenCut: String?
    /// Whether reasoning counts as a first token; nil for what holds for all models.
    package var countsReasoning: Bool?
}

/// One upstream, as a place to send a model's requests to.
package struct TargetSettings: Equatable, Sendable {
    /// The upstream's name.
    package var upstream: String
    /// The model that it is asked for; nil for the caller's.
    package var model: String?
    /// Neighbours that have one share the requests in proportion; one without stands in the order alone.
    package var weight: Int?
    /// Parameters that go out whatever the caller sent, and whatever the model's edits say.
    package var set: [ParameterEdits.Value] = []
    /// What it says in place of the model's timeouts.
    package var timeouts = Settings.Timeouts.Own()
}

extension ModelSettings {
    /// With the defaults: no edits, no hedges, and no timeouts of its own.
    package init(match: ModelPattern, targets: [TargetSettings]) { (self.match, self.targets) = (match, targets) }

    /// Which requests it is for. With the same it is the same one, whatever else a reload changes.
    package struct Scope: Hashable, Sendable, CustomStringConvertible {
        package let name: String?
        package let match: ModelPattern
        package let conditions: [ModelCondition]

        /// In a word, without the conditions.
        package var description: String { name.map { "\($0):\(match)" } ?? match.description }
    }

    /// Whether its answers may be JSON whatever the caller asks for.
    package var givesJSON: Bool {
        (edits.defaults + edits.set + targets.flatMap(\.set)).contains(where: \.asksForJSON)
    }

    package var scope: Scope { Scope(name: name, match: match, conditions: conditions) }

    /// - Parameter upstreams: the names that targets may have.
    static func fields(_ upstreams: UpstreamNames = UpstreamNames([])) -> [Field<Self>] {
        [nameField, matchField, ModelCondition.field, targetsField(upstreams)] + fallbackFields
            + [
                Field(
                    "timeouts", table: \.timeouts, Settings.Timeouts.Own.fields, FieldDescription.own,
                    examples: [
                        FieldExample(#"{connect = "1s", first_token = "5s", idle = "10s", total = "2m"}"#, in: .llama)
                    ])
            ] + AttemptSettings.fields.map { $0.lifted(\.attempts, isOwn: true) } + editFields
    }

    private static var nameField: Field<Self> {
        Field(
            "name", optional: \.name, .routeName,
            """
            The route that it is for, of 1 to 128 letters, digits and . _ - @ + : alone. The web server names a request's route by the \
            FastCGI parameter SLUICE_ROUTE, for each site or tenant; no caller can send it. Such a request sees the tables of that name \
            and no others, and gets 500 where there is none. One without it, or with an empty one, sees those without a name alone.
            """,
            default: .words("for requests that name no route"), examples: [FieldExample(#""shop""#, in: .tenant)])
    }

    private static var matchField: Field<Self> {
        Field(
            "match", \.match, .pattern,
            """
            A model's name, or a pattern: "*" stands for anything, "?" for one character, "[1-9]" for one of these. Nothing else \
            is special: no regular expressions. It has 256 bytes at most. The first that matches counts, so what is narrower stands \
            before what is wider.
            """,
            default: .required,
            examples: [
                FieldExample(#""llama-*""#, in: .llama), FieldExample(#""gpt-4o""#, in: .weighted),
                FieldExample(#""openai/gpt-5*""#, in: .reasoning), FieldExample(#""*""#, in: .assistant),
                FieldExample(#""*""#, in: .tenant), FieldExample(#""*""#, in: .others),
            ])
    }

    private static func targetsField(_ upstreams: UpstreamNames) -> Field<Self> {
        let fields = TargetSettings.fields(upstreams)
        return Field(
            "targets", .other("an array of upstreams' names, or of tables"),
            """
            Upstreams' names, or tables of a name and more (below). The first is asked; when it fails or is too slow, the next.
            """,
            default: .words("the upstream, where there is but one"),
            examples: [
                FieldExample(
                    """
                    [{upstream = "local", model = "llama-3.1-8b", set = {top_k = 20}, first_token = "2s", idle = "5s"}, "openai"]
                    """, in: .llama),
                FieldExample(
                    """
                    [{upstream = "azure", weight = 3, connect = "500ms"}, {upstream = "openai", weight = 1, total = "1m"}]
                    """, in: .weighted),
                FieldExample(#"["gateway"]"#, in: .reasoning), FieldExample(#"["azure"]"#, in: .assistant),
                FieldExample(#"["local"]"#, in: .tenant), FieldExample(#"["openai"]"#, in: .others),
            ],
            members: fields.map(\.description),
            read: { reader, node, model in model.targets = reader.targets(node, upstreams, fields) },
            write: { "[\($0.targets.map(\.text).joined(separator: ", "))]" })
    }

    private static var statuses: ClosedRange<Int> { 400...599 }

    private static var fallbackFields: [Field<Self>] {
        [
            Field(
                "affinity", \.affinity, .choice,
                """
                What targets with weights share out: "none" requests, each to the least loaded; "call" calls, so that all requests of one \
                find the same target, whose cache has its prompt. A call is told by the platform's id of it, else by the client and how \
                it began, up to the user's first message. One that rests or is full moves its own calls alone, and gets them back.
                """,
                examples: [FieldExample(#""call""#, in: .weighted)]),
            Field(
                "hedge_after", optional: \.hedgeAfter, .hedgeDelay,
                """
                When no first token has come after this time, the next target is asked beside the first, and the quicker one \
                answers. "p95" takes the time within which 95% of that target's recent answers began, as soon as 20 are known; \
                "p1" to "p99". Answers that are not streamed are not hedged.
                """,
                default: .words("never"), examples: [FieldExample(#""800ms""#, in: .llama)]),
            Field(
                "fallback_on", .other("an array of statuses", in: statuses),
                """
                Errors that are the request's fault, or the key's, end it: 400, 401, 403, 404, 413, 422 and the like. Those named \
                here go to the next target instead. 429, 408, 409 and 5xx go on by themselves; a refused key (401, 403) does not, \
                unless it is named here.
                """,
                default: .words("none"), examples: [FieldExample("[404]", in: .llama)],
                read: { reader, node, model throws(SettingsProblem) in model.fallbackOn = try reader.statuses(node, in: statuses)
                },
                write: { $0.fallbackOn.isEmpty ? nil : "\($0.fallbackOn)" }),
        ]
    }

    private static var editFields: [Field<Self>] {
        [
            speechField,
            FillerSettings.field(
                \.filler, "The same for this model, in place of all of it; with max = 0 nothing is said.",
                default: .words("what holds for all models"),
                examples: [
                    FieldExample(
                        """
                        {after = "900ms", texts = ["One moment."], again = "4s", max = 2, mark = "none", by = "control", hosts = ["*.vapi.ai"], timeout = "2s"}
                        """, in: .assistant)
                ]),
            HookSettings.field(
                \.hook, #"The same for this model, in place of all of it; with url = "none" nobody is asked."#,
                default: .words("what holds for all models"),
                examples: [
                    FieldExample(
                        """
                        {url = "unix:/run/hook.sock:/turn", timeout = "150ms", on_failure = "deny", headers = {X-Tenant = "north"}, send = "messages"}
                        """, in: .assistant)
                ]),
            Field(
                "on_cut", optional: \.onCut, .choice, FieldDescription.own, default: .inherited,
                examples: [FieldExample(#""speak""#, in: .assistant)]),
            Field(
                "spoken_cut", optional: \.spokenCut, .text, FieldDescription.own, default: .inherited,
                examples: [FieldExample(#""Sorry, I lost my train of thought.""#, in: .assistant)]),
            Field(
                "reasoning_counts", optional: \.countsReasoning, .boolean, FieldDescription.own, default: .inherited,
                examples: [FieldExample("true", in: .reasoning)]),
            prependField,
            Field(
                "rename", .other("a table of names"),
                "New names for the request's parameters. They are changed in this order: rename, drop, default, set.",
                default: .nothing,
                examples: [
                    FieldExample(#"{max_completion_tokens = "max_tokens"}"#, in: .llama),
                    FieldExample(#"{max_tokens = "max_completion_tokens"}"#, in: .reasoning),
                ],
                read: { reader, node, model in model.edits.renamed = reader.table(node, keys: nil)?.renames() ?? [] },
                write: { TOMLText.table($0.edits.renamed.map { ($0.name, TOMLText.string($0.newName)) }) }),
            Field(
                "drop", .texts, "Parameters that are left out.", default: .nothing,
                examples: [
                    FieldExample(#"["logit_bias"]"#, in: .llama),
                    FieldExample(#"["temperature", "top_p", "stop"]"#, in: .reasoning),
                ],
                read: { reader, node, model throws(SettingsProblem) in model.edits.dropped = try reader.parameterNames(node) },
                write: { TOMLText.array($0.edits.dropped.sorted()) }),
            valuesField(
                "default", \.edits.defaults, "Values for those that the caller left out.",
                examples: [FieldExample("{temperature = 0.7}", in: .llama)]),
            valuesField(
                "set", \.edits.set,
                """
                Values that go out whatever the caller sent. The text "${call}", whole, is the platform's id of the call; of a request without \
                one the caller's value stays. Where a response_format other than text is set, here, in default or by a target, there is \
                no speech, filler and on_cut. The number of answers (n) is the caller's alone.
                """,
                examples: [FieldExample(#"{top_k = 40, stop = ["</s>"]}"#, in: .llama)]),
        ]
    }
}

extension TargetSettings {
    /// It is asked for the caller's model, with the model's timeouts, and has no weight.
    ///
    /// - Parameter upstream: the upstream's name.
    package init(upstream: String) { self.upstream = upstream }

    /// - Parameter upstreams: the names that there are.
    static func fields(_ upstreams: UpstreamNames = UpstreamNames([])) -> [Field<Self>] {
        [
            Field(
                "upstream", .text, "The upstream's name.", default: .required,
                read: { reader, node, target throws(SettingsProblem) in
                    target.upstream = try reader.upstreamName(node, upstreams)
                }, write: { TOMLText.string($0.upstream) }),
            Field("model", optional: \.model, .text, "The model to ask it for.", default: .words("the caller's")),
            Field(
                "weight", optional: \.weight, .number(in: 1...1000),
                """
                Targets that follow one another and all have a weight share the requests, 3 to 1 for instance, by how many each \
                has at the moment; when one fails, the next of them is asked. A target without one stays a fallback behind them.
                """,
                default: .nothing),
            Field(
                "set", .other("a table of values"), "Parameters that go out whatever the model's own set says.",
                default: .nothing,
                read: { reader, node, target in target.set = reader.table(node, keys: nil)?.parameterValues() ?? [] },
                write: { $0.set.isEmpty ? nil : TOMLText.table($0.set.map(\.member)) }),
        ] + Settings.Timeouts.Own.fields.map { $0.lifted(\.timeouts) }
    }

    /// As an element of `targets`.
    fileprivate var text: String {
        let members = Self.fields().members(of: self)
        return members.count == 1 ? members[0].value : TOMLText.table(members)
    }
}

/// A table of values for a request's parameters.
private func valuesField(
    _ key: String, _ property: WritableKeyPath<ModelSettings, [ParameterEdits.Value]>, _ meaning: String,
    examples: [FieldExample]
) -> Field<ModelSettings> {
    Field(
        key, .other("a table of values"), meaning, default: .nothing, examples: examples,
        read: { reader, node, model in model[keyPath: property] = reader.table(node, keys: nil)?.parameterValues() ?? [] },
        write: { TOMLText.table($0[keyPath: property].map(\.member)) })
}

extension ParameterEdits.Value {
    /// In a table of values.
    var member: TOMLText.Member { (name, json.map(TOMLText.value(json:)) ?? #""${call}""#) }
}

extension FieldKind<ModelPattern> {
    fileprivate static var pattern: Self {
        FieldKind(
            form: .text, read: { reader, node throws(SettingsProblem) in try reader.pattern(node) },
            write: { TOMLText.string($0.description) })
    }
}

extension FieldKind<HedgeDelay> {
    fileprivate static var hedgeDelay: Self {
        FieldKind(
            form: .other("a duration from 1ms to 24h, or \"p1\" to \"p99\""),
            read: { reader, node throws(SettingsProblem) in try reader.hedgeDelay(node) },
            write: { delay in
                switch delay {
                case .after(let duration): TOMLText.string(duration.setting)
                case .percentile(let percent): TOMLText.string("p\(percent)")
                }
            })
    }
}
