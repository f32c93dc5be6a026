// A connection of libcurl's that no transfer uses, seen from outside.

import Glibc

/// A socket that libcurl keeps open, and closes without a word.
///
/// Its number may serve something else by then: the port tells.
struct IdleConnection {
    let socket: Int32
    let localPort: Int32

    var isOpen: Bool {
        // The port stands at the same place as in `sockaddr_in`.
        var address = sockaddr_in6()
        var length = socklen_t(MemoryLayout<sockaddr_in6>.size)
        let result = unsafe withUnsafeMutablePointer(to: &address) { pointer in
            unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { unsafe getsockname(socket, $0, &length) }
        }
        let isInternet = [sa_family_t(AF_INET), sa_family_t(AF_INET6)].contains(address.sin6_family)
        return result == 0 && isInternet && Int32(UInt16(bigEndian: address.sin6_port)) == localPort
    }

    /// Something came that nobody asked for, the end among others.
    var hasUnreadBytes: Bool {
        var polled = pollfd(fd: socket, events: Int16(POLLIN), revents: 0)
        return unsafe poll(&polled, 1, 0) > 0
    }

    /// Lets libcurl find it closed, and so close it, before it next looks for a connection. With a TLS alert unread
    /// libcurl (7.88) takes a connection that its server has closed for a good one, and would give it to a call.
    func end() {
        var bytes = [UInt8](repeating: 0, count: 4096)
        while unsafe recv(socket, &bytes, bytes.count, Int32(MSG_DONTWAIT)) > 0 {}
        _ = shutdown(socket, Int32(SHUT_RDWR))
    }
}
