// What each value by itself may say, and what together probably does not do what somebody wants: warnings.

import FastCGI

extension SettingsReader {
    /// Tells of what upstreams, models, clients and timeouts say past each other.
    func checkDoubts(_ settings: Settings) {
        checkUpstreamsAreUsed(settings)
        checkClientsModels(settings)
        checkFirstTokens(settings)
    }

    private func checkUpstreamsAreUsed(_ settings: Settings) {
        // Where targets are wrong nobody knows what they were to name.
        guard node("models") != nil, settings.models.allSatisfy({ !$0.targets.isEmpty }) else { return }
        let used = Set(settings.models.flatMap { $0.targets.map(\.upstream) })
        let tables = upstreamTables
        for upstream in settings.upstreams where !used.contains(upstream.name) {
            guard let node = tables[upstream.name] else { continue }
            warnIfWhole("stands in no targets of [[models]]: no request goes there", node)
        }
    }

    /// How many patterns of models names are compared with: a thousand with a thousand.
    private static let pairsMax = 1 << 20

    /// Of models that clients may ask for. Of two patterns the beginnings are compared, and not what stands behind them.
    private func checkClientsModels(_ settings: Settings) {
        guard node("models") != nil, !settings.models.isEmpty, let tables = node("clients") else { return }
        var pairsLeft = Self.pairsMax
        for client in settings.clients {
            guard let models = client.models,
                case .array(let nodes)? = tables.member(client.match.description)?.member("models")?.value
            else { continue }
            for (model, node) in zip(models, nodes) {
                pairsLeft -= settings.models.count
                guard pairsLeft >= 0 else { return }
                if settings.models.contains(where: { $0.match.mayMeet(model) }) { continue }
                let (what, it) = model.isExact ? ("a model", "it") : ("models", "them")
                warnIfWhole("names \(what) that no match of [[models]] fits: its callers get 404 for \(it)", node)
            }
        }
    }

    /// Where a file could not be read, that may have what there is not.
    private func warnIfWhole(_ doubt: String, _ node: SettingsNode) {
        problems.add(SettingsProblem(node, doubt, needsWhole: true).asWarning)
    }

    /// Of the first tokens that each place of the file says itself.
    private func checkFirstTokens(_ settings: Settings) {
        check(node("timeouts"), settings.timeouts)
        guard case .array(let tables)? = node("models")?.value, tables.count == settings.models.count else { return }
        for (table, model) in zip(tables, settings.models) {
            let timeouts = settings.timeouts.overridden(by: model.timeouts)
            check(table.member("timeouts"), timeouts)
            guard case .array(let targets)? = table.member("targets")?.value, targets.count == model.targets.count else {
                continue
            }
            for (node, target) in zip(targets, model.targets) { check(node, timeouts.overridden(by: target.timeouts)) }
        }
    }

    private func check(_ table: SettingsNode?, _ timeouts: Settings.Timeouts) {
        guard timeouts.firstToken > timeouts.total, let node = table?.member("first_token") else { return }
        warn(of: "is longer than total, \(timeouts.total.setting), which ends a request before", node)
    }
}

extension ClientSettings {
    /// What probably is not wanted of its tokens, a phrase that follows the setting's name; nil for nothing.
    var doubtOfTokens: String? {
        guard let tokensPerDay, tokensPerDay < Self.answerTokensDefault else { return nil }
        return """
            is less than a request without max_tokens needs, \(Self.answerTokensDefault) and its prompt, so that each of these gets 429: \
            set more, or have callers send a max_tokens
            """
    }
}

extension UpstreamSettings {
    /// What probably is not wanted of its URL, phrases that follow the setting's name.
    var doubtsOfURL: [String] {
        var doubts: [String] = []
        if key != .none, !usesTLS, !isSocket, !Self.isNearby(host) {
            doubts.append("begins with http://, so that keys go over the network in the clear: let it begin with https://")
        }
        let hasPath = url.drop { $0 != "/" }.dropFirst(2).contains("/")
        if isOpenAIs, !hasPath, path == Self.defaultPath {
            doubts.append("ends with its host: OpenAI's API begins at \(Settings.defaultBaseURL)")
        }
        return doubts
    }

    /// The URL's, without brackets.
    private var host: Substring {
        let authority = url.drop { $0 != "/" }.dropFirst(2).prefix { $0 != "/" }
        return authority.first == "[" ? authority.dropFirst().prefix { $0 != "]" } : authority.prefix { $0 != ":" }
    }

    /// Whether it is this machine, or one of its own network.
    private static func isNearby(_ host: Substring) -> Bool {
        if let address = IPAddress(String(host)) { return privateAddresses.contains { $0.contains(address) } }
        var name = host.lowercased()
        if name.utf8.last == UInt8(ascii: ".") { name.removeLast() }  // the root's (RFC 1034 §3.1)
        return !name.contains(".") || privateDomains.contains(where: name.hasSuffix)
    }

    /// RFC 1122 §3.2.1.3, 1918, 3927, 4193, 4291, 6598.
    private static let privateAddresses = [
        "127.0.0.0/8", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16", "100.64.0.0/10", "::1", "fc00::/7",
        "fe80::/10",
    ].map { text in
        do { return try AddressRange(text) } catch { preconditionFailure("a range is one") }
    }

    /// RFC 6761, 6762, 8375, and what networks and Kubernetes call themselves.
    private static let privateDomains = [".localhost", ".local", ".internal", ".lan", ".svc", ".home.arpa", ".test"]
}
