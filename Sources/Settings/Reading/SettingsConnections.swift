// What can be known of the connections to upstreams before there is one: their proxies, and the files that TLS needs.

import Clock
package import HTTPClient

extension SettingsSources {
    /// Tells what is wrong with the proxies that upstreams, hooks and a collector would be asked through, without any value of the
    /// environment.
    func checkProxies(_ settings: Settings, _ environment: ProxyEnvironment, _ problems: SettingsProblems) {
        var told: Set<String> = []
        let others = (settings.hookURLs + [settings.traces?.endpoint].compactMap(\.self)).map {
            (proxy: ProxyChoice.environment, url: $0)
        }
        for (proxy, url) in settings.networkUpstreams.map({ (proxy: $0.proxy, url: $0.urlPrefix) }) + others {
            do throws(HTTPError) {
                _ = try proxy.asked(for: url, in: environment)
            } catch {
                // Several upstreams may share a variable.
                if told.insert(error.reason).inserted { problems.add(error.reason) }
            }
        }
    }

    /// Reads what connections with TLS need, once for the process, and tells what is wrong with it where the file names it. A certificate
    /// that is not valid now is a warning.
    ///
    /// - Parameter file: the settings file's table, if there is one.
    func loadTLS(_ settings: Settings, _ file: SettingsReader?, _ problems: SettingsProblems) {
        let upstreams = settings.networkUpstreams.filter { $0.usesTLS && !$0.hasAssumedCertificate }
        if settings.authoritiesFile.map(SettingsReader.isCredential) ?? false { return }
        let tables = file?.upstreamTables ?? [:]
        var failing: [UpstreamSettings] = []
        for upstream in upstreams {
            do throws(HTTPError) {
                let validity = try readTLSFiles(ConnectionOptions(upstream, of: settings), settings.authoritiesFile)
                warn(of: validity, tables[upstream.name]?.member("certificate"), problems)
            } catch { failing.append(upstream) }
        }
        let othersUseTLS = settings.hooksUseTLS || settings.asksPlatforms || settings.tracesUseTLS
        let othersFail = othersUseTLS && reason(ConnectionOptions(hooksOf: settings), settings.authoritiesFile) != nil
        guard !failing.isEmpty || othersFail else { return }
        if let reason = reason(.standard, settings.authoritiesFile) {
            problems.add(reason, at: file?.node("authorities_file"), else: EnvironmentVariable.authoritiesFile)
        }
        // Half a pair is known to be wrong already.
        for upstream in failing where upstream.certificate != nil && upstream.certificateKey != nil {
            guard let reason = reason(ConnectionOptions(upstream, of: settings), nil) else { continue }
            let node = tables[upstream.name]?.member("certificate")
            problems.add(reason, at: node, else: SettingsPath.shown(upstream.name))
        }
    }

    /// Why the files cannot be used.
    private func reason(_ options: ConnectionOptions, _ authoritiesFile: String?) -> String? {
        do throws(HTTPError) { _ = try readTLSFiles(options, authoritiesFile) } catch { return error.reason }
        return nil
    }

    /// Tells of a certificate that is not valid now. Whether that matters is the upstream's decision.
    private func warn(of validity: CertificateValidity?, _ node: SettingsNode?, _ problems: SettingsProblems) {
        guard let node, let words = validity?.problem(at: secondsSince1970()) else { return }
        problems.add(SettingsProblem(node, words).asWarning)
    }
}

extension CertificateValidity {
    /// - Parameter now: in seconds since 1970.
    fileprivate func problem(at now: Int) -> String? {
        if now < notBefore { return "names a certificate that is not valid before \(timestamp(ofSecond: notBefore))" }
        return now > notAfter ? "names a certificate that expired at \(timestamp(ofSecond: notAfter))" : nil
    }
}

extension SettingsProblems {
    fileprivate func add(_ reason: String, at node: SettingsNode?, else name: String) {
        if let node { add(SettingsProblem(node, "cannot be used: \(reason)")) } else { add("\(name) cannot be used: \(reason)") }
    }
}

extension Settings {
    fileprivate var networkUpstreams: [UpstreamSettings] { upstreams.filter { $0.kind != .demo && !$0.url.isEmpty } }
}

extension UpstreamSettings {
    /// Whether a file of its certificate has not been looked at.
    fileprivate var hasAssumedCertificate: Bool {
        [certificate, certificateKey].contains { $0.map(SettingsReader.isCredential) ?? false }
    }
}

extension SettingsReader {
    /// The tables `[upstreams.NAME]`, by their names.
    var upstreamTables: [String: SettingsNode] {
        guard case .table(let members)? = node("upstreams")?.value else { return [:] }
        return Dictionary(members.map { ($0.key, $0.node) }) { first, _ in first }
    }
}

extension HTTPError {
    /// Of an error at the start, which is no request's.
    fileprivate var reason: String {
        switch self {
        case .invalidRequest(let reason), .tls(let reason): reason
        default: description
        }
    }
}

extension ConnectionOptions {
    /// Those of connections to an upstream.
    package convenience init(_ upstream: UpstreamSettings, of settings: Settings) {
        self.init(
            version: upstream.httpVersion, certificate: upstream.certificate, certificateKey: upstream.certificateKey,
            proxy: upstream.proxy, nameLifetime: settings.nameLifetime, streamsMax: upstream.streamsMax)
    }

    /// Those of connections to hooks, and to platforms, which are made as connections to an upstream that says nothing of it.
    package convenience init(hooksOf settings: Settings) { self.init(nameLifetime: settings.nameLifetime) }

    /// Those of connections to the collector of traces, which are made in the same way.
    package convenience init(tracesOf settings: Settings) { self.init(nameLifetime: settings.nameLifetime) }
}
