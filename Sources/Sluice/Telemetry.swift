// What is logged, worded once. No key, token or message content has a place in any of these.

import Chat
import EventLoop
import FastCGI
import HTTPClient
import Logging

extension Logger {
    func serving(_ settings: Settings) {
        notice("serving", metadata: ["listen": "\(settings.listen)", "workers": "\(settings.workers)"])
        for upstream in settings.upstreams {
            if upstream.kind == .demo {
                warning("the demo upstream answers: set OPENAI_API_KEY or --upstream for real answers")
            } else {
                notice("forwarding", metadata: ["upstream": "\(upstream.url)", "key": upstream.key == .none ? "none" : "set"])
            }
        }
    }

    func fewDescriptors(_ limit: Int, requests: Int) {
        warning(
            "the limit of open descriptors is lower than the limit of requests needs: raise LimitNOFILE or ulimit -n",
            metadata: ["descriptors": "\(limit)", "requests": "\(requests)"])
    }

    func draining(_ limit: Duration) { notice("draining: no new requests", metadata: ["limit": "\(limit)"]) }
    func drained() { notice("stopped") }
    func endingAtOnce() { notice("stopped at once by a second signal") }

    func rehearsalFailed(_ reason: String) {
        error("the rehearsal of a request failed: the first request will take longer", metadata: ["reason": "\(reason)"])
    }

    func workerFailed(_ error: SystemError) { critical("a worker cannot start", metadata: ["reason": "\(error)"]) }

    func connectionFailed(_ failure: SystemError) {
        error("a connection cannot be served", metadata: ["reason": "\(failure)"])
    }

    /// Once a connection, at debug: on a socket that only the web server reaches it is a defect of that server or a probe. The first
    /// peer that may not connect is a warning, since it may be the web server itself.
    func connectionRefused(_ reason: Refusal, total: Int) {
        let isWarning = if case .peerNotAllowed = reason { total == 1 } else { false }
        log(
            level: isWarning ? .warning : .debug, "a FastCGI connection was refused",
            metadata: ["reason": "\(reason)", "total": "\(total)"])
    }

    /// The reason in the HTTP client's words, which the caller does not get.
    func noted(_ note: UpstreamAnswer.Note, _ id: RequestID) {
        switch note {
        case .failed(.cancelled): break
        case .failed(let error): warning("the upstream failed", metadata: ["request": "\(id)", "reason": "\(error)"])
        case .headersLeftOut(let count):
            debug("headers of the upstream are left out", metadata: ["request": "\(id)", "count": "\(count)"])
        }
    }

    func warmConnections(_ upstream: String, _ report: WarmConnections.Report) {
        switch report {
        case .ready(let count): debug("connections stand ready", metadata: ["upstream": "\(upstream)", "count": "\(count)"])
        case .failed(let error, let pause):
            warning(
                "no connection can be kept ready",
                metadata: ["upstream": "\(upstream)", "reason": "\(error)", "again_in": "\(pause.setting)"])
        case .notKept(let pause):
            debug("the upstream keeps no connection", metadata: ["upstream": "\(upstream)", "again_in": "\(pause.setting)"])
        }
    }

    func loopDefect(_ what: StaticString) {
        error("a defect of this program, which harmed nobody", metadata: ["what": "\(what)"])
    }

    func requestBroken(_ id: RequestID, _ error: any Error) {
        self.error("a request failed by a defect", metadata: ["request": "\(id)", "kind": "\(type(of: error))"])
    }
}
