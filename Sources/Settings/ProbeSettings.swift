// The built-in model by which `sluice probe` measures what stands between Sluice and its callers: `probe`.

import Chat

extension Settings {
    /// By which callers name it.
    package static let probeModel = "sluice-probe"
    /// What answers it. No upstream of a file can be called so: their names have no dot.
    package static let probeUpstream = "sluice.probe"
    /// As long as a silence may be that a request asks it for, and more.
    private static let probeTimeouts = Timeouts.Own(firstToken: .seconds(15), idle: .seconds(90), total: .seconds(300))

    static var probeField: Field<Settings> {
        Field(
            "probe", \.hasProbe, .boolean,
            """
            Whether there is a model "\(probeModel)", ahead of all [[models]], which answers by itself at a known pace, so that sluice \
            probe can tell who on the way to callers holds events back. It asks no upstream and no hook; clients may use it as their \
            models say.
            """)
    }

    /// The same with that model, where it is wanted: for each name of a route, so that none leads to another's.
    package var withProbe: Settings {
        guard hasProbe else { return self }
        var own = self
        own.upstreams.append(UpstreamSettings(name: Self.probeUpstream, kind: .demo))
        var names: Set<String?> = []
        let models = models.compactMap { names.insert($0.name).inserted ? Self.probeModel(of: $0.name) : nil }
        own.models = models + own.models
        return own
    }

    private static func probeModel(of name: String?) -> ModelSettings {
        var model = ModelSettings(
            match: ModelPattern(probeModel), targets: [TargetSettings(upstream: probeUpstream)], attempts: AttemptSettings())
        model.name = name
        model.timeouts = probeTimeouts
        model.speech = []
        var filler = FillerSettings()
        (filler.texts, filler.countMax) = (["…"], 0)
        model.filler = filler
        model.prepend = PrependSettings()
        model.hook = HookSettings()
        model.onCut = .error
        return model
    }
}
