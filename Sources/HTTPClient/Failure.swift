// libcurl's result codes as this module's errors.

import CCurl
import Glibc

/// What is known when libcurl gives a transfer up.
struct Failure {
    let code: CURLcode
    /// libcurl's own words; never a URL or a header's value in the cases that pass them on.
    let reason: String
    let systemError: Int32
    let url: String
    let connectTimeout: Duration
    let isConnected: Bool
    let isHeadComplete: Bool
    let bytesReceived: Int

    var error: HTTPError {
        switch code {
        case CURLE_COULDNT_RESOLVE_HOST: .cannotResolve(host: host(of: url))
        case CURLE_COULDNT_RESOLVE_PROXY: .unreachable(reason: "cannot resolve the proxy")
        case CURLE_COULDNT_CONNECT where systemError == ECONNREFUSED: .refused
        // The only time limit that libcurl is given.
        case CURLE_OPERATION_TIMEDOUT: .timedOut(.connect, after: connectTimeout)
        case CURLE_PARTIAL_FILE, CURLE_GOT_NOTHING, CURLE_SEND_ERROR, CURLE_HTTP2_STREAM: .cutOff(afterBytes: bytesReceived)
        // A chunk's size that is no number shares its code with a connection that broke; only the text tells them apart.
        case CURLE_RECV_ERROR where reason.contains("chunked-encoding"): .malformed(reason: words)
        case CURLE_RECV_ERROR: .cutOff(afterBytes: bytesReceived)
        case CURLE_URL_MALFORMAT: .invalidRequest(reason: "the URL cannot be parsed")
        // A single line above libcurl's own limit of 100 KiB, which it reports as it does a failed allocation (before 8.6).
        case CURLE_OUT_OF_MEMORY where isConnected && !isHeadComplete, tooLarge: .headTooLarge(bytesMax: HeadParser.bytesMax)
        case CURLE_OUT_OF_MEMORY, CURLE_FAILED_INIT: .unavailable(reason: words)
        default: isAboutTLS ? .tls(reason: words) : isAboutHTTP ? .malformed(reason: words) : .unreachable(reason: words)
        }
    }

    private var isAboutTLS: Bool {
        switch code {
        case CURLE_SSL_CONNECT_ERROR, CURLE_PEER_FAILED_VERIFICATION, CURLE_SSL_CERTPROBLEM, CURLE_SSL_CIPHER: true
        case CURLE_SSL_CACERT_BADFILE, CURLE_SSL_ISSUER_ERROR, CURLE_SSL_CRL_BADFILE, CURLE_SSL_INVALIDCERTSTATUS: true
        case CURLE_SSL_ENGINE_NOTFOUND, CURLE_SSL_ENGINE_SETFAILED, CURLE_SSL_ENGINE_INITFAILED, CURLE_USE_SSL_FAILED: true
        default: false
        }
    }

    /// `CURLE_UNSUPPORTED_PROTOCOL` is a reply without a status line, which would be HTTP/0.9; the request's own scheme was checked.
    private var isAboutHTTP: Bool {
        switch code {
        case CURLE_UNSUPPORTED_PROTOCOL, CURLE_WEIRD_SERVER_REPLY, CURLE_HTTP2, CURLE_BAD_CONTENT_ENCODING: true
        case CURLE_FILESIZE_EXCEEDED, CURLE_WRITE_ERROR: true
        default: false
        }
    }

    private var words: String { reason.isEmpty ? unsafe String(cString: curl_easy_strerror(code)) : reason }
}

/// `CURLE_TOO_LARGE`, new in libcurl 8.6.
private let tooLarge = CURLcode(rawValue: 100)
