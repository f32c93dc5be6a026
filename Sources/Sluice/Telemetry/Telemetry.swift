// What is logged, worded once. No key, token or message content has a place in any of these.

import Chat
import EventLoop
import FastCGI
import HTTPClient
import Logging
import Settings

extension Logger {
    func serving(_ settings: Settings) {
        var metadata: Metadata = [
            "listen": "\(settings.listen.listed)", "workers": .number(settings.workers),
            "memory": "\(Size.setting(settings.limits.memoryBytes))",
        ]
        if settings.hasMaster { metadata["processes"] = .number(settings.processes) }
        notice("serving", metadata: metadata)
        forwarding(settings)
    }

    /// - Parameter environment: the process's proxies.
    private func forwarding(_ settings: Settings, _ environment: ProxyEnvironment = .current) {
        for upstream in settings.upstreams where upstream.name != Settings.probeUpstream {
            guard upstream.kind == .demo else {
                notice("forwarding", metadata: upstream.summary(environment))
                continue
            }
            if let file = settings.upstreamsFile {
                warning(
                    "the demo upstream answers: for real answers write [upstreams.NAME] with its url and key into the settings file",
                    metadata: ["file": "\(file)"])
            } else {
                warning("the demo upstream answers: set OPENAI_API_KEY or --upstream for real answers")
            }
        }
    }

    /// - Parameter warnings: a sentence each.
    func warned(of warnings: [String]) {
        for reason in warnings {
            warning(
                "something in the settings may not work", metadata: ["reason": "\(reason)"], source: LogEntry.changeSource)
        }
    }

    /// - Parameter needed: by that number of requests.
    func fewDescriptors(_ limit: Int, needed: Int, requests: Int) {
        warning(
            "the limit of open descriptors is lower than the limit of requests needs: raise LimitNOFILE or ulimit -n",
            metadata: [
                "descriptors": .number(limit), "needed": .number(needed), "requests": .number(requests),
            ])
    }

    func draining(_ limit: Duration) { notice("draining: no new requests", metadata: ["limit": "\(limit.setting)"]) }
    func drained() { notice("stopped") }
    func ignored(signal number: Int32) { notice("a signal was ignored", metadata: ["signal": .number(Int(number))]) }

    func reloading() { info("reading the settings again") }

    func reloaded(_ reading: Reloader.Reading) {
        notice("the settings were reloaded", metadata: ["generation": .number(reading.generation.number)])
        if !reading.unchanged.isEmpty {
            warning(
                "settings have changed that take a restart",
                metadata: ["settings": "\(reading.unchanged.joined(separator: ", "))"], source: LogEntry.changeSource)
        }
        warned(of: reading.warnings)
        forwarding(reading.generation.settings)
    }

    /// - Parameter lines: a problem each, or how many more there are.
    func reloadFailed(_ lines: [String]) {
        for line in lines {
            error(
                "the settings were not reloaded: those from before hold", metadata: ["reason": "\(line)"],
                source: LogEntry.changeSource)
        }
    }

    func logGoesToNobody() {
        warning("the log goes elsewhere from now on, where nobody takes it yet (log.to)", source: LogEntry.changeSource)
    }

    func controlWaitFailed(_ failure: SystemError) {
        error("whoever waits for requests from before a reload is not told of their end", metadata: ["reason": "\(failure)"])
    }

    func logReopened(butFor failure: SystemError?) {
        guard let failure else { return notice("the log file was opened again") }
        error("the log file cannot be opened again: the old one is written to", metadata: ["reason": "\(failure)"])
    }

    func controlIsTaken(_ error: ListenError) {
        notice(
            "another process that the web server has started is asked by the control socket, and not this one",
            metadata: ["reason": "\(error)"])
    }

    func idle(for limit: Duration) {
        notice("nobody has called for so long: this process ends", metadata: ["idle_exit": "\(limit.setting)"])
    }

    func logNotRotated(_ failure: SystemError) {
        error(
            "the log file is full, and cannot be moved: it grows", metadata: ["reason": "\(failure)"],
            source: LogEntry.changeSource)
    }

    func endingAtOnce() { notice("stopped at once by a second signal") }

    /// - Parameter page: `status`, `ping` or `metrics`.
    func askedHowItDoes(page: String) {
        debug("the web server asked how Sluice does", metadata: ["page": "\(page)"])
    }

    func rehearsalFailed(_ reason: String) {
        error("the rehearsal of a request failed: the first request will take longer", metadata: ["reason": "\(reason)"])
    }

    func connectionFailed(_ failure: SystemError) {
        error("a connection cannot be served", metadata: ["reason": "\(failure)"])
    }

    /// Once a connection, at debug: on a socket that only the web server reaches it is a defect of that server or a probe. The first
    /// peer that may not connect is a warning, since it may be the web server itself.
    func connectionRefused(_ reason: ConnectionRefusal, total: Int, isWarning: Bool) {
        log(
            level: isWarning ? .warning : .debug, "a FastCGI connection was refused",
            metadata: ["reason": "\(reason.words)", "total": .number(total)])
    }

    /// The reason in the HTTP client's words, which the caller does not get.
    ///
    /// - Parameter upstream: its name in the settings.
    func noted(_ note: UpstreamAnswer.Note, _ id: RequestID, _ upstream: String) {
        switch note {
        case .failed(.connection(.cancelled)): break
        case .failed(let trouble):
            warning("the upstream failed", metadata: ["request": "\(id)", "upstream": "\(upstream)", "reason": "\(trouble)"])
        case .headersLeftOut(let count):
            debug(
                "headers of the upstream are left out",
                metadata: ["request": "\(id)", "upstream": "\(upstream)", "count": .number(count)])
        }
    }

    /// - Parameter upstream: its name in the settings.
    func usageCannotBe(_ id: RequestID, _ upstream: String?) {
        warning(
            "the upstream tells a usage that cannot be: it counts as none",
            metadata: ["request": "\(id)", "upstream": "\(upstream ?? "none")"])
    }

    /// Callers who ask which models there are do not hear of those that this upstream has, or hear of those that it told before.
    ///
    /// - Parameters:
    ///   - upstream: its name in the settings.
    ///   - reason: nothing that the upstream has said.
    func modelsNotTold(_ upstream: String, _ reason: String) {
        info("the upstream does not tell its models", metadata: ["upstream": "\(upstream)", "reason": "\(reason)"])
    }

    /// The first token took longer than the settings want it to, or has not come at all.
    ///
    /// - Parameter client: the name that the front server has for the caller.
    func firstTokenWasLate(_ id: RequestID, _ client: String?, _ wait: FirstTokenWait) {
        var metadata: Metadata = [
            "request": "\(id)", "upstream": "\(wait.upstream ?? "none")", "attempts": .number(wait.attemptsCount),
            "seconds": .seconds(wait.total), "queue": .seconds(wait.queue), "connect": .seconds(wait.connect),
            "waiting": .seconds(wait.waiting), "retries": .seconds(wait.retries),
        ]
        if let hook = wait.hook { metadata["hook"] = .seconds(hook) }
        if let client { metadata["client"] = "\(client)" }
        if wait.isWithoutPlace { metadata["reason"] = "it waited in the upstream's queue, and got no place (concurrent)" }
        // A request's own, as its line is.
        warning("the first token was late", metadata: metadata, source: LogEntry.changeSource)
    }

    /// - Parameter route: as the request's line has it.
    func hookFailed(_ failure: HookFailure, _ id: RequestID, route: String, _ onFailure: HookSettings.Failure) {
        warning(
            "the hook failed",
            metadata: [
                "request": "\(id)", "route": "\(route)", "reason": "\(failure)", "on_failure": "\(onFailure.rawValue)",
            ])
    }

    /// - Parameter host: what the settings allow it by, else nil: all else of the URL is whatever the caller has written, or a secret.
    func fillerNotPosted(_ reason: String, _ id: RequestID, route: String, host: AllowedHost?) {
        var metadata: Metadata = ["request": "\(id)", "route": "\(route)", "reason": "\(reason)"]
        if let host { metadata["host"] = "\(host)" }
        warning("the platform was not asked to say a filler, or did not take it", metadata: metadata)
    }

    /// Once for each rest and each recovery, whatever the number of requests.
    func changed(_ target: Target, _ change: TargetChange) {
        let metadata: Metadata = ["upstream": "\(target.upstreamName)", "route": "\(target.route)"]
        switch change {
        case .rests(let duration, let reason):
            let further: Metadata = ["for": "\(duration.setting)", "reason": "\(reason ?? "unknown")"]
            warning("a target rests", metadata: metadata.merging(further) { $1 }, source: LogEntry.changeSource)
        case .isBack: notice("a target is back", metadata: metadata)
        }
    }

    func warmConnections(_ upstream: String, _ report: WarmConnections.Report) {
        switch report {
        case .ready(let count): debug("connections stand ready", metadata: ["upstream": "\(upstream)", "count": .number(count)])
        case .failed(let error, let pause):
            warning(
                "no connection can be kept ready",
                metadata: ["upstream": "\(upstream)", "reason": "\(error)", "again_in": "\(pause.setting)"])
        case .notKept(let pause):
            debug("the upstream keeps no connection", metadata: ["upstream": "\(upstream)", "again_in": "\(pause.setting)"])
        }
    }

    /// - Parameters:
    ///   - name: what the web server has for it; nil for none.
    ///   - client: the name that the front server has for the caller.
    func unknownRoute(_ name: String?, _ id: RequestID, _ client: String?) {
        var metadata: Metadata = ["request": "\(id)"]
        if let client { metadata["client"] = "\(client)" }
        guard let name else {
            return error("a request names no route (SLUICE_ROUTE), and each of [[models]] has a name", metadata: metadata)
        }
        metadata["route"] = "\(name)"
        error("a request names a route (SLUICE_ROUTE) that none of [[models]] has", metadata: metadata)
    }

    /// - Parameter client: the name that the front server has for the caller.
    func routeIsRepeated(_ id: RequestID, _ client: String?) {
        var metadata: Metadata = ["request": "\(id)"]
        if let client { metadata["client"] = "\(client)" }
        error("a request names two routes (SLUICE_ROUTE)", metadata: metadata)
    }

    /// - Parameter names: those of the parameters.
    func lacksParameters(_ names: [String], _ id: RequestID) {
        error(
            "a request lacks parameters of FastCGI: the web server is to pass them (nginx: include fastcgi_params)",
            metadata: ["request": "\(id)", "parameters": "\(names.joined(separator: ", "))"])
    }

    func loopDefect(_ what: StaticString) {
        error("a defect of this program, which harmed nobody", metadata: ["what": "\(what)"])
    }

    func requestBroken(_ id: RequestID, _ error: any Error) {
        self.error("a request failed by a defect", metadata: ["request": "\(id)", "kind": "\(type(of: error))"])
    }
}

extension Logger.MetadataValue {
    /// A value that is a number in the log, too.
    fileprivate static func number(_ number: Int) -> Self { .stringConvertible(number) }

    /// A value that is a number of seconds in the log.
    fileprivate static func seconds(_ duration: Duration) -> Self { .stringConvertible(duration) }
}

extension ConnectionRefusal {
    fileprivate var words: String {
        switch self {
        case .unsupportedVersion(let version): "a record is of version \(version), and not of 1"
        case .malformedBeginRequest: "the record that begins a request is malformed"
        case .unknownRole(let role): "the role \(role) is asked for, and not that of a responder"
        case .secondRequest: "a second request came before the first was answered"
        case .unexpectedRecord(let type): "a record of type \(type) is out of place"
        case .malformedParameters: "the parameters are malformed"
        case .requestTimedOut: "a request did not begin or end within timeouts.request"
        case .answersNotRead: "the answers to its management records are not read"
        case .peerNotAllowed(let user): "the user \(user) may not connect: socket.allowed_users leaves it out"
        case .addressNotAllowed(let address): "the address \(address) may not connect: allowed_addresses leaves it out"
        }
    }
}

extension UpstreamSettings {
    /// Where requests go and how, without any secret.
    fileprivate func summary(_ environment: ProxyEnvironment) -> Logger.Metadata {
        var summary: Logger.Metadata = ["upstream": "\(name)", "url": "\(url)", "key": key == .none ? "none" : "set"]
        if let proxy = proxyInForce(environment) { summary["proxy"] = "\(proxy)" }
        return summary
    }

    private func proxyInForce(_ environment: ProxyEnvironment) -> Proxy? {
        do throws(HTTPError) { return try proxy.asked(for: urlPrefix, in: environment) } catch {
            return nil  // It would have ended the start.
        }
    }
}
