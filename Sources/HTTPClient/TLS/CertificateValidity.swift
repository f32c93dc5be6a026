// When a certificate is valid (RFC 5280 §4.1.2.5).

import COpenSSL
import Glibc

/// The first and the last second in which a certificate is valid, since 1970.
package struct CertificateValidity: Equatable, Sendable {
    /// The first one.
    package let notBefore: Int
    /// The last one.
    package let notAfter: Int

    /// Two seconds since 1970.
    package init(notBefore: Int, notAfter: Int) { (self.notBefore, self.notAfter) = (notBefore, notAfter) }

    /// What a certificate says of itself; nil when that is no date.
    ///
    /// - Parameter certificate: an `X509`.
    init?(_ certificate: OpaquePointer) {
        guard let notBefore = unsafe Self.second(X509_get0_notBefore(certificate)),
            let notAfter = unsafe Self.second(X509_get0_notAfter(certificate))
        else { return nil }
        self.init(notBefore: notBefore, notAfter: notAfter)
    }

    private static func second(_ date: UnsafePointer<ASN1_TIME>?) -> Int? {
        var parts = unsafe tm()
        guard let date = unsafe date, unsafe ASN1_TIME_to_tm(date, &parts) == 1 else { return nil }
        return unsafe timegm(&parts)
    }
}
