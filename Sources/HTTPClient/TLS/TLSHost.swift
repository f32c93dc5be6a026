// The name that a server's certificate must bear.

import COpenSSL

/// A host as certificates name it (RFC 9525): a DNS name, or the bytes of an address.
struct TLSHost {
    /// Without the dot that ends a name in the DNS.
    let name: String
    /// Four bytes or sixteen, in the network's order; none for a DNS name.
    private let address: [UInt8]

    init(_ host: String) throws(HTTPError) {
        name = host.utf8.last == UInt8(ascii: ".") ? String(host.dropLast()) : host
        address = SocketAddress.bytes(ofIP: name) ?? []
        guard !address.isEmpty || isName(name) else { throw .tls(reason: "no certificate can name the host") }
    }

    /// Makes a connection verify this host, and ask for it by SNI where it is a name (RFC 6066 §3).
    func check(by ssl: OpaquePointer) throws(HTTPError) {
        guard unsafe address.isEmpty ? checksName(ssl) : checksAddress(ssl) else {
            throw .tls(reason: "OpenSSL cannot check the host's name")
        }
    }

    /// Only names that the certificate has as such count, never its subject (RFC 9525 §2), and `*` only as a whole label.
    private func checksName(_ ssl: OpaquePointer) -> Bool {
        unsafe SSL_set_hostflags(ssl, UInt32(X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS | X509_CHECK_FLAG_NEVER_CHECK_SUBJECT))
        return unsafe SSL_set1_host(ssl, name) == 1 && SSL_set_tlsext_host_name(ssl, name) == 1
    }

    private func checksAddress(_ ssl: OpaquePointer) -> Bool {
        guard let parameters = unsafe SSL_get0_param(ssl) else { return false }
        return unsafe X509_VERIFY_PARAM_set1_ip(parameters, address, address.count) == 1
    }
}

/// Letters, digits, `-` and `_` between dots. To OpenSSL the empty name is any name, and one that begins with a dot any below it.
private func isName(_ name: String) -> Bool {
    guard (1...253).contains(name.utf8.count) else { return false }
    return name.utf8.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false).allSatisfy { label in
        (1...63).contains(label.count) && label.allSatisfy(isNameByte)
    }
}

private func isNameByte(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "0")...UInt8(ascii: "9"): true
    case UInt8(ascii: "-"), UInt8(ascii: "_"): true
    default: false
    }
}
