// From a host's name to a connected socket.

import Clock
import EventLoop
import Glibc

/// Makes one connection, on a loop's thread: looks the name up and tries its addresses side by side (happy eyeballs, RFC 8305).
///
/// - The next address is tried when `delay` has passed without a connection, or at once when an attempt fails.
/// - The first that connects wins, and all others are closed. The address that won goes first the next time.
/// - At most 8 attempts run at once: a ninth takes the place of the oldest. At most 32 addresses are tried.
/// - A unix socket whose listener's queue is full is tried again every 10 ms.
/// - Out of descriptors, an attempt is made once more for each that somebody gives up for it.
///
/// There is no deadline: whoever has one cancels. To let go of a dialer cancels it.
final class Dialer {
    private struct Attempt {
        let socket: StreamSocket
        let address: SocketAddress
    }

    static let attemptsMax = 8
    static let addressesMax = 32

    private let target: DialTarget
    private let resolver: Resolver
    private let nameLifetime: Duration
    private let delay: Duration
    private let acknowledgementMilliseconds: UInt32
    private let loop: EventLoop
    private let onAttempt: () -> Void
    private let giveUpDescriptor: () -> Bool
    private var completion: ((Result<StreamSocket, HTTPError>) -> Void)?
    private var lookUp: PendingLookUp?
    private var timer: Timer?
    /// Those not tried yet.
    private var addresses: ArraySlice<SocketAddress> = []
    /// Those that run, the oldest first.
    private var attempts: [Attempt] = []
    private var failures = DialFailures()

    /// - Parameters:
    ///   - nameLifetime: for how long an answer of the resolver serves.
    ///   - delay: until the next address is tried beside the last one (RFC 8305 §5, Connection Attempt Delay).
    ///   - acknowledgementMilliseconds: see `StreamSocket.setAcknowledgementTimeout(_:)`.
    ///   - onAttempt: called whenever an attempt has begun.
    ///   - giveUpDescriptor: called when the process is out of descriptors; whether one more is free for this connection now.
    ///   - completion: called once on the loop's thread, unless the dialer is cancelled before, perhaps inside `start()`. The
    ///     socket is connected, and its handler and interest are to be set. Errors: `.cannotResolve`; `.refused` when all
    ///     addresses refused; `.unreachable` with the kernel's words; `.unavailable` when the process or the machine is out of
    ///     descriptors, memory or threads; `.invalidRequest` for an impossible unix address.
    init(
        to target: DialTarget, resolver: Resolver = .shared, nameLifetime: Duration, delay: Duration = .milliseconds(250),
        acknowledgementMilliseconds: UInt32 = 0, on loop: EventLoop, onAttempt: @escaping () -> Void = {},
        giveUpDescriptor: @escaping () -> Bool = { false },
        completion: @escaping (Result<StreamSocket, HTTPError>) -> Void
    ) {
        (self.onAttempt, self.giveUpDescriptor) = (onAttempt, giveUpDescriptor)
        (self.target, self.resolver, self.nameLifetime, self.delay) = (target, resolver, nameLifetime, delay)
        (self.acknowledgementMilliseconds, self.loop, self.completion) = (acknowledgementMilliseconds, loop, completion)
    }

    deinit { cancel() }

    /// Whether it waits for a name, or will try another address by itself.
    var goesOn: Bool { lookUp != nil || timer?.isSet == true }

    /// To be called once.
    func start() {
        do throws(HTTPError) {
            switch target {
            case .host(let host, let port): lookUp(host, port: port)
            case .unix(let path): dial([try SocketAddress(path: path)])
            case .abstract(let name): dial([try SocketAddress(abstractName: name)])
            }
        } catch {
            finish(.failure(error))
        }
    }

    /// The completion is not called after this, and nothing is left: no look-up, socket or timer.
    func cancel() {
        completion = nil
        lookUp?.cancel()
        timer?.cancel()
        for attempt in attempts { attempt.socket.close() }
        (lookUp, timer, attempts, addresses) = (nil, nil, [], [])
    }

    private func finish(_ result: Result<StreamSocket, HTTPError>) {
        let completion = completion
        cancel()
        completion?(result)
    }

    // MARK: Addresses

    private func lookUp(_ host: String, port: UInt16) {
        let answer = resolver.addresses(of: host, lifetime: nameLifetime, on: loop) { [unowned self] result in
            lookUp = nil
            switch result {
            case .success(let addresses): dial(addresses, of: host, port: port)
            case .failure(let error): finish(.failure(error))
            }
        }
        switch answer {
        case .known(let addresses): dial(addresses, of: host, port: port)
        case .failed(let error): finish(.failure(error))
        case .pending(let lookUp): self.lookUp = lookUp
        }
    }

    private func dial(_ addresses: [SocketAddress], of host: String, port: UInt16) {
        let preferred = addresses.count > 1 ? resolver.preferredAddress(of: host) : nil
        dial(addresses.interleaved(preferring: preferred).map { $0.with(port: port) })
    }

    private func dial(_ addresses: [SocketAddress]) {
        self.addresses = addresses.prefix(Self.addressesMax)
        tryNext()
    }

    // MARK: Attempts

    /// Begins the next attempt that does not fail at once.
    private func tryNext() {
        while let address = addresses.popFirst() {
            if begin(address) { return }
        }
        if attempts.isEmpty { finish(.failure(failures.error)) }
    }

    /// Whether the attempt has won or is under way.
    private func begin(_ address: SocketAddress) -> Bool {
        makeRoom()
        do {
            return begun(Attempt(socket: try openSocket(to: address), address: address))
        } catch {
            if error.code == EAGAIN, !address.isIP {
                tryAgain(address)
                return true
            }
            failures.note(error.code)
            return false
        }
    }

    private func openSocket(to address: SocketAddress) throws(SystemError) -> StreamSocket {
        while true {
            do throws(SystemError) {
                return try StreamSocket(
                    connectingTo: address, acknowledgementMilliseconds: acknowledgementMilliseconds, on: loop)
            } catch {
                guard error.isOutOfDescriptors, giveUpDescriptor() else { throw error }
            }
        }
    }

    private func begun(_ attempt: Attempt) -> Bool {
        let socket = attempt.socket
        if socket.isConnectedAtOnce { return hasWon(attempt) }
        socket.handler = { [unowned self, unowned socket] _ in heard(of: socket) }
        attempts.append(attempt)
        onAttempt()
        if !addresses.isEmpty { setTimer(after: delay) }
        return true
    }

    /// The oldest has had its time: `attemptsMax` delays.
    private func makeRoom() {
        guard attempts.count >= Self.attemptsMax else { return }
        attempts.removeFirst().socket.close()
        failures.note(ETIMEDOUT)
    }

    private func tryAgain(_ address: SocketAddress) {
        addresses = [address]
        setTimer(after: .milliseconds(10))
    }

    private func setTimer(after duration: Duration) {
        let timer = timer ?? Timer(on: loop) { [unowned self] in tryNext() }
        self.timer = timer
        timer.set(at: .current + duration)
    }

    private func heard(of socket: StreamSocket) {
        guard let index = attempts.firstIndex(where: { $0.socket === socket }) else { return }
        if !hasWon(attempts.remove(at: index)) { tryNext() }
    }

    private func hasWon(_ attempt: Attempt) -> Bool {
        let code = attempt.socket.connectionError()
        guard code == 0 else {
            failures.note(code)
            return false
        }
        attempt.socket.handler = { _ in }
        attempt.socket.setInterest([])
        if case .host(let host, _) = target { resolver.prefer(attempt.address, of: host) }
        finish(.success(attempt.socket))
        return true
    }
}

extension SystemError {
    /// The process, or the machine.
    fileprivate var isOutOfDescriptors: Bool { code == EMFILE || code == ENFILE }
}
