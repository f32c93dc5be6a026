// libcurl's easy handle: one transfer at a time, with the memory that libcurl borrows for it.

import CCurl
import EventLoop

/// A `CURL *`, its error text, its list of headers and its URL. Used for one request after another, it saves what making it costs.
@safe final class EasyHandle {
    let pointer: UnsafeMutableRawPointer
    private let errorText: UnsafeMutablePointer<CChar>
    private var headers: UnsafeMutablePointer<curl_slist>?
    private var url = ""
    /// The same, parsed: libcurl would otherwise parse it and put it together again for each request.
    private var parsedURL: OpaquePointer?

    /// - Throws: `HTTPError.unavailable` when memory is out.
    init() throws(HTTPError) {
        guard let pointer = unsafe curl_easy_init() else { throw .unavailable(reason: "curl_easy_init failed") }
        unsafe self.pointer = unsafe pointer
        unsafe errorText = .allocate(capacity: Int(CURL_ERROR_SIZE))
    }

    deinit {
        unsafe curl_easy_cleanup(pointer)
        unsafe curl_slist_free_all(headers)
        unsafe curl_url_cleanup(parsedURL)
        unsafe errorText.deallocate()
    }

    // MARK: Options

    func set(_ option: CURLoption, _ value: Int) { _ = unsafe curl_easy_setopt_long(pointer, option, value) }

    /// libcurl keeps a copy.
    func set(_ option: CURLoption, _ value: String?) { _ = unsafe curl_easy_setopt_string(pointer, option, value) }

    func set(_ option: CURLoption, to value: UnsafeMutableRawPointer?) {
        _ = unsafe curl_easy_setopt_pointer(pointer, option, value)
    }

    func set(_ option: CURLoption, calling function: curl_write_callback) {
        _ = unsafe curl_easy_setopt_data(pointer, option, function)
    }

    func setBeforeRequest(calling function: curl_prereq_callback) {
        _ = unsafe curl_easy_setopt_prereq(pointer, function)
    }

    func setAfterOpening(calling function: curl_sockopt_callback) { _ = unsafe curl_easy_setopt_sockopt(pointer, function) }

    func setToClose(calling function: curl_closesocket_callback) { _ = unsafe curl_easy_setopt_closesocket(pointer, function) }

    /// Costs nothing when it is the last request's.
    ///
    /// - Throws: `HTTPError.invalidRequest` when libcurl cannot parse it, `.unavailable` when memory is out.
    func setURL(_ url: String) throws(HTTPError) {
        guard url != self.url else { return }
        if unsafe parsedURL == nil { unsafe parsedURL = unsafe curl_url() }
        guard let parser = unsafe parsedURL else { throw .unavailable(reason: "out of memory") }
        self.url = ""
        guard unsafe curl_url_set(parser, CURLUPART_URL, url, 0) == CURLUE_OK else {
            throw .invalidRequest(reason: "the URL cannot be parsed")
        }
        // Of the text libcurl keeps a copy, which it takes for that of the parsed one.
        set(CURLOPT_URL, url)
        unsafe set(CURLOPT_CURLU, to: UnsafeMutableRawPointer(parser))
        self.url = url
    }

    /// - Parameter line: UTF-8, and a 0 at its end. libcurl keeps a copy.
    func addHeader(_ line: [UInt8]) throws(HTTPError) {
        let list = unsafe line.withUnsafeBufferPointer { buffer in
            unsafe buffer.withMemoryRebound(to: CChar.self) { unsafe curl_slist_append(headers, $0.baseAddress) }
        }
        guard let list = unsafe list else { throw .unavailable(reason: "out of memory") }
        unsafe headers = unsafe list
    }

    /// libcurl would use no connection that has been idle for two minutes, nor, since 8.17, one that is a day old.
    func useConnectionsOfAnyAge() {
        set(CURLOPT_MAXAGE_CONN, Int(Int32.max))
        set(CURLOPT_MAXLIFETIME_CONN, 0)
    }

    /// Has an effect when libcurl next looks for a connection.
    func useFreshConnection() { set(CURLOPT_FRESH_CONNECT, 1) }

    func useHeaders() { unsafe set(CURLOPT_HTTPHEADER, to: headers) }

    func useErrorText() { unsafe set(CURLOPT_ERRORBUFFER, to: errorText) }

    func clearErrorText() { unsafe errorText[0] = 0 }

    /// libcurl keeps a copy: a copy of its own it frees when `dropRequest()` says so, in the middle of the transfer.
    func setBody(_ body: [UInt8]) {
        set(CURLOPT_POST, 1)
        set(CURLOPT_POSTFIELDSIZE, body.count)
        unsafe body.withUnsafeBytes { bytes in
            // Without a body the pointer may be nil, and libcurl would then read one from standard input.
            let start = unsafe UnsafeMutableRawPointer(mutating: bytes.baseAddress) ?? pointer
            unsafe set(CURLOPT_COPYPOSTFIELDS, to: start)
        }
    }

    /// Frees body and headers, which have been sent.
    func dropRequest() {
        set(CURLOPT_POSTFIELDSIZE, 0)
        unsafe set(CURLOPT_POSTFIELDS, to: nil)
        unsafe set(CURLOPT_HTTPHEADER, to: nil)
        unsafe curl_slist_free_all(headers)
        unsafe headers = nil
    }

    // MARK: What happened

    /// Bytes of the body that have left libcurl.
    var bytesSent: Int {
        var count: curl_off_t = 0
        _ = unsafe curl_easy_getinfo_offset(pointer, CURLINFO_SIZE_UPLOAD_T, &count)
        return Int(count)
    }

    /// `errno` of the connection's failure, or 0.
    var systemError: Int32 {
        var code = 0
        _ = unsafe curl_easy_getinfo_long(pointer, CURLINFO_OS_ERRNO, &code)
        return Int32(truncatingIfNeeded: code)
    }

    /// The socket of the connection that the transfer used, while libcurl has it open; asked before the handle is removed.
    var socket: curl_socket_t? {
        var socket: curl_socket_t = CURL_SOCKET_BAD
        let code = unsafe curl_easy_getinfo_socket(pointer, CURLINFO_ACTIVESOCKET, &socket)
        return code == CURLE_OK && socket != CURL_SOCKET_BAD ? socket : nil
    }

    /// libcurl's own words about the failure; empty when it has none.
    var reason: String { unsafe String(cString: errorText) }

    /// The file of trusted certificates that this libcurl was built with.
    var defaultCertificateFile: String? {
        var path: UnsafePointer<CChar>?
        _ = unsafe curl_easy_getinfo_string(pointer, CURLINFO_CAINFO, &path)
        return unsafe path.map { unsafe String(cString: $0) }
    }

    /// Lets a paused response flow. libcurl calls the write callback from inside this call.
    func unpause() -> CURLcode { unsafe curl_easy_pause(pointer, CURLPAUSE_CONT) }

    /// Makes libcurl send what waits in its buffer for the handle's connection: a change of the stream's window does.
    func flushConnection() {
        _ = unsafe curl_easy_pause(pointer, CURLPAUSE_RECV)
        _ = unsafe curl_easy_pause(pointer, CURLPAUSE_CONT)
    }
}

/// Since 7.88.0 and before 8.15 a stream's reset stays in libcurl's buffer until its connection is next written to
/// (curl issue 17611), and an upstream would go on answering nobody.
let resetsLinger = unsafe curl_version_info(CURLVERSION_FIRST).map { unsafe $0.pointee.version_num < 0x08_0F_00 } ?? true

/// The host that a URL names, without user information and port; libcurl's own parser, so that both agree.
func host(of url: String) -> String {
    guard let parser = unsafe curl_url() else { return "?" }
    defer { unsafe curl_url_cleanup(parser) }
    var host: UnsafeMutablePointer<CChar>?
    _ = unsafe curl_url_set(parser, CURLUPART_URL, url, 0)
    guard unsafe curl_url_get(parser, CURLUPART_HOST, &host, 0) == CURLUE_OK, let host = unsafe host else { return "?" }
    defer { unsafe curl_free(host) }
    return unsafe String(cString: host)
}

/// A URL's scheme, host and port with the path `/`: nothing of it is secret. `nil` when libcurl cannot parse it.
func origin(of url: String) -> String? {
    guard let parser = unsafe curl_url() else { return nil }
    defer { unsafe curl_url_cleanup(parser) }
    guard unsafe curl_url_set(parser, CURLUPART_URL, url, 0) == CURLUE_OK else { return nil }
    for part in [CURLUPART_USER, CURLUPART_PASSWORD, CURLUPART_PATH, CURLUPART_QUERY, CURLUPART_FRAGMENT] {
        _ = unsafe curl_url_set(parser, part, nil, 0)
    }
    var origin: UnsafeMutablePointer<CChar>?
    guard unsafe curl_url_get(parser, CURLUPART_URL, &origin, 0) == CURLUE_OK, let origin = unsafe origin else { return nil }
    defer { unsafe curl_free(origin) }
    return unsafe String(cString: origin)
}
