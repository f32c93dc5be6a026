// What is logged of the sockets that web servers connect to.

import EventLoop
import FastCGI
import Logging
import Settings

extension Logger {
    /// What of the settings has no meaning for some of the sockets, and what they leave out.
    ///
    /// - Parameter unserved: the names of systemd's sockets that nobody listens to.
    func listens(_ settings: Settings, _ sockets: [ListeningSocket], unserved: [String]) {
        if !unserved.isEmpty {
            warning(
                "sockets of systemd are not served: listen leaves them out",
                metadata: ["names": "\(unserved.joined(separator: ", "))"])
        }
        let access = settings.socket
        let open = access.allowedAddresses == nil ? sockets.filter(\.isTCP) : []
        if !access.allowedUsers.isEmpty, !open.isEmpty {
            warning(
                "socket.allowed_users does not hold for TCP: whoever reaches these addresses may call",
                metadata: ["listen": "\(open.map(\.address).listed)"])
        }
        // Of addresses that the settings spell out, they have told themselves.
        let passed = sockets.filter { if case .inherited = $0.address { $0.isOpenToOthers } else { false } }
        if !passed.isEmpty {
            warning(
                "sockets that were passed on are open to other machines: allowed_addresses says who may call",
                metadata: ["listen": "\(passed.map(\.name).joined(separator: ", "))"])
        }
        if access.allowedAddresses != nil, !sockets.contains(where: \.isTCP) {
            warning(
                "allowed_addresses does not hold: listen names no address of TCP",
                metadata: ["listen": "\(settings.listen.listed)"])
        }
        let hasPath = settings.listen.contains { if case .unix = $0 { true } else { false } }
        if !hasPath, access.mode != SocketAccess().mode || access.group != nil {
            warning(
                "socket.mode and socket.group do not hold: listen names no unix:PATH, and the others' makers say who may connect",
                metadata: ["listen": "\(settings.listen.listed)"])
        }
    }

    /// - Parameter times: since the last such line.
    func acceptFailed(_ error: SystemError, times: Int) {
        warning(
            "no connection could be accepted: they wait until there is room",
            metadata: ["reason": "accept failed: \(error.reason)", "times": .stringConvertible(times)])
    }
}

extension [ListenAddress] {
    /// As one text.
    var listed: String { map(\.description).joined(separator: ", ") }
}
