// How much the peer of a socket has not read yet.

import Glibc

extension Socket {
    /// Whether the peer, a process of this machine, has read all that was sent over this TCP connection of 127.0.0.1.
    ///
    /// - Throws: when the kernel does not tell.
    func peerHasReadAll() throws -> Bool {
        let netlink = try Socket.diagnosis()
        let (here, there) = (port, peerPort)
        // What is not acknowledged has not arrived in the peer's queue yet.
        guard try netlink.queues(of: here, connectedTo: there).sent == 0 else { return false }
        return try netlink.queues(of: there, connectedTo: here).received == 0
    }

    private var peerPort: UInt16 {
        var address = sockaddr_in()
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        _ = unsafe withUnsafeMutablePointer(to: &address) { address in
            unsafe address.withMemoryRebound(to: sockaddr.self, capacity: 1) { unsafe getpeername(fileDescriptor, $0, &length) }
        }
        return UInt16(bigEndian: address.sin_port)
    }

    /// For sock_diag(7).
    private static func diagnosis() throws -> Socket {
        let descriptor = socket(AF_NETLINK, Int32(SOCK_RAW.rawValue | SOCK_CLOEXEC.rawValue), 4)
        guard descriptor >= 0 else { throw SystemError("socket") }
        return Socket(descriptor)
    }

    /// How many bytes an end of a TCP connection has received and nobody has read, and has sent and the other has not acknowledged.
    private func queues(of port: UInt16, connectedTo peer: UInt16) throws -> (received: UInt32, sent: UInt32) {
        // The header of a netlink message, then struct inet_diag_req_v2.
        let loopback: [UInt8] = [127, 0, 0, 1] + Array(repeating: 0, count: 12)
        var request: [UInt8] = []
        request += bytes(of: UInt32(72))
        for half: UInt16 in [20, 1] { request += bytes(of: half) }
        for word: UInt32 in [1, 0] { request += bytes(of: word) }
        request += [UInt8(AF_INET), UInt8(IPPROTO_TCP), 0, 0]
        request += bytes(of: UInt32.max)
        request += bytes(of: port.bigEndian)
        request += bytes(of: peer.bigEndian)
        request += loopback + loopback
        for word: UInt32 in [0, .max, .max] { request += bytes(of: word) }
        try write(request)
        let answer = try read()
        // Another type is an error: there is no such connection any more.
        guard answer.count >= 80, answer[4] == 20 else { return (0, 0) }
        return (number(answer[72..<76]), number(answer[76..<80]))
    }
}

/// In this machine's order.
private func bytes(of number: some FixedWidthInteger) -> [UInt8] { unsafe withUnsafeBytes(of: number) { unsafe Array($0) } }

private func number(_ bytes: ArraySlice<UInt8>) -> UInt32 {
    unsafe Array(bytes).withUnsafeBytes { unsafe $0.load(as: UInt32.self) }
}
