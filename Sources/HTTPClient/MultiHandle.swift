// libcurl's multi handle: all transfers of a session, driven by readiness and by one timer.

import CCurl

/// A `CURLM *` and the TLS sessions that its transfers share. Names and idle connections it shares by itself.
@safe final class MultiHandle {
    private let pointer: UnsafeMutableRawPointer
    private let share: UnsafeMutableRawPointer

    /// - Throws: `HTTPError.unavailable` when memory or descriptors are out.
    init() throws(HTTPError) {
        guard globalSetUp == CURLE_OK else { throw .unavailable(reason: "curl_global_init failed") }
        guard let share = unsafe curl_share_init() else { throw .unavailable(reason: "curl_share_init failed") }
        guard let pointer = unsafe curl_multi_init() else {
            unsafe curl_share_cleanup(share)
            throw .unavailable(reason: "curl_multi_init failed")
        }
        unsafe self.pointer = unsafe pointer
        unsafe self.share = unsafe share
        _ = unsafe curl_share_setopt_share(share, CURL_LOCK_DATA_SSL_SESSION)
    }

    /// Easy handles go first: those in use would lose their connections, and all of them use the share.
    deinit {
        unsafe curl_multi_cleanup(pointer)
        unsafe curl_share_cleanup(share)
    }

    func set(_ option: CURLMoption, _ value: Int) { _ = unsafe curl_multi_setopt_long(pointer, option, value) }

    /// Whom the callbacks tell about sockets and the timer. Not retained.
    func report(to session: Session, sockets: curl_socket_callback, timer: curl_multi_timer_callback) {
        let data = unsafe Unmanaged.passUnretained(session).toOpaque()
        _ = unsafe curl_multi_setopt_pointer(pointer, CURLMOPT_SOCKETDATA, data)
        _ = unsafe curl_multi_setopt_pointer(pointer, CURLMOPT_TIMERDATA, data)
        _ = unsafe curl_multi_setopt_socket(pointer, sockets)
        _ = unsafe curl_multi_setopt_timer(pointer, timer)
    }

    /// Nobody is told any more: the session goes.
    func stopReporting() {
        _ = unsafe curl_multi_setopt_socket(pointer, nil)
        _ = unsafe curl_multi_setopt_timer(pointer, nil)
    }

    func shareSessions(with easy: EasyHandle) { unsafe easy.set(CURLOPT_SHARE, to: share) }

    func add(_ easy: EasyHandle) -> CURLMcode { unsafe curl_multi_add_handle(pointer, easy.pointer) }

    func remove(_ easy: EasyHandle) { _ = unsafe curl_multi_remove_handle(pointer, easy.pointer) }

    /// - Parameter events: bits of `CURL_CSELECT_IN`, `_OUT` and `_ERR`.
    func act(on socket: curl_socket_t, events: Int32) {
        var running: Int32 = 0
        _ = unsafe curl_multi_socket_action(pointer, socket, events, &running)
    }

    /// A transfer that libcurl has finished with, and how; `nil` when there is no more.
    func nextFinished() -> (Transfer, CURLcode)? {
        var waiting: Int32 = 0
        while let message = unsafe curl_multi_info_read(pointer, &waiting) {
            guard unsafe message.pointee.msg == CURLMSG_DONE else { continue }
            let code = unsafe message.pointee.data.result
            if let transfer = unsafe transfer(of: message.pointee.easy_handle) { return (transfer, code) }
        }
        return nil
    }
}

/// The transfer that an easy handle works for.
func transfer(of easy: UnsafeMutableRawPointer?) -> Transfer? {
    var data: UnsafeMutableRawPointer?
    _ = unsafe curl_easy_getinfo_private(easy, &data)
    return unsafe data.map { unsafe Unmanaged<Transfer>.fromOpaque($0).takeUnretainedValue() }
}

/// Once a process; safe from several threads since libcurl 7.84.
private let globalSetUp = curl_global_init(Int(CURL_GLOBAL_DEFAULT))
