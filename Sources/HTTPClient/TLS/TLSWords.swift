// OpenSSL's reasons in words for people. Nothing that a server sent is in them.

import COpenSSL

/// What an `HTTPError.tls` says, worded here once.
enum TLSWords {
    /// Why a certificate is refused.
    ///
    /// - Parameter verdict: `SSL_get_verify_result`, other than `X509_V_OK`.
    static func verification(_ verdict: Int, host: String, hasAuthorities: Bool) -> String {
        switch Int32(truncatingIfNeeded: verdict) {
        case X509_V_ERR_CERT_HAS_EXPIRED: "the certificate has expired"
        case X509_V_ERR_CERT_NOT_YET_VALID: "the certificate is not yet valid"
        case X509_V_ERR_HOSTNAME_MISMATCH, X509_V_ERR_IP_ADDRESS_MISMATCH:
            "the certificate is for another name than \(host)"
        case X509_V_ERR_CERT_REVOKED: "the certificate was revoked"
        case let code where isUnknownIssuer(code): unknownIssuer(code, hasAuthorities: hasAuthorities)
        default: unsafe defect(Int32(truncatingIfNeeded: verdict)) ?? String(cString: X509_verify_cert_error_string(verdict))
        }
    }

    private static func isUnknownIssuer(_ code: Int32) -> Bool {
        switch code {
        case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT, X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN, X509_V_ERR_CERT_UNTRUSTED: true
        case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT, X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY: true
        case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE: true
        default: false
        }
    }

    private static func unknownIssuer(_ code: Int32, hasAuthorities: Bool) -> String {
        guard hasAuthorities else {
            return "no trusted authorities were found: install ca-certificates or set authorities_file"
        }
        return switch code {
        case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT: "the certificate is self-signed and not trusted"
        case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN: "the certificate's issuer is not trusted (unknown authority)"
        default:
            "the certificate's issuer is not trusted (unknown authority, or the server leaves an intermediate out)"
        }
    }

    private static func defect(_ code: Int32) -> String? {
        switch code {
        case X509_V_ERR_EE_KEY_TOO_SMALL, X509_V_ERR_CA_KEY_TOO_SMALL: "a key in the certificate's chain is too weak"
        case X509_V_ERR_CA_MD_TOO_WEAK: "the certificate is signed with too weak a digest"
        case X509_V_ERR_INVALID_PURPOSE: "the certificate is not for servers"
        case X509_V_ERR_INVALID_CA, X509_V_ERR_INVALID_NON_CA, X509_V_ERR_KEYUSAGE_NO_CERTSIGN, X509_V_ERR_PATH_LENGTH_EXCEEDED:
            "an issuer in the certificate's chain may not issue certificates"
        case X509_V_ERR_PERMITTED_VIOLATION, X509_V_ERR_EXCLUDED_VIOLATION:
            "the certificate's issuer may not issue certificates for this name"
        case X509_V_ERR_CERT_SIGNATURE_FAILURE: "the certificate's signature is wrong"
        case X509_V_ERR_CERT_CHAIN_TOO_LONG: "the certificate's chain is too long"
        default: nil
        }
    }

    /// Why a handshake or a connection failed, by the oldest entry of OpenSSL's queue of errors.
    static func failure(_ code: UInt, isOpen: Bool, wasAskedForCertificate: Bool) -> String {
        guard code != 0 else { return "OpenSSL gave no reason" }
        let reason = ERR_GET_REASON(code)
        guard ERR_GET_LIB(code) == ERR_LIB_SSL else { return string(code) }
        let alert = reason - SSL_AD_REASON_OFFSET
        if isForCertificate(alert, wasAsked: wasAskedForCertificate) { return "the server requires a client certificate" }
        if let words = version(reason) { return words }
        if alert == SSL_AD_NO_APPLICATION_PROTOCOL { return "the server speaks none of the versions of HTTP that are asked for" }
        guard (0...255).contains(alert) else { return string(code) }
        let name = unsafe "alert \(alert) \(String(cString: SSL_alert_desc_string_long(alert)))"
        return isOpen ? "the server broke the connection off (\(name))" : "the server refused the handshake (\(name))"
    }

    /// TLS 1.3 has an alert of its own; before that a server says less (RFC 8446 §6.2, RFC 5246 §7.4.6).
    private static func isForCertificate(_ alert: Int32, wasAsked: Bool) -> Bool {
        switch alert {
        case TLS13_AD_CERTIFICATE_REQUIRED: true
        case SSL3_AD_HANDSHAKE_FAILURE, SSL3_AD_NO_CERTIFICATE, SSL3_AD_BAD_CERTIFICATE: wasAsked
        default: false
        }
    }

    private static func version(_ reason: Int32) -> String? {
        switch reason {
        case SSL_R_WRONG_VERSION_NUMBER, SSL_R_HTTP_REQUEST, SSL_R_HTTPS_PROXY_REQUEST, SSL_R_UNKNOWN_PROTOCOL:
            "the server speaks no TLS"
        case SSL_R_UNSUPPORTED_PROTOCOL, SSL_R_VERSION_TOO_LOW, SSL_R_WRONG_SSL_VERSION, SSL_R_TLSV1_ALERT_PROTOCOL_VERSION:
            "no TLS version in common: at least TLS 1.2 is needed"
        default: nil
        }
    }

    static func keyOfAnother(file: String) -> String { "the key in \(file) does not belong to the certificate" }

    /// Why OpenSSL could not use a file, by its queue of errors, which is emptied.
    static func unusableFile(_ name: StaticString, _ file: String, isEncrypted: Bool) -> String {
        let code = ERR_peek_error()
        let last = ERR_peek_last_error()
        ERR_clear_error()
        if ERR_GET_LIB(last) == ERR_LIB_X509 && ERR_GET_REASON(last) == X509_R_KEY_VALUES_MISMATCH {
            return keyOfAnother(file: file)
        }
        if isEncrypted { return "\(name) \(file) cannot be read: it is encrypted; it must be one without a password" }
        // For keys, of which it knows many forms, OpenSSL says no more than that it found none.
        let isMissing =
            ERR_GET_LIB(code) == ERR_LIB_PEM && ERR_GET_REASON(code) == PEM_R_NO_START_LINE
            || ERR_GET_LIB(code) == ERR_LIB_OSSL_DECODER
        return "\(name) \(file) cannot be read: \(isMissing ? "nothing of the kind is in it" : string(code))"
    }

    private static func string(_ code: UInt) -> String {
        unsafe ERR_reason_error_string(code).map { unsafe String(cString: $0) } ?? "OpenSSL's error \(code)"
    }
}
