// How many connections wait in the kernel to be accepted.

import CLinux
import EventLoop
import Glibc

extension ListeningSocket {
    /// The kernel's queue of a listening socket.
    package struct Queue: Equatable, Sendable {
        /// How many connections are in it.
        package let count: Int
        /// How many it takes.
        package let countMax: Int

        package init(count: Int, countMax: Int) { (self.count, self.countMax) = (count, countMax) }
    }

    /// What the kernel tells of its queue; nil where it does not, or nothing lets one ask.
    ///
    /// Not for loops: the first time, the kernel may have to load what answers.
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
        var file = stat()
        guard unsafe fstat(descriptor.number, &file) == 0 else { return nil }
        let type = Int32(SOCK_RAW.rawValue) | Int32(SOCK_CLOEXEC.rawValue)
        let number = socket(AF_NETLINK, type, NETLINK_SOCK_DIAG)
        guard number >= 0 else { return nil }
        let kernel = Descriptor(owning: number)
        let question = Self.question(socket: UInt32(truncatingIfNeeded: file.st_ino))
        guard unsafe send(kernel.number, question, question.count, Int32(MSG_DONTWAIT)) == question.count else { return nil }
        var answer = [UInt8](repeating: 0, count: 4096)
        let count = unsafe recv(kernel.number, &answer, answer.count, Int32(MSG_DONTWAIT))
        return count > 0 ? Self.queue(in: answer[..<count]) : nil
    }

    /// Asks for one socket by its file's number.
    private static func question(socket number: UInt32) -> [UInt8] {
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
