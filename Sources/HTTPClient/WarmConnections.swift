// Connections that are open before a call needs them.

import EventLoop
import Glibc

/// Keeps idle connections to one origin open, so that no call waits for a handshake; `Session.keepWarm` makes it.
///
/// A connection is opened by a `HEAD` of `/` without any credentials, and whatever the answer's status, it has then been
/// tried. libcurl reads nothing from an idle connection, so this watches the sockets: one that can be read has been closed
/// by its server, or (HTTP/2) has a ping to be answered, and is seen to at once. HTTP/2 has a `HEAD` from time to time as
/// well, which keeps the server from closing it. HTTP/1 has none, since a call that came meanwhile would find the connections
/// busy: those that the server closes are replaced. The kernel's keep-alive finds out when a peer is silently gone.
package final class WarmConnections {
    /// The pace at which connections are looked after.
    package struct Times: Sendable {
        /// Between two looks at the sockets, which ask the kernel only: for what calls have taken, and what nothing else told.
        package var look = Duration.seconds(1)
        /// Between two requests on an idle connection (HTTP/2), less up to a quarter at random.
        package var refresh = Duration.seconds(30)
        /// For the answer to a request, once there is a connection.
        package var answer = Duration.seconds(10)
        /// The pause for an origin that is down or does not keep connections. It doubles up to the longest.
        package var pauseMin = Duration.seconds(1)
        package var pauseMax = Duration.seconds(60)

        /// The times above.
        package init() {}
    }

    /// What there is to log. None of it holds a secret.
    package enum Report: Equatable, Sendable {
        /// All are open, for the first time or again.
        case ready(connections: Int)
        /// One or more could not be opened; the next attempt is so far away.
        case failed(HTTPError, again: Duration)
        /// The server answered and closed the connection.
        case notKept(again: Duration)
    }

    private let session: Session
    private let request: HTTPRequest
    private let count: Int
    private let times: Times
    private let report: (Report) -> Void
    private var timer: Timer?
    private var idle: [IdleConnection] = []
    private var trials: [Transfer] = []
    /// What went wrong with the trials that run.
    private var trouble: Trouble?
    private var pause: Pause
    private var refreshDue = Instant.distantFuture
    private var isReady = false
    /// `nil` until the first answer tells.
    private var isMultiplexed: Bool?
    /// Whether the trials that run know how many connections there have to be.
    private var wasProtocolKnown = false

    private enum Trouble { case failed(HTTPError), notKept }

    init(_ request: HTTPRequest, count: Int, _ times: Times, in session: Session, report: @escaping (Report) -> Void) {
        precondition(count > 0)
        self.session = session
        self.request = request
        self.count = count
        self.times = times
        self.report = report
        pause = Pause(shortest: times.pauseMin, longest: times.pauseMax)
        let timer = Timer(on: session.loop) { [unowned self] in look() }
        self.timer = timer
        timer.set(at: .current)
        session.idleObservers[ObjectIdentifier(self)] = { [unowned self] in changed($0) }
    }

    /// What is open stays so, for as long as its server keeps it.
    deinit {
        session.idleObservers[ObjectIdentifier(self)] = nil
        timer?.cancel()
        for trial in trials {
            trial.onEnd = nil
            trial.cancel()
        }
    }

    // MARK: Looking

    private func look() {
        guard !session.isClosed else { return }
        let hasLost = forgetLost()
        let missing = missing
        if missing > 0 {
            isReady = false
            // Calls have taken them: no reason to hold back.
            if !hasLost, trouble == nil { pause.reset() }
            begin(missing)
        } else if mustRefresh {
            begin(1)
        } else {
            pause.reset()
            timer?.set(at: .current + times.look)
        }
    }

    /// Looks at once, unless there was something to do the last time too: then the pause holds.
    private func changed(_ socket: Int32) {
        guard trials.isEmpty, pause.isShortest, idle.contains(where: { $0.socket == socket }) else { return }
        timer?.set(at: .current)
    }

    /// HTTP/2 may have a use for a connection with unread bytes, HTTP/1 has none.
    private func forgetLost() -> Bool {
        var lost: [IdleConnection] = []
        idle.removeAll { connection in
            if isIntact(connection) { return false }
            lost.append(connection)
            return true
        }
        if isMultiplexed == false { for connection in lost where connection.isOpen { connection.end() } }
        return !lost.isEmpty
    }

    /// A connection that a call uses shows by the call what becomes of it.
    private func isIntact(_ connection: IdleConnection) -> Bool {
        connection.isOpen && (session.isUsed(connection.socket) || !connection.hasUnreadBytes)
    }

    /// How many must be opened. Calls share a connection over HTTP/2; over HTTP/1 one that is in use is not ready.
    private var missing: Int {
        switch isMultiplexed {
        case nil, true?: idle.isEmpty ? 1 : 0
        case false?: max(0, count - idle.count { !session.isUsed($0.socket) })
        }
    }

    private var mustRefresh: Bool {
        guard isMultiplexed == true else { return false }
        if idle.contains(where: { session.isUsed($0.socket) }) { setRefresh() }
        return session.loop.now >= refreshDue
    }

    private func setRefresh() { refreshDue = .current + times.refresh * Double.random(in: 0.75...1) }

    // MARK: Opening

    /// Where connections cannot be shared each trial has one of its own, and takes none that is idle from a call.
    private func begin(_ number: Int) {
        var request = request
        request.isFirstOfConnection = isMultiplexed == false
        trouble = nil
        wasProtocolKnown = isMultiplexed != nil
        for _ in 0..<number {
            do {
                let trial = try session.start(request, waking: Wakeup(on: session.loop))
                trial.onEnd = { [unowned self] in ended($0, $1) }
                trials.append(trial)
            } catch {
                trouble = .failed(error)
            }
        }
        if trials.isEmpty { settle() }
    }

    /// Nothing is begun from here, where the session may be in the middle of something. Only its end cancels a trial.
    private func ended(_ trial: Transfer, _ result: Result<Int32?, HTTPError>) {
        trials.removeAll { $0 === trial }
        switch result {
        case .success(let socket?):
            add(socket, trial.connection)
            isMultiplexed = trial.isMultiplexed
        // A call uses the same connection, and libcurl does not tell its socket.
        case .success(nil) where trial.isMultiplexed: isMultiplexed = true
        case .success(nil): trouble = .notKept
        case .failure(.cancelled): return
        case .failure(let error): trouble = .failed(error)
        }
        if trials.isEmpty { settle() }
    }

    private func settle() {
        setRefresh()
        let again = wasProtocolKnown || trouble != nil ? pause.next() : .zero
        timer?.set(at: .current + again)
        switch trouble {
        case .failed(let error): report(.failed(error, again: again))
        case .notKept: report(.notKept(again: again))
        case nil where missing == 0 && !isReady:
            isReady = true
            report(.ready(connections: idle.count))
        case nil: break
        }
    }

    private func add(_ socket: Int32, _ connection: Connection?) {
        guard let connection else { return }
        idle.removeAll { $0.socket == socket }
        idle.append(IdleConnection(socket: socket, localPort: connection.localPort))
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
