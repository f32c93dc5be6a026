// A resolver's answers, given by the test.

import Clock
import EventLoop
import Synchronization
import TestSupport

@testable import HTTPClient

/// The answers of a resolver of a test's own: which, and when.
final class Names: Sendable {
    let calls = Observed<[String]>([])
    let time = Mutex(Instant(nanoseconds: 1_000_000_000))
    private let answers: Mutex<[NameAnswer]>
    private let isHeld: Observed<Bool>
    private let turnstile = Turnstile()

    /// - Parameter answers: the last is given again and again.
    init(_ answers: [NameAnswer], isHeld: Bool = false) {
        self.answers = Mutex(answers)
        self.isHeld = Observed(isHeld)
    }

    func resolver(threadsMax: Int = 16, namesMax: Int = 1_000) -> Resolver {
        Resolver(
            threadsMax: threadsMax, idleTime: .milliseconds(20), namesMax: namesMax, now: { self.time.withLock { $0 } },
            answer: { self.answer($0) })
    }

    private func answer(_ host: String) -> NameAnswer {
        calls.update { $0.append(host) }
        if isHeld.value { turnstile.pass() }
        return answers.withLock { $0.count > 1 ? $0.removeFirst() : $0[0] }
    }

    func advance(by duration: Duration) { time.withLock { $0 = $0 + duration } }
    func hold() { isHeld.update { $0 = true } }
    func open(_ count: Int) { for _ in 0..<count { turnstile.open() } }
}

let firstAnswer = NameAnswer.addresses(addresses("192.0.2.1"))
let secondAnswer = NameAnswer.addresses(addresses("192.0.2.2"))
func addresses(_ numeric: String) -> [SocketAddress] { [SocketAddress(numeric: numeric, port: 0)].compactMap { $0 } }

/// What is known at once; `nil` when that is nothing.
func known(_ resolver: Resolver, _ loop: EventLoop, _ host: String = "name") -> [SocketAddress]? {
    let answer = resolver.addresses(of: host, lifetime: .seconds(60), on: loop) { _ in }
    return if case .known(let addresses) = answer { addresses } else { nil }
}
