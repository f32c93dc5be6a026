import Testing

@testable import Settings

/// What the operator reads of models and their targets: `[[models]]`.
@Suite struct SettingsModelErrorTests {
    private static let models = [
        Mistake(
            "[upstreams.a]\nkind = 'demo'\n[upstreams.b]\nkind = 'demo'",
            "1: upstreams names several: add [[models]] to say which requests go to which"),
        Mistake("models = []", "1: models must be tables: [[models]]"),
        Mistake("[models]\nmatch = '*'", "1: models must be tables: [[models]]"),
        Mistake(
            "[[models]]\ntargets = ['demo']", "1: models[0] needs match: a model's name, or a pattern such as \"gpt-4*\" or \"*\""
        ),
        Mistake(
            "[upstreams.a]\nkind = 'demo'\n[upstreams.b]\nkind = 'demo'\n[[models]]\nmatch = '*'",
            "5: models[0] needs targets: there are several upstreams, a, b"),
        Mistake("[[models]]\nmatch = '*'\ntargets = ['dmo']", "3: models[0].targets[0] names no upstream; did you mean 'demo'?"),
        Mistake(
            "[[models]]\nmatch = '*'\ntargets = ['xyz']",
            "3: models[0].targets[0] names no upstream; there is none yet: add [upstreams.NAME]"),
        Mistake(
            "[upstreams.abc]\nkind = 'demo'\n[[models]]\nmatch = '*'\ntargets = ['xyz']",
            "5: models[0].targets[0] names no upstream; there are: abc"),
        Mistake(
            "\((1...12).map { "[upstreams.u\($0)]\nkind = 'demo'\n" }.joined())[[models]]\nmatch = '*'\ntargets = ['xyz']",
            "27: models[0].targets[0] names no upstream; there are: \((1...10).map { "u\($0)" }.joined(separator: ", ")) and 2 more"
        ),
        Mistake("[[models]]\nmatch = '\(String(repeating: "a", count: 257))'", "2: models[0].match may have 256 bytes"),
        Mistake(
            "[[models]]\nmatch = '*'\ntargets = []",
            "3: models[0].targets must be an array of upstreams' names, or of {upstream = …, model = …}"),
        Mistake(
            "[[models]]\nmatch = '*'\nspeech = ['voice']",
            #"3: models[0].speech[0] must be "think", "markdown", "emoji" or "links""#),
        Mistake("[[models]]\nmatch = '*'\ntargets = [{model = 'x'}]", "3: models[0].targets[0] needs upstream"),
        Mistake(
            "[[models]]\nmatch = '*'\n[[models]]\nmatch = 'x'",
            "3: models[1] is never reached: models[0] matches the same models first"),
        Mistake(
            "[[models]]\nmatch = 'x'\nset = {model = 'y'}",
            "3: models[0].set.model cannot change 'model': use targets = [{upstream = …, model = …}]"),
        Mistake(
            "[[models]]\nmatch = 'x'\ndefault = {stream = true}",
            "3: models[0].default.stream cannot change 'stream': the caller decides whether to stream"),
        Mistake(
            "[[models]]\nmatch = 'x'\ndrop = ['stream_options']",
            "3: models[0].drop cannot change 'stream_options': use usage and obfuscation of the upstream"),
        Mistake(
            "[[models]]\nmatch = 'x'\nset = {n = 2}\ndefault = {n = 1}\nrename = {count = 'n'}\ndrop = ['n']",
            "3: models[0].set.n cannot change 'n': the caller waits for as many answers as it asked for",
            "4: models[0].default.n cannot change 'n': the caller waits for as many answers as it asked for",
            "5: models[0].rename.count cannot change 'n': the caller waits for as many answers as it asked for"),
        Mistake(
            "[[models]]\nmatch = 'x'\nspeech = ['think']\ntargets = [{upstream = 'demo', set = {response_format = {type = 'json_object'}}}]",
            "3: models[0].speech has no meaning where response_format is set: whoever reads JSON is no voice"),
        Mistake(
            "[[models]]\nmatch = 'x'\nset = {base_url = 'http://x'}",
            "3: models[0].set.base_url cannot change 'base_url': it never goes out"),
        Mistake(
            "[[models]]\nmatch = 'x'\nrename = {prompt = 'messages'}",
            "3: models[0].rename.prompt cannot change 'messages': they go through as they are"),
        Mistake(
            "[[models]]\nmatch = 'x'\nrename = {a = 'c', b = 'c'}", "3: models[0].rename.b gives the same new name as another one"
        ),
        Mistake(
            "[[models]]\nmatch = '*'\ntargets = [\n'dmo',\n{upstream = 'demo', weight = 0},\n{weigth = 1},\n7]",
            "4: models[0].targets[0] names no upstream; did you mean 'demo'?",
            "5: models[0].targets[1].weight must be a whole number from 1 to 1000",
            "6: unknown key 'models[0].targets[2].weigth'; did you mean 'weight'?", "6: models[0].targets[2] needs upstream",
            "7: models[0].targets[3] must be an upstream's name, or {upstream = …, model = …}"),
        Mistake(
            "[[models]]\nmatch = '*'\n[[models.targets]]\nupstream = 'demo'\nfirst_token = '0s'\nset.model = 'x'",
            "5: models[0].targets[0].first_token must be from 1ms to 24h",
            "6: models[0].targets[0].set.model cannot change 'model': use targets = [{upstream = …, model = …}]"),
        Mistake(
            "[[models]]\nmatch = '*'\ntimeouts = {request = '1s', idle = 1}",
            "3: unknown key 'models[0].timeouts.request'; it stands in [timeouts]",
            "3: models[0].timeouts.idle needs a unit, \(Mistake.duration)"),
        Mistake(
            "[[models]]\nmatch = '*'\ntargets = ['demo', {upstream = 'demo', model = 'x'}]\naffinity = 'call'",
            "4: models[0].affinity has no meaning without two targets that have a weight: only those share anything out"),
        Mistake(
            "on_cut = 'speak'\n[[models]]\nmatch = '*'\non_cut = 'speak'\n[[models]]\nname = 'a'\nmatch = '*'",
            "1: on_cut is \"speak\", which needs spoken_cut, the sentence",
            "4: models[0].on_cut is \"speak\", which needs spoken_cut, the sentence"),
        Mistake(
            "[[models]]\nmatch = '*'\nhedge_after = '1s'\nfallback_on = [404]",
            "3: models[0].hedge_after has no meaning with one target: there is no other to ask",
            "4: models[0].fallback_on has no meaning with one target: there is no other to ask"),
        Mistake("[[models]]\nmatch = '*'\nretry_budget = '200%'", "3: models[0].retry_budget must be from 0% to 100%"),
        Mistake("[[models]]\nmatch = 'x'\nset = {a = nan}", "3: models[0].set.a must be a finite number"),
        Mistake("[[models]]\nmatch = 'x'\nset = {a = [1979-05-27]}", "3: models[0].set.a[0] must be a string: JSON has no dates"),
    ]

    private static let keys = [
        ("route", "did you mean 'name'?"), ("SLUICE_ROUTE", "did you mean 'name'?"), ("if", "did you mean 'when'?"),
        ("where", "did you mean 'when'?"), ("client", #"did you mean when = {client = "…"}?"#),
        ("clients", #"did you mean when = {client = "…"}?"#), ("metadata", #"did you mean when = {"metadata.…" = "…"}?"#),
        ("whenn", "did you mean 'when'?"),
    ].map { Mistake("[[models]]\nmatch = '*'\n\($0) = 'x'", "3: unknown key 'models[0].\($0)'; \($1)") }

    private static let patterns =
        [
            ("gpt-*", "gpt-4o"), ("gpt-*", "gpt-4*"), ("gpt-*", "gpt-*"), ("gpt-*", "gpt-?"), ("o[1-9]*", "o3"), ("?", "x"),
            ("*", "[1-9]"), ("*-mini", "gpt-mini"), ("a[]]", "a]"),
        ].map {
            Mistake(
                "[[models]]\nmatch = '\($0)'\n[[models]]\nmatch = '\($1)'",
                "3: models[1] is never reached: models[0] matches the same models first")
        }
        + ["[1-", "gpt-[", "[]", "[!]", "[^]x", "[a][b"].map {
            Mistake("[[models]]\nmatch = '\($0)'", "2: models[0].match has a '[' without a ']'; a '[' itself is written '[[]'")
        }

    private static let weights = [
        ("{upstream = 'demo', weight = 3}", [0]), ("{upstream = 'demo', weight = 3}, 'demo'", [0]),
        ("'demo', {upstream = 'demo', weight = 1}", [1]),
        ("{upstream = 'demo', weight = 1}, {upstream = 'demo', weight = 2}", []),
        ("{upstream = 'demo', weight = 1}, 'demo', {upstream = 'demo', weight = 1}", [0, 2]),
        ("{upstream = 'demo', weight = 1}, {upstream = 'demo', weight = 1}, 'demo', {upstream = 'demo', weight = 1}", [3]),
    ].map { targets, lone in
        Mistake(
            "[[models]]\nmatch = '*'\ntargets = [\(targets)]",
            lone.map { "3: models[0].targets[\($0)].weight has no meaning alone: give its neighbour one" })
    }

    private static let hedges = [
        ("hedge_after = 800", "hedge_after needs a unit, \(Mistake.duration)"),
        ("hedge_after = '0s'", "hedge_after must be from 1ms to 24h"),
        ("hedge_after = 'p0'", #"hedge_after must be a percentile from "p1" to "p99", or a duration"#),
        ("hedge_after = 'p100'", #"hedge_after must be a percentile from "p1" to "p99", or a duration"#),
        ("hedge_after = 'p095'", #"hedge_after must be a percentile from "p1" to "p99", or a duration"#),
        ("hedge_after = '95%'", #"hedge_after must be a percentile from "p1" to "p99", or a duration"#),
        ("hedge_after = 'p99.9'", #"hedge_after must be a percentile from "p1" to "p99", or a duration"#),
        ("hedge_after = ''", "hedge_after must not be empty"),
        ("fallback_on = 404", "fallback_on must be an array of statuses, as in [404, 422]"),
        ("fallback_on = [399]", "fallback_on[0] must be a whole number from 400 to 599"),
        ("fallback_on = [404, 600]", "fallback_on[1] must be a whole number from 400 to 599"),
        ("fallback_on = ['404']", "fallback_on[0] must be a whole number from 400 to 599"),
    ].map { Mistake("[[models]]\nmatch = '*'\ntargets = ['demo', 'demo']\n\($0)", "4: models[0].\($1)") }

    @Test(arguments: models + keys + patterns + weights + hedges)
    func `a mistake is told with its line and its key, and without its value`(_ mistake: Mistake) { mistake.check() }

    @Test(
        arguments: [
            ("gpt-*o", "gpt-4*"), ("gpt-?", "gpt-4o"), ("gpt-4*", "gpt-*"), ("gpt-4o", "gpt-*"), ("[a]*", "a*"), ("[]]", "[[]"),
            ("GPT-*", "gpt-4o"), ("gpt-**", "gpt"), ("${A}*", "x*"),
        ])
    func `a model behind another that leaves it something is reached`(first: String, second: String) {
        let text = "[[models]]\nmatch = '\(first)'\n[[models]]\nmatch = '\(second)'"
        #expect(SettingsCase(text: text, environment: ["A": "a"]).problems.isEmpty)
    }
}
