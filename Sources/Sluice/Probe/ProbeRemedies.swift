// What to do about an answer that did not come.

import HTTPClient

/// What is wrong with a server's TLS, by the words that the HTTP client has for it. They are read here alone.
enum TLSProblem: Sendable {
    case expired, otherName, unknownIssuer
    /// The certificate, for another reason.
    case certificate
    /// This machine trusts nobody.
    case noAuthorities
    case noTLS
    /// No version of HTTP that was asked for.
    case noVersion
    /// The handshake, for another reason.
    case handshake

    /// The first that fits is the one.
    private static let beginnings: [(words: String, problem: TLSProblem)] = [
        ("the certificate has expired", .expired), ("the certificate is for another name", .otherName),
        ("the certificate is self-signed", .unknownIssuer), ("the certificate's issuer is not trusted", .unknownIssuer),
        ("the certificate", .certificate), ("a key in the certificate", .certificate),
        ("an issuer in the certificate", .certificate), ("no trusted authorities were found", .noAuthorities),
        ("the server speaks no TLS", .noTLS), ("the server speaks none of the versions of HTTP", .noVersion),
    ]

    /// - Parameter reason: of an `HTTPError.tls`.
    init(_ reason: String) {
        self = Self.beginnings.first { reason.utf8.starts(with: $0.words.utf8) }?.problem ?? .handshake
    }

    /// Whether there is TLS, with a certificate that was not taken.
    var isOfCertificate: Bool {
        switch self {
        case .expired, .otherName, .unknownIssuer, .certificate, .noAuthorities: true
        case .noTLS, .noVersion, .handshake: false
        }
    }

    var finding: ProbeFinding {
        switch self {
        case .expired, .otherName, .unknownIssuer, .certificate: .insecure
        case .noAuthorities: .noAuthorities
        case .noTLS: .wrongScheme
        case .noVersion, .handshake: .handshake
        }
    }

    /// What to do about it; nil where the words of the HTTP client say so.
    fileprivate var remedy: String? {
        switch self {
        case .expired: "renew it, and reload the web server, which keeps the old one until then"
        case .otherName:
            "ask by a name that is in it, or have one made for this name; a server of several sites may have taken another "
                + "site's"
        case .unknownIssuer, .noAuthorities: "if callers know its authority, name that by --authorities-file FILE"
        case .noTLS: "should the URL begin with http://, or the server have TLS at this port?"
        case .certificate, .noVersion, .handshake: nil
        }
    }
}

extension HTTPError {
    /// Nil where the failure is no one of TLS.
    var tlsProblem: TLSProblem? { if case .tls(let reason) = self { TLSProblem(reason) } else { nil } }

    /// What to do about it; nil where its own words say so.
    var remedy: String? {
        switch self {
        case .cannotResolve: "is the name right, and does it have an address?"
        case .refused: "is the web server running, and listening at this port?"
        case .timedOut(.connect, _):
            "nobody says yes or no: does the name's DNS server answer, is the address right, and does a firewall let this port "
                + "through?"
        case .timedOut: "who listens there is late: see the web server's log, and Sluice's, for what they wait for"
        case .cutOff: "who listens there hangs up: is it the web server's port, and what does its error log say?"
        case .tls: tlsProblem?.remedy
        default: nil
        }
    }
}

extension ProbeAnswer {
    /// What to do where it was late, behind a colon; empty where it was not.
    var remedyForTimeout: String {
        guard let failure, case .timedOut = failure else { return "" }
        return failure.remedy.map { ": \($0)" } ?? ""
    }
}
