import EventLoop
@testable import FastCGI
import Glibc
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(5))) struct AllowedUsersTests {
    @Test(arguments: [[], [ownNumber], ["1", "2", ownNumber]] + userName(geteuid()).map { [$0] })
    func `an allowed user is served, and without a list everybody is`(users: [String]) async throws {
        try await LoopActor.run { worker in
            let directory = try TemporaryDirectory()
            let path = directory.path("s")
            let socket = try ListeningSocket(.unix(path), access: SocketAccess(allowedUsers: users))
            let wakeup = Wakeup(on: worker.loop)
            var refusals: [ConnectionRefusal] = []
            let listener = Listener(socket, on: worker.loop, onRefusal: { refusals.append($0) }) { _ in wakeup.wake() }
            let client = try connectedDescriptor(to: path)
            await wakeup.wait()
            #expect(refusals == [])
            listener.close()
            withExtendedLifetime(client.number) {}
        }
    }

    /// Who runs the tests is not on the list, and root is nobody special.
    @Test(arguments: [[strangerNumber], [strangerNumber, "4000000000"]], [false, true])
    func `another user is let go at once, each time`(users: [String], isInherited: Bool) async throws {
        try await LoopActor.run { worker in
            let directory = try TemporaryDirectory()
            let path = directory.path("s")
            let access = SocketAccess(allowedUsers: users)
            let socket =
                if isInherited {
                    try ListeningSocket(.inherited(#require(try leaveSocket(at: path, backlog: 5).first)), access: access)
                } else {
                    try ListeningSocket(.unix(path), access: access)
                }
            var refusals: [ConnectionRefusal] = []
            var accepted = 0
            let listener = Listener(socket, on: worker.loop, onRefusal: { refusals.append($0) }) { _ in accepted += 1 }
            for _ in 0..<2 {
                let peer = Peer(try connectedDescriptor(to: path), on: worker.loop)
                #expect(try await peer.waitForEnd(), "it is told nothing")
            }
            #expect(refusals == Array(repeating: .peerNotAllowed(userID: geteuid()), count: 2))
            #expect(accepted == 0)
            listener.close()
        }
    }
}

private let ownNumber = String(geteuid())
private let strangerNumber = String(geteuid() + 1)

/// None when the number has no name, as in a container.
private func userName(_ number: uid_t) -> [String] {
    unsafe getpwuid(number).map { unsafe [String(cString: $0.pointee.pw_name)] } ?? []
}
