// Whatever stands where an address is to be: URLs, proxies, the list of hosts without one, and where to listen.

import FastCGI
@testable import HTTPClient
@testable import Settings
@testable import Sluice

/// Lines of the input are what is looked at, one after another.
func feedAddresses(_ input: [UInt8]) {
    let lines = input.split(separator: UInt8(ascii: "\n"), maxSplits: 3, omittingEmptySubsequences: false).map { text($0) }
    guard lines.count > 1 else { return }
    checkListenAddress(lines[0])
    checkBaseURL(lines[0])
    checkForeignURL(lines[0], lines[1])
    let environment = ProxyEnvironment { name in
        switch name {
        case "https_proxy", "http_proxy": lines[1]
        case "no_proxy": lines.count > 2 ? lines[2] : nil
        default: nil
        }
    }
    guard let origin = checkedOrigin(lines[0]) else { return }
    do throws(HTTPError) {
        guard let proxy = try environment.proxy(for: origin) else { return }
        require(!proxy.host.isEmpty && proxy.port > 0, "a proxy that is none")
        require(ProxyExceptions("*").contain(origin), "* does not mean everything")
        // No name is left of dots alone.
        if origin.host.contains(where: { $0 != "." }) {
            require(ProxyExceptions(origin.hostWithoutZone).contain(origin), "a host does not mean itself")
        }
    } catch {
        require(!error.description.contains(lines[1]) || lines[1].utf8.count < 8, "a proxy is quoted")
    }
}

private func checkedOrigin(_ line: String) -> Origin? {
    do throws(HTTPError) {
        let url = try RequestURL(line)
        let plain = Array("\(url.origin.url)\(url.target)".utf8)
        require(plain.allSatisfy { $0 > 0x20 && $0 < 0x7F }, "a byte that may be in no URL")
        require(url.target.hasPrefix("/"), "a target without slash")
        require((1...511).contains(url.origin.host.utf8.count), "a host of \(url.origin.host.utf8.count) bytes")
        if url.authorization == nil, !url.origin.host.contains("%") {
            let again = try RequestURL(text(plain))
            require(again.origin == url.origin && again.target == url.target, "\(text(plain)) is another URL")
        }
        return url.origin
    } catch {
        return nil
    }
}

/// One that is asked is at the one host that is allowed.
private func checkForeignURL(_ line: String, _ allowed: String) {
    guard let known = AllowedHost(allowed) else { return }
    require(known.description == allowed, "another host is allowed")
    do throws(HTTPRequest.URLRefusal) {
        require(try HTTPRequest.allowedHost(ofForeign: line, among: [known]).entry == known, "it is allowed by another")
        require(line.hasPrefix("https://"), "a URL without TLS")
        guard !allowed.contains(":"), let host = checkedOrigin(line)?.host else { return }
        let name = allowed.lowercased()
        let isAllowed = name.hasPrefix("*.") ? host.hasSuffix(name.dropFirst()) && host.count >= name.count : host == name
        require(isAllowed, "\(host) is not \(allowed)")
    } catch {
        require(!error.description.isEmpty, "nothing is said")
    }
}

private func checkListenAddress(_ line: String) {
    do throws(ListenAddressError) {
        let address = try ListenAddress(line)
        let again = try ListenAddress(address.description)
        require(again == address, "\(address) is not \(again)")
    } catch {
        require(error.text == line, "\(error) of what was not given")
    }
}

private func checkBaseURL(_ line: String) {
    do throws(UpstreamURLError) {
        let url = try UpstreamSettings.checkedURL(line)
        let again = try UpstreamSettings.checkedURL(url)
        require(again == url, "\(url) is not \(again)")
    } catch {
        require(!error.description.isEmpty, "nothing is said")
    }
}
