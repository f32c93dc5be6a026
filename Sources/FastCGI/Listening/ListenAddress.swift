// Where the web server finds Sluice.

import EventLoop

/// An address to listen on, as settings spell it.
package enum ListenAddress: Equatable, Sendable, CustomStringConvertible {
    /// `unix:PATH`
    case unix(String)
    /// `tcp:HOST:PORT`; an IPv6 host stands in brackets.
    case tcp(host: String, port: UInt16)
    /// `fd:NUMBER`: a listening socket that the parent process passed on, as spawn-fcgi and lighttpd do with 0.
    case inherited(Int32)
    /// `systemd`: all listening sockets of the socket units that started this process; `systemd:NAME`: those of that
    /// `FileDescriptorName=`.
    case systemd(name: String?)

    /// The longest path that a socket's address holds.
    package static let pathBytesMax = UnixAddress.pathBytesMax

    /// - Throws: `ListenAddressError` that says what is wrong with `text`.
    package init(_ text: String) throws(ListenAddressError) {
        if text == "systemd" {
            self = .systemd(name: nil)
            return
        }
        guard let colon = text.firstIndex(of: ":") else {
            throw ListenAddressError(text, "has no scheme", meant: Self.meant(byPlain: text))
        }
        let rest = String(text[text.index(after: colon)...])
        switch text[..<colon] {
        case "unix": self = .unix(try Self.path(rest, of: text))
        case "tcp": self = try Self.tcp(rest, of: text)
        case "fd":
            guard let number = Int32(digits: rest) else { throw ListenAddressError(text, "has no descriptor number") }
            self = .inherited(number)
        case "systemd":
            guard Self.isDescriptorName(rest) else { throw ListenAddressError(text, "has no name of a descriptor") }
            self = .systemd(name: rest)
        default:
            let meant = Self.meant(byPlain: text)
            throw ListenAddressError(text, meant == nil ? "has an unknown scheme" : "has no scheme", meant: meant)
        }
    }

    /// What somebody means who writes addresses as php-fpm does: a path, a port, or an address of IP and a port. Nil for all else.
    private static func meant(byPlain text: String) -> ListenAddress? {
        let isPath = text.utf8.first == UInt8(ascii: "/")
        let place = isPath ? "unix:\(text)" : UInt16(digits: text) == nil ? "tcp:\(text)" : "tcp:127.0.0.1:\(text)"
        do throws(ListenAddressError) {
            let address = try ListenAddress(place)
            // A name and a number behind a colon may be anything else.
            guard case .tcp(let host, _) = address, IPAddress(host) == nil, !isLocalName(host) else { return address }
        } catch {
            // Neither with a scheme.
        }
        return nil
    }

    /// The path of a control socket, for which `unix:PATH` is the only form.
    ///
    /// - Throws: `ListenAddressError` that says what is wrong with `text`.
    package static func controlPath(_ text: String) throws(ListenAddressError) -> String {
        let forms = "use unix:PATH"
        do throws(ListenAddressError) {
            if case .unix(let path) = try ListenAddress(text) { return path }
        } catch {
            let meant: ListenAddress? = if case .unix? = error.meant { error.meant } else { nil }
            throw ListenAddressError(text, error.reason, forms: forms, meant: meant)
        }
        throw ListenAddressError(text, "is no path of a socket", forms: forms)
    }

    private static func path(_ path: String, of text: String) throws(ListenAddressError) -> String {
        guard !path.isEmpty else { throw ListenAddressError(text, "names no path") }
        guard path.utf8.count <= pathBytesMax else {
            throw ListenAddressError(text, "has a path of more than \(pathBytesMax) bytes")
        }
        guard !path.utf8.contains(0) else { throw ListenAddressError(text, "has a NUL in its path") }
        guard path.utf8.last != UInt8(ascii: "/") else { throw ListenAddressError(text, "names a folder") }
        // In place of bytes that are no text: nobody would find the socket at the path that this is.
        guard !path.unicodeScalars.contains("\u{FFFD}") else { throw ListenAddressError(text, "has a path that is not UTF-8") }
        return path
    }

    private static func tcp(_ place: String, of text: String) throws(ListenAddressError) -> ListenAddress {
        guard let last = place.lastIndex(of: ":") else { throw ListenAddressError(text, "needs a host and a port") }
        var host = place[..<last]
        if host.hasPrefix("[") && host.hasSuffix("]") {
            host = host.dropFirst().dropLast()
        } else if host.contains(":") {
            throw ListenAddressError(text, "needs brackets around its IPv6 host")
        }
        guard !host.isEmpty else { throw ListenAddressError(text, "needs a host and a port") }
        guard let port = UInt16(digits: place[place.index(after: last)...]) else {
            throw ListenAddressError(text, "has no port from 0 to 65535")
        }
        return .tcp(host: String(host), port: port)
    }

    /// The address as settings spell it, so that `init(_:)` reads it back.
    package var description: String {
        switch self {
        case .unix(let path): "unix:\(path)"
        case .tcp(let host, let port): host.contains(":") ? "tcp:[\(host)]:\(port)" : "tcp:\(host):\(port)"
        case .inherited(let number): "fd:\(number)"
        case .systemd(nil): "systemd"
        case .systemd(let name?): "systemd:\(name)"
        }
    }

    /// Whether other machines may connect, as far as its text tells: a name may be any machine's, and what is passed on is known when it
    /// is there.
    package var isOpenToOthers: Bool {
        guard case .tcp(let host, _) = self, !Self.isLocalName(host) else { return false }
        return IPAddress(host)?.isLoopback != true
    }

    private static func isLocalName(_ host: String) -> Bool { host.utf8.elementsEqual("localhost".utf8) }

    /// What `FileDescriptorName=` takes (systemd.socket(5)).
    private static func isDescriptorName(_ text: String) -> Bool {
        (1...255).contains(text.utf8.count) && text.utf8.allSatisfy { 0x20...0x7E ~= $0 && $0 != UInt8(ascii: ":") }
    }
}

extension FixedWidthInteger {
    /// Digits alone: integers also take a sign.
    init?(digits text: some StringProtocol) {
        guard text.utf8.allSatisfy({ 48...57 ~= $0 }) else { return nil }
        self.init(text, radix: 10)
    }
}

/// A listen address that cannot be used.
package struct ListenAddressError: Error, Equatable, CustomStringConvertible {
    /// The address as it was given.
    package let text: String
    /// What is wrong with it, to follow it.
    package let reason: String
    /// What may be written.
    private let forms: String
    /// What was probably to be written.
    fileprivate let meant: ListenAddress?

    init(_ text: String, _ reason: String, forms: String = forms, meant: ListenAddress? = nil) {
        (self.text, self.reason, self.forms, self.meant) = (text, reason, forms, meant)
    }

    /// The address, what is wrong with it and what to write instead, for the log.
    package var description: String { "listen address '\(text)' \(advice)" }

    /// What is wrong and what to write instead, without the text itself but for a plain address: to follow the name of a setting.
    package var advice: String { "\(reason); \(forms)\(meant.map { "; did you mean \"\($0)\"?" } ?? "")" }

    /// What may be written.
    package static let forms = "use unix:PATH, tcp:HOST:PORT, fd:NUMBER, systemd or systemd:NAME"
}
