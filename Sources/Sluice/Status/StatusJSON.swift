// The status for machines.

import Chat
import Clock
import FastCGI

extension Status {
    /// One object in one line. Times are RFC 3339's, durations seconds.
    var json: String {
        var writer = StatusWriter()
        writer.object {
            $0.head(head, isPart: isPart)
            $0.member("workers", workers)
            if let listen { $0.listen(listen) }
            $0.member("max_listen_queue", listenQueueMax)
            $0.member("accepted_conn", acceptedConnections)
            $0.member("refused_conn", refusedConnections)
            $0.member("active", active)
            $0.member("max_active", maxActive)
            $0.member("max_children_reached", counts.turnedAway)
            $0.member("slow_requests", counts.slow)
            $0.member("requests", counts.requests)
            $0.member("answered", counts.answered)
            $0.member("failed", counts.failed)
            $0.member("callers_left", counts.callersLeft)
            $0.member("memory_used", memory.used)
            $0.member("memory_limit", memory.limit)
            $0.member("lost_log_lines", head.lostLogLines)
            $0.budgetStore(budgetStore)
            $0.array("upstreams", upstreams) { $0.upstream($1) }
            $0.array("targets", targets) { $0.target($1) }
            $0.array("clients", counts.clients) { writer, client in
                writer.object {
                    $0.member("name", client.name)
                    $0.member("requests", client.requests)
                }
            }
            $0.member("other_requests", counts.otherRequests)
            $0.array("last_errors", counts.recentErrors) { $0.recentError($1) }
            if let requests {
                $0.array("active_requests", requests.listed) { $0.request($1) }
                $0.member("active_requests_left_out", requests.leftOut)
                $0.member("silent_workers", requests.silentWorkers)
            }
        }
        return String(decoding: writer.bytes, as: UTF8.self)
    }
}

/// JSON, member by member.
struct StatusWriter {
    private(set) var bytes: [UInt8] = []
    private var isFirst = true

    mutating func object(_ members: (inout StatusWriter) -> Void) {
        bytes.append(UInt8(ascii: "{"))
        isFirst = true
        members(&self)
        bytes.append(UInt8(ascii: "}"))
        isFirst = false
    }

    mutating func array<Element>(_ name: String, _ elements: [Element], _ write: (inout StatusWriter, Element) -> Void) {
        self.name(name)
        bytes.append(UInt8(ascii: "["))
        for (place, element) in elements.enumerated() {
            if place > 0 { bytes.append(UInt8(ascii: ",")) }
            write(&self, element)
        }
        bytes.append(UInt8(ascii: "]"))
        isFirst = false
    }

    mutating func name(_ name: String) {
        if !isFirst { bytes.append(UInt8(ascii: ",")) }
        bytes.appendJSONString(name)
        bytes.append(UInt8(ascii: ":"))
        isFirst = false
    }

    /// A value that is JSON already.
    mutating func append(json: String) {
        bytes += Array(json.utf8)
        isFirst = false
    }

    mutating func null() { bytes.append("null") }

    mutating func member(_ name: String, _ value: String?) {
        self.name(name)
        bytes.appendJSONString(value)
    }

    mutating func member(_ name: String, _ value: Int?) {
        self.name(name)
        if let value { bytes.append(decimal: value) } else { null() }
    }

    mutating func member(_ name: String, _ value: Bool) {
        self.name(name)
        bytes.append(value ? "true" : "false")
    }

    /// In seconds, to the millisecond.
    mutating func member(_ name: String, _ value: Duration?) {
        self.name(name)
        guard let value else { return null() }
        let milliseconds = Int(max(0, value.nanoseconds) / 1_000_000)
        bytes.append(decimal: milliseconds / 1000)
        bytes.append(UInt8(ascii: "."))
        bytes.append(decimal: milliseconds % 1000, digits: 3)
    }

    /// The members that the status of one process and that of several begin with.
    ///
    /// - Parameter isPart: whether another one tells of the last reload, and how many processes there are to be.
    mutating func head(_ head: Status.Head, isPart: Bool = false) {
        member("version", sluiceVersion)
        member("process", head.pid)
        if let part = head.part {
            member("place", part.place)
            if !isPart { member("processes_wanted", part.count) }
        }
        member("state", head.state)
        member("start_time", timestamp(ofSecond: head.startTime))
        member("start_since", head.uptime)
        member("generation", head.generation)
        guard !isPart else { return }
        name("last_reload")
        if let lastReload = head.lastReload { reload(lastReload) } else { null() }
    }

    private mutating func reload(_ reload: Status.Reload) {
        object {
            $0.member("time", timestamp(ofSecond: reload.time))
            $0.member("outcome", reload.isInForce ? "in force" : "failed")
            $0.array("problems", reload.problems) { $0.bytes.appendJSONString($1) }
            $0.array("remarks", reload.remarks) { $0.bytes.appendJSONString($1) }
        }
    }

    /// The members of the sockets.
    mutating func listen(_ sockets: [Status.Listen]) {
        member("listen_queue", sockets.queue?.count)
        member("listen_queue_len", sockets.queue?.countMax)
        array("listen", sockets) { writer, socket in
            writer.object {
                $0.member("address", socket.address)
                $0.member("listen_queue", socket.queue?.count)
                $0.member("listen_queue_len", socket.queue?.countMax)
            }
        }
    }

    mutating func request(_ request: Status.Request) {
        object {
            $0.member("id", request.id?.description)
            $0.member("age", request.age)
            $0.member("client", request.client)
            $0.member("call", request.call?.description)
            $0.member("route", request.route)
            $0.member("model", request.target?.ownModel)
            $0.member("upstream", request.target?.upstreamName)
            $0.member("state", request.state.rawValue)
            $0.member("events", request.events)
            $0.member("bytes", request.bytes)
            $0.member("silence", request.silence)
        }
    }

    mutating func budgetStore(_ store: StoreHealth.Snapshot?) {
        name("budget_store")
        guard let store else { return null() }
        object {
            $0.member("address", store.address)
            $0.member("state", store.state.word)
            $0.member("since", timestamp(ofSecond: store.since))
            $0.member("reason", store.state.reason)
        }
    }

    mutating func upstream(_ upstream: Status.Upstream) {
        object {
            $0.member("name", upstream.name)
            $0.member("open", upstream.open)
            $0.member("queued", upstream.queued)
            $0.member("places", upstream.places)
            if upstream.isFormer { $0.member("former", true) }
        }
    }

    mutating func target(_ target: Status.Target) {
        object {
            $0.member("route", target.route)
            $0.member("upstream", target.upstream)
            $0.member("model", target.model)
            $0.member("asked", target.state.asked)
            $0.member("failed", target.state.failed)
            $0.member("cut", target.state.cut)
            $0.member("rests_for", target.state.restsFor)
            $0.member("first_tokens", target.state.firstTokens)
            $0.member("first_token_p50", target.state.p50)
            $0.member("first_token_p95", target.state.p95)
        }
    }

    mutating func recentError(_ error: Statistics.RecentError) {
        object {
            $0.member("time", timestamp(ofSecond: error.time))
            $0.member("client", error.client)
            $0.member("upstream", error.upstream)
            $0.member("ending", error.ending)
        }
    }
}
