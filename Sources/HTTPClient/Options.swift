// How a request and the house rules become libcurl's options.

import CCurl
import EventLoop
import Glibc

extension EasyHandle {
    /// Sets what is the same for all requests of a session. The handle is fresh.
    func configure(_ configuration: Session.Configuration) {
        useErrorText()
        setRules()
        setSocket()
        setTrust(configuration.caFile)
        set(CURLOPT_BUFFERSIZE, configuration.receiveBufferBytes)
        setCallbacks()
    }

    /// Sets what is a request's own. The handle is fresh or has forgotten the last one.
    ///
    /// - Throws: `HTTPError.unavailable` when memory is out.
    func prepare(for request: HTTPRequest, userAgent: String) throws(HTTPError) {
        clearErrorText()
        try setURL(request.url)
        try setHeaders(request.headers, userAgent: userAgent)
        switch request.method {
        case .head: set(CURLOPT_NOBODY, 1)
        case .get: set(CURLOPT_HTTPGET, 1)
        case .post:
            // libcurl would otherwise wait for a 100, which most upstreams never send. Below a mebibyte it does not.
            if request.body.count >= 512 << 10 { try addHeader([UInt8]("Expect:\0".utf8)) }
            setBody(request.body)
        }
        useHeaders()
        setConnection(for: request)
    }

    /// Whom the callbacks tell about connections, also about those that outlive the handle. Not retained.
    func report(to session: Session) {
        let data = unsafe Unmanaged.passUnretained(session).toOpaque()
        unsafe set(CURLOPT_SOCKOPTDATA, to: data)
        unsafe set(CURLOPT_CLOSESOCKETDATA, to: data)
        unsafe setAfterOpening(calling: connectionOpened)
        unsafe setToClose(calling: connectionClosed)
    }

    /// Whom the callbacks tell about the transfer. Not retained.
    func call(_ transfer: Transfer) { unsafe setCallbackData(Unmanaged.passUnretained(transfer).toOpaque()) }

    /// Forgets a request: its header values, its body, its transfer.
    func forget() {
        dropRequest()
        unsafe setCallbackData(nil)
        set(CURLOPT_FORBID_REUSE, 0)
    }

    private func setCallbackData(_ data: UnsafeMutableRawPointer?) {
        unsafe set(CURLOPT_PRIVATE, to: data)
        unsafe set(CURLOPT_WRITEDATA, to: data)
        unsafe set(CURLOPT_HEADERDATA, to: data)
        unsafe set(CURLOPT_PREREQDATA, to: data)
    }

    private func setCallbacks() {
        unsafe set(CURLOPT_WRITEFUNCTION, calling: bodyArrived)
        unsafe set(CURLOPT_HEADERFUNCTION, calling: lineArrived)
        unsafe setBeforeRequest(calling: connectionMade)
    }

    private func setHeaders(_ headers: [(name: String, value: String)], userAgent: String) throws(HTTPError) {
        var line: [UInt8] = []
        line.reserveCapacity(128)
        for header in headers { try addHeader(header.name, header.value, &line) }
        // As a header among others it costs libcurl half of what its own does.
        if !headers.contains(where: { $0.name.isUserAgent }) { try addHeader("User-Agent", userAgent, &line) }
    }

    private func addHeader(_ name: String, _ value: String, _ line: inout [UInt8]) throws(HTTPError) {
        line.removeAll(keepingCapacity: true)
        line.append(contentsOf: name.utf8)
        // A name with a colon and nothing after it would take libcurl's own header of that name away instead.
        if value.utf8.allSatisfy({ $0 <= 0x20 }) {
            line.append(UInt8(ascii: ";"))
        } else {
            line.append(UInt8(ascii: ":"))
            line.append(UInt8(ascii: " "))
            line.append(contentsOf: value.utf8)
        }
        line.append(0)
        try addHeader(line)
    }

    private func setRules() {
        set(CURLOPT_PROTOCOLS_STR, "http,https")
        set(CURLOPT_FOLLOWLOCATION, 0)
        // libcurl would otherwise look through the environment for each request.
        if !environmentNamesProxy { set(CURLOPT_NOPROXY, "*") }
        set(CURLOPT_HTTP09_ALLOWED, 0)
        set(CURLOPT_SUPPRESS_CONNECT_HEADERS, 1)
        // libcurl would otherwise save and restore SIGPIPE's handler around each read.
        set(CURLOPT_NOSIGNAL, 1)
        // Removing a transfer that still resolves its host would otherwise wait for the resolver's thread.
        set(CURLOPT_QUICK_EXIT, 1)
        // The smallest that libcurl allows; bodies above 64 KiB are copied through it, and it stays until the response ends.
        set(CURLOPT_UPLOAD_BUFFERSIZE, 16 << 10)
    }

    private func setSocket() {
        set(CURLOPT_TCP_NODELAY, 1)
        set(CURLOPT_TCP_KEEPALIVE, 1)
        set(CURLOPT_TCP_KEEPIDLE, 30)
        set(CURLOPT_TCP_KEEPINTVL, 10)
    }

    private func setConnection(for request: HTTPRequest) {
        // On plain text PIPEWAIT would hold every transfer back until the first response shows that it is not HTTP/2.
        set(CURLOPT_HTTP_VERSION, Int(request.isSecure ? CURL_HTTP_VERSION_2TLS : CURL_HTTP_VERSION_1_1))
        set(CURLOPT_PIPEWAIT, request.isSecure ? 1 : 0)
        set(CURLOPT_FRESH_CONNECT, request.isFirstOfConnection ? 1 : 0)
        // The session's own timer holds the deadline; libcurl divides the time among the addresses of a host.
        set(CURLOPT_CONNECTTIMEOUT_MS, request.connectTimeout.millisecondsUp)
    }

    private func setTrust(_ caFile: String?) {
        set(CURLOPT_SSL_VERIFYPEER, 1)
        set(CURLOPT_SSL_VERIFYHOST, 2)
        set(CURLOPT_SSLVERSION, Int(CURL_SSLVERSION_TLSv1_2))
        if let caFile { set(CURLOPT_CAINFO, caFile) }
        // With a directory as well libcurl does not cache the trusted certificates: every connection would read all of the
        // system's anew, in 28 ms where a handshake takes 1.
        if caFile != nil || defaultCertificateFile != nil { set(CURLOPT_CAPATH, nil) }
    }
}

extension String {
    fileprivate var isUserAgent: Bool { utf8.count == 10 && lowercased() == "user-agent" }
}

/// Whether the environment names a proxy, by any of the variables in which libcurl looks for one (libcurl-env(3)).
private let environmentNamesProxy: Bool = {
    let names = ["http_proxy", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"]
    return names.contains { unsafe getenv($0) != nil }
}()

/// `TCP_USER_TIMEOUT` (tcp(7)), for which libcurl has no option. Where the kernel refuses it, connections are as before.
func setAcknowledgementTimeout(_ timeout: Duration, of socket: curl_socket_t) {
    var milliseconds = UInt32(timeout.millisecondsUp)
    let size = socklen_t(MemoryLayout<UInt32>.size)
    _ = unsafe setsockopt(socket, Int32(IPPROTO_TCP), TCP_USER_TIMEOUT, &milliseconds, size)
}

extension Duration {
    /// At least 1: libcurl takes 0 for its default. At most 24 days.
    fileprivate var millisecondsUp: Int {
        let milliseconds = (nanoseconds.addingReportingOverflow(999_999).partialValue) / 1_000_000
        return Int(min(max(milliseconds, 1), Int64(Int32.max)))
    }
}
