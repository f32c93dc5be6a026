// How many connections wait in the kernel to be accepted.

import CLinux
import Clock
import EventLoop
import Glibc
import Synchronization

extension ListeningSocket {
    /// The kernel's queue of a listening socket.
    package struct Queue: Equatable, Sendable {
        /// How many connections are in it.
        package let count: Int
        /// How many it takes.
        package let countMax: Int

        package init(count: Int, countMax: Int) { (self.count, self.countMax) = (count, countMax) }
    }

    /// The most connections that this process has found waiting when it came to accept them, looking once a second, or was asked; nil where
    /// the kernel does not tell.
    package var queueMax: Int? {
        let count = waitingMax.load(ordering: .relaxed)
        return count < 0 ? nil : count
    }

    /// Looks whether more wait than ever before.
    func noteQueue() { if let count = queue?.count { _ = waitingMax.max(count, ordering: .relaxed) } }

    /// The same when the last look is a second ago. The kernel goes over all unix sockets of the machine to answer.
    func noteQueue(at now: Instant) {
        let next = nextLook.load(ordering: .relaxed)
        guard now.nanoseconds >= next else { return }
        let later = now.nanoseconds + Duration.seconds(1).nanoseconds
        if nextLook.compareExchange(expected: next, desired: later, ordering: .relaxed).exchanged { noteQueue() }
    }

    /// What the kernel tells of its queue; nil where it does not, or nothing lets one ask.
    ///
    /// Before `prepareQueues` not for loops: the first time, the kernel may have to load what answers.
    package var queue: Queue? { isTCP ? tcpQueue : unixQueue }

    /// tcp(7), `TCP_INFO`: of a listening socket two members of it have another meaning than their names.
    private var tcpQueue: Queue? {
        var info = tcp_info()
        var size = socklen_t(MemoryLayout<tcp_info>.size)
        guard unsafe getsockopt(descriptor.number, Int32(IPPROTO_TCP), TCP_INFO, &info, &size) == 0 else { return nil }
        return Queue(count: Int(info.tcpi_unacked), countMax: Int(info.tcpi_sacked))
    }

    /// sock_diag(7)
    private var unixQueue: Queue? {
        guard let file = FileStatus(descriptor.number)?.identity else { return nil }
        let number = UInt32(truncatingIfNeeded: file.inode)
        return Self.diagnostics.withLock { diagnostics in
            guard let kernel = diagnostics.descriptor?.number else { return nil }
            diagnostics.question &+= 1
            let question = Self.question(diagnostics.question, socket: number)
            guard unsafe send(kernel, question, question.count, Int32(MSG_DONTWAIT)) == question.count else { return nil }
            var answer = [UInt8](repeating: 0, count: 4096)
            while true {
                let count = unsafe recv(kernel, &answer, answer.count, Int32(MSG_DONTWAIT))
                guard count > 0 else { return nil }
                // Or one that nobody waited for.
                if Self.questionAnswered(by: answer[..<count]) == diagnostics.question { return Self.queue(in: answer[..<count]) }
            }
        }
    }

    /// Where the kernel is asked, and which question was the last.
    private struct Diagnostics: ~Copyable {
        var descriptor: Descriptor?
        var question: UInt32 = 0
    }

    /// Kept, since the queue is long when there are no descriptors left.
    private static let diagnostics: Mutex<Diagnostics> = {
        let number = socket(AF_NETLINK, Int32(SOCK_RAW.rawValue) | Int32(SOCK_CLOEXEC.rawValue), NETLINK_SOCK_DIAG)
        return Mutex(Diagnostics(descriptor: number < 0 ? nil : Descriptor(owning: number)))
    }()

    /// Takes the descriptor that it needs from now on, and has the kernel load what answers.
    package static func prepareQueues(of sockets: [ListeningSocket]) {
        diagnostics.withLock { _ in }
        for socket in sockets { socket.noteQueue() }
    }

    /// nlmsghdr's `nlmsg_seq`.
    private static func questionAnswered(by message: ArraySlice<UInt8>) -> UInt32? {
        guard message.count >= MemoryLayout<nlmsghdr>.size else { return nil }
        return unsafe message.withUnsafeBytes { unsafe $0.loadUnaligned(fromByteOffset: 8, as: UInt32.self) }
    }

    /// Asks for one socket by its file's number.
    private static func question(_ question: UInt32, socket number: UInt32) -> [UInt8] {
        var request = unix_diag_req()
        request.sdiag_family = UInt8(AF_UNIX)
        request.udiag_states = .max
        request.udiag_ino = number
        request.udiag_show = UInt32(UDIAG_SHOW_RQLEN)
        request.udiag_cookie = (.max, .max)
        var header = nlmsghdr()
        header.nlmsg_len = UInt32(MemoryLayout<nlmsghdr>.size + MemoryLayout<unix_diag_req>.size)
        header.nlmsg_type = UInt16(SOCK_DIAG_BY_FAMILY)
        header.nlmsg_flags = UInt16(NLM_F_REQUEST)
        header.nlmsg_seq = question
        return unsafe withUnsafeBytes(of: header) { unsafe Array($0) } + withUnsafeBytes(of: request) { unsafe Array($0) }
    }

    /// The message's attribute that has two numbers: of a listening socket these.
    private static func queue(in message: ArraySlice<UInt8>) -> Queue? {
        // As the machine has them: this never leaves it.
        func load<Number: BitwiseCopyable>(_ place: Int, as type: Number.Type) -> Number {
            unsafe message.withUnsafeBytes { unsafe $0.loadUnaligned(fromByteOffset: place, as: type) }
        }
        func word(_ place: Int) -> Int { Int(load(place, as: UInt16.self)) }
        func number(_ place: Int) -> Int { Int(load(place, as: UInt32.self)) }
        var place = MemoryLayout<nlmsghdr>.size + MemoryLayout<unix_diag_msg>.size
        guard message.count >= place, word(4) == SOCK_DIAG_BY_FAMILY else { return nil }
        while place + 12 <= message.count {
            let size = word(place)
            if word(place + 2) == UNIX_DIAG_RQLEN, size >= 12 {
                return Queue(count: number(place + 4), countMax: number(place + 8))
            }
            guard size >= 4 else { return nil }
            // Attributes begin at multiples of four.
            place += (size + 3) & ~3
        }
        return nil
    }
}
