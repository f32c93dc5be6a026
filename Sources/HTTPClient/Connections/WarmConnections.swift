// Connections that are open before a call needs them.

import Clock
import EventLoop

/// Keeps idle connections to one origin open, so that no call waits for a handshake; `Session.keepWarm` makes it.
///
/// Over HTTP/2 a connection is ready when its handshake is through, and a PING from time to time keeps the server from closing it.
/// Over HTTP/1 it is opened by a request without any credentials, and whatever the answer's status, it has then been tried: `HEAD`
/// of `/`, or `GET` of `/v1/models` where the server closes the connection after that, or the other way around once that is known.
/// It gets no further request, since a call that came meanwhile would find it busy: one that the server closes is replaced at once.
/// The kernel's keep-alive finds out when a peer is silently gone.
package final class WarmConnections {
    /// The pace at which connections are looked after.
    package struct Times: Sendable {
        /// Between two looks, for what calls have taken.
        package var look = Duration.seconds(1)
        /// Between two PINGs on an idle connection of HTTP/2, less up to a quarter at random.
        package var refresh = Duration.seconds(30)
        /// For the answer to a request, once there is a connection.
        package var answer = Duration.seconds(10)
        /// The first pause for an origin that is down or does not keep connections. It doubles up to `pauseMax`.
        package var pauseMin = Duration.seconds(1)
        /// The longest of these pauses.
        package var pauseMax = Duration.seconds(60)

        /// The times above.
        package init() {}
    }

    /// What there is to log. None of it holds a secret.
    package enum Report: Equatable, Sendable {
        /// All are open, those that calls use among them; for the first time or again.
        case ready(connections: Int)
        /// One or more could not be opened; the next attempt is so far away.
        case failed(HTTPError, again: Duration)
        /// The server answered and closed the connection.
        case notKept(again: Duration)
    }

    private let session: Session
    private let pool: Pool
    private let count: Int
    private let times: Times
    private let report: (Report) -> Void
    /// What opens a connection of HTTP/1: if the server does not keep it after the first, the second is tried.
    private var requests: [HTTPRequest]
    private var timer: Timer?
    private var trials: [Transfer] = []
    private var isBeginning = false
    /// What went wrong with the trials that run.
    private var trouble: Trouble?
    private var pause: Pause
    private var refreshDue = Instant.distantFuture
    private var isReady = false
    /// Whether an idle connection was closed since the last look.
    private var hasLost = false
    /// Whether the trials that run know how many connections there have to be.
    private var wasVersionKnown = false

    private enum Trouble { case failed(HTTPError), notKept }

    init(
        _ requests: [HTTPRequest], count: Int, _ times: Times, _ pool: Pool, in session: Session,
        report: @escaping (Report) -> Void
    ) {
        precondition(count > 0)
        self.session = session
        self.pool = pool
        self.requests = requests
        self.count = count
        self.times = times
        self.report = report
        pause = Pause(shortest: times.pauseMin, longest: times.pauseMax)
        let timer = Timer(on: session.loop) { [unowned self] in look() }
        self.timer = timer
        timer.set(at: .current)
        pool.warm = self
    }

    /// What is open stays so, for as long as its server keeps it.
    deinit {
        timer?.cancel()
        for trial in trials {
            trial.onEnd = nil
            trial.cancel()
        }
    }

    // MARK: Looking

    private func look() {
        guard !session.isClosed else { return }
        let missing = missing
        if missing > 0 {
            isReady = false
            // Calls have taken them: no reason to hold back.
            if !exchange(&hasLost, with: false), trouble == nil { pause.reset() }
            begin(missing)
        } else {
            refresh()
            pause.reset()
            timer?.set(at: .current + times.look)
        }
    }

    /// From the pool: looks at once, unless there was something to do the last time too: then the pause holds.
    func lostIdle() {
        hasLost = true
        guard trials.isEmpty, pause.isShortest else { return }
        timer?.set(at: .current)
    }

    /// How many must be opened. Calls share a connection over HTTP/2; over HTTP/1 one that is in use is not ready.
    private var missing: Int {
        switch pool.version {
        case nil, .http2?: pool.shared.contains(where: \.hasRoom) ? 0 : 1
        case .http1?: max(0, count - pool.idle.count)
        }
    }

    private func refresh() {
        guard pool.version == .http2, session.loop.now >= refreshDue else { return }
        for connection in pool.shared { connection.ping() }
        setRefresh()
    }

    private func setRefresh() { refreshDue = .current + times.refresh * Double.random(in: 0.75...1) }

    // MARK: Opening

    /// Some may end before this returns; all of them are looked at together.
    private func begin(_ number: Int) {
        trouble = nil
        wasVersionKnown = pool.version != nil
        do throws(HTTPError) {
            for _ in 0..<number { trials.append(try makeTrial()) }
        } catch {
            trouble = .failed(error)
        }
        isBeginning = true
        for trial in trials { pool.beginTrial(trial) }
        isBeginning = false
        if trials.isEmpty { settle() }
    }

    private func makeTrial() throws(HTTPError) -> Transfer {
        let trial = try session.prepare(requests[0], waking: Wakeup(on: session.loop))
        trial.onEnd = { [unowned self] in ended($0, $1) }
        return trial
    }

    private func ended(_ trial: Transfer, _ result: Result<Bool, HTTPError>) {
        trials.removeAll { $0 === trial }
        switch result {
        case .success(true): break
        case .success(false):
            // The next one is opened by another request.
            if requests[0].method == trial.method { requests.append(requests.removeFirst()) }
            trouble = .notKept
        case .failure(.cancelled): return
        case .failure(let error): trouble = .failed(error)
        }
        if trials.isEmpty, !isBeginning { settle() }
    }

    private func settle() {
        guard !session.isClosed else { return }
        setRefresh()
        let again = wasVersionKnown || trouble != nil ? pause.next() : .zero
        timer?.set(at: .current + again)
        switch trouble {
        case .failed(let error): report(.failed(error, again: again))
        case .notKept: report(.notKept(again: again))
        case nil where missing == 0 && !isReady:
            isReady = true
            report(.ready(connections: pool.openCount))
        case nil: break
        }
    }
}

/// How long to wait before the next look: longer each time that the last one found something to do.
struct Pause {
    private let shortest: Duration
    private let longest: Duration
    private var following: Duration

    init(shortest: Duration, longest: Duration) {
        (self.shortest, self.longest) = (shortest, longest)
        following = shortest
    }

    /// Whether the last look found nothing to do.
    var isShortest: Bool { following == shortest }

    mutating func reset() { following = shortest }

    /// Less up to a quarter at random, so that the workers do not all come back to an origin at one moment.
    mutating func next() -> Duration {
        defer { following = min(following * 2, longest) }
        return following * Double.random(in: 0.75...1)
    }
}

extension Session {
    /// Opens connections to a URL's scheme, host and port, and opens them anew whenever some are gone, until what it returns
    /// is let go or the session is closed. The URL's path, query and user information are not sent.
    ///
    /// - Parameters:
    ///   - count: how many stand ready beside those that calls use, at least 1. Over HTTP/2 it is one whatever the count:
    ///     all calls share it.
    ///   - connectTimeout: for name, connection and TLS together.
    ///   - report: called on the loop's thread, for the log.
    /// - Throws: `HTTPError.invalidRequest` when the URL is not one to connect to.
    package func keepWarm(
        _ url: String, count: Int, connectTimeout: Duration, options: ConnectionOptions = .standard,
        times: WarmConnections.Times = WarmConnections.Times(), report: @escaping (WarmConnections.Report) -> Void
    ) throws(HTTPError) -> WarmConnections {
        let destination = try destination(of: url, options)
        let request = { (method: HTTPMethod, target: String) in
            HTTPRequest(
                method, destination.url.origin.url + target, connectTimeout: connectTimeout,
                totalTimeout: connectTimeout + times.answer, options: options)
        }
        return WarmConnections(
            [request(.head, "/"), request(.get, "/v1/models")], count: count, times, destination.pool, in: self, report: report)
    }
}
