// The socket calls that FastCGI alone needs, one line of C each.

import CLinux
import EventLoop
import Glibc

extension Descriptor {
    /// What may be written once the kernel has said that the socket is writable.
    ///
    /// A unix socket says so when three quarters of its send buffer are free, TCP when a third is; and the kernel may
    /// take up to twice what is written, because it counts its own rounding too.
    var writableBytes: Int {
        var size: Int32 = 0
        var length = socklen_t(MemoryLayout<Int32>.size)
        let result = unsafe getsockopt(number, SOL_SOCKET, SO_SNDBUF, &size, &length)
        return result == 0 ? min(64 << 10, Int(size) / 6) : 0
    }

    /// Whether a write of `writableBytes` cannot block now.
    var isWritable: Bool {
        var query = pollfd(fd: number, events: Int16(POLLOUT), revents: 0)
        return unsafe poll(&query, 1, 0) == 1 && query.revents & Int16(POLLOUT) != 0
    }

    /// How much of what was written the peer has not taken, as the kernel counts it; by TCP, how much the peer's kernel has not. 0 when it
    /// is not known.
    var untakenBytes: Int {
        var count: Int32 = 0
        return unsafe ioctl(number, UInt(TIOCOUTQ), &count) == 0 ? Int(count) : 0
    }

    /// The process at the other end of this unix socket: who connected it, or who listens there. The numbers are the largest, nobody's,
    /// and 0 for the process, when they are not known.
    var peer: ucred {
        var peer = ucred(pid: 0, uid: .max, gid: .max)
        var length = socklen_t(MemoryLayout<ucred>.size)
        _ = unsafe getsockopt(number, SOL_SOCKET, SO_PEERCRED, &peer, &length)
        return peer
    }

    func shutDown() { _ = shutdown(number, Int32(SHUT_RDWR)) }

    func set(_ level: Int32, _ option: Int32, to value: Int32) throws(SystemError) {
        var value = value
        let size = socklen_t(MemoryLayout<Int32>.size)
        _ = try SystemError.check("setsockopt", unsafe setsockopt(number, level, option, &value, size))
    }
}
