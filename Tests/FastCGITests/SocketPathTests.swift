import EventLoop
@testable import FastCGI
import Foundation
import Glibc
import Synchronization
import TestSupport
import Testing

/// What others see of a unix socket's path while it comes, goes and changes hands.
@Suite(.timeLimit(.minutes(5))) struct SocketPathTests {
    @Test func `whoever finds the path is let in, from its first moment to its last`() async throws {
        let directory = try TemporaryDirectory()
        let path = directory.path("s")
        let outcomes = try observing({ Self.outcome(of: path) }) {
            for _ in 0..<1000 { _ = try ListeningSocket(.unix(path)) }
        }
        #expect(Set(outcomes.keys).isSubset(of: [0, ENOENT]), "\(outcomes)")
        #expect(try directory.names() == [])
    }

    @Test func `before it has the path a socket listens beside it, as it is to be`() throws {
        let directory = try TemporaryDirectory()
        let place = try SocketPath(directory.path("s"))
        let prepared = try place.prepare(SocketAccess(mode: 0o620))
        #expect(try directory.names() == [prepared.temporary])
        #expect(prepared.temporary.hasPrefix(".s."))
        #expect(mode(of: directory.path(prepared.temporary)) == S_IFSOCK | 0o620)
        #expect(try connects(to: directory.path(prepared.temporary)))
        withExtendedLifetime(prepared.socket.number) {}
    }

    @Test func `a dead socket is replaced in one moment`() async throws {
        let directory = try TemporaryDirectory()
        let path = directory.path("s")
        try leaveSocket(at: path)
        let outcomes = try observing({ mode(of: path) == nil ? ENOENT : 0 }) {
            for _ in 0..<1000 {
                let socket = try ListeningSocket(.unix(path))
                #expect(try directory.names() == ["s"])
                try Self.kill(socket, at: path, with: directory.path("dead"))
            }
        }
        #expect(Array(outcomes.keys) == [0], "\(outcomes)")
    }

    @Test(arguments: [false, true])
    func `of several that start at once, one has the path and the others are told`(leavesDeadSocket: Bool) async throws {
        let directory = try TemporaryDirectory()
        let path = directory.path("s")
        for _ in 0..<200 {
            if leavesDeadSocket { try leaveSocket(at: path) }
            let started = try await withThrowingTaskGroup { group in
                for _ in 0..<6 {
                    group.addTask { () -> ListeningSocket? in
                        do { return try ListeningSocket(.unix(path)) } catch ListenError.inUse { return nil }
                    }
                }
                return try await group.reduce(into: []) { $0 += $1.map { [$0] } ?? [] }
            }
            try #require(started.count == 1)
            #expect(try directory.names() == ["s"])
            let client = try connectedDescriptor(to: path)
            #expect(accept(started[0].descriptor.number, nil, nil) >= 0, "the path is the one's")
            withExtendedLifetime(client.number) {}
        }
    }

    @Test func `who has taken a living socket's place gives it back`() throws {
        let directory = try TemporaryDirectory()
        let path = directory.path("s")
        try leaveSocket(at: path)
        let first = try SocketPath(path)
        let second = try SocketPath(path)
        let winner = try first.prepare(SocketAccess())
        let loser = try second.prepare(SocketAccess())
        // Both have found the same dead one, and are about to take its place.
        guard let found = try first.deadSocket(), let foundToo = try second.deadSocket() else {
            throw SystemError("no dead socket", code: ENOENT)
        }
        let isFirst = try first.replace(found, by: winner)
        let isSecond = try second.replace(foundToo, by: loser)
        #expect(isFirst && !isSecond)
        let (files, temporary) = ([winner.file, loser.file], loser.temporary)
        #expect([path, directory.path(temporary)].map { FileStatus(notFollowing: $0)?.identity } == files)
        withExtendedLifetime((winner.socket.number, loser.socket.number)) {}
    }

    @Test func `several who have taken each other's places have their own again in the end, and the path its owner`() throws {
        for _ in 0..<20 {
            let directory = try TemporaryDirectory()
            let path = directory.path("s")
            let winner = try ListeningSocket(.unix(path))
            let owner = FileStatus(notFollowing: path)?.identity
            let losers = try (0..<3).map { _ in try Loser(path) }
            for loser in losers { #expect(loser.takePlace()) }
            // As processes do it: none keeps another from running.
            let ended = DispatchSemaphore(value: 0)
            for loser in losers {
                TestSupport.startThread("loser") {
                    loser.giveBack()
                    ended.signal()
                }
            }
            for _ in losers { ended.wait() }
            #expect(FileStatus(notFollowing: path)?.identity == owner)
            for loser in losers { #expect(loser.hasItsOwn(in: directory)) }
            withExtendedLifetime(winner) {}
        }
    }

    @Test(arguments: ["", "folder/folder", String(repeating: "f", count: 74)])
    func `all bytes that an address may have can be used`(folder: String) throws {
        let directory = try TemporaryDirectory()
        if !folder.isEmpty {
            try FileManager.default.createDirectory(atPath: directory.path(folder), withIntermediateDirectories: true)
        }
        let start = directory.path(folder.isEmpty ? "" : folder + "/")
        let path = start + String(repeating: "s", count: ListenAddress.pathBytesMax - start.utf8.count)
        for _ in 0..<2 {
            let socket = try ListeningSocket(.unix(path))
            #expect(try connects(to: path))
            #expect(mode(of: path) == S_IFSOCK | 0o660)
            try Self.kill(socket, at: path, with: directory.path("dead"))
        }
        let socket = try ListeningSocket(.unix(path))
        #expect(throws: ListenError.self) { try ListeningSocket(.unix(path)) }
        withExtendedLifetime(socket) {}
    }

    // MARK: Support

    /// Leaves a dead socket at the path of one that lives, without a moment between.
    private static func kill(_ socket: ListeningSocket, at path: String, with dead: String) throws {
        try leaveSocket(at: dead)
        _ = try SystemError.check("rename", unsafe rename(dead, path))
        withExtendedLifetime(socket) {}
    }

    /// 0 when it is let in, else what connect(2) says.
    private static func outcome(of path: String) -> Int32 {
        let client = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_NONBLOCK.rawValue), 0)
        defer { close(client) }
        return connect(client, to: path) == 0 ? 0 : errno
    }

    /// How often each outcome was seen on another thread meanwhile: at least once.
    private func observing(_ look: @escaping @Sendable () -> Int32, _ action: () throws -> Void) throws -> [Int32: Int] {
        let looking = Looking(look)
        looking.start()
        defer { _ = looking.end() }
        try action()
        return looking.end()
    }
}

/// A thread that looks at something until it is told to end.
private final class Looking: Sendable {
    private let look: @Sendable () -> Int32
    private let outcomes = Mutex<[Int32: Int]>([:])
    private let isOver = Atomic<Bool>(false)
    private let began = DispatchSemaphore(value: 0)
    private let ended = DispatchSemaphore(value: 0)

    init(_ look: @escaping @Sendable () -> Int32) { self.look = look }

    /// Returns when it has looked once.
    func start() {
        TestSupport.startThread("looking") { [self] in
            repeat {
                let outcome = look()
                outcomes.withLock { $0[outcome, default: 0] += 1 }
                began.signal()
            } while !isOver.load(ordering: .relaxed)
            ended.signal()
        }
        began.wait()
    }

    /// Returns what it has seen.
    func end() -> [Int32: Int] {
        isOver.store(true, ordering: .relaxed)
        ended.wait()
        ended.signal()
        return outcomes.withLock { $0 }
    }
}

/// One that has taken a living socket for a dead one.
private final class Loser: Sendable {
    private let place: SocketPath
    private let prepared: SocketPath.Prepared

    init(_ path: String) throws {
        place = try SocketPath(path)
        prepared = try place.prepare(SocketAccess())
    }

    func takePlace() -> Bool { place.rename(prepared, 2) }

    func giveBack() { place.giveBack(prepared) }

    func hasItsOwn(in directory: TemporaryDirectory) -> Bool {
        FileStatus(notFollowing: directory.path(prepared.temporary))?.identity == prepared.file
    }
}
