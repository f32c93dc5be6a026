// nghttp2's session: how it is set up, and what it calls.

import CNghttp2

/// An `nghttp2_session` for one connection of a client.
enum HTTP2Session {
    /// What a stream may send ahead of its reader.
    static let streamWindowBytes = 64 << 10
    /// What all streams of a connection together may send ahead of this process.
    private static let connectionWindowBytes: Int32 = 16 << 20

    /// Frees itself by `nghttp2_session_del`. `nil` when memory is out.
    static func make() -> OpaquePointer? {
        var (callbacks, options, session): (OpaquePointer?, OpaquePointer?, OpaquePointer?)
        guard unsafe nghttp2_session_callbacks_new(&callbacks) == 0 else { return nil }
        defer { unsafe nghttp2_session_callbacks_del(callbacks) }
        guard unsafe nghttp2_option_new(&options) == 0 else { return nil }
        defer { unsafe nghttp2_option_del(options) }
        unsafe setCallbacks(callbacks)
        // Windows open by what readers have taken; a closed stream is of no use to anybody.
        unsafe nghttp2_option_set_no_auto_window_update(options, 1)
        unsafe nghttp2_option_set_no_closed_streams(options, 1)
        guard unsafe nghttp2_session_client_new2(&session, callbacks, nil, options) == 0 else { return nil }
        guard unsafe submitSettings(session) else {
            unsafe nghttp2_session_del(session)
            return nil
        }
        return unsafe session
    }

    private static func submitSettings(_ session: OpaquePointer?) -> Bool {
        let settings = [
            nghttp2_settings_entry(settings_id: Int32(NGHTTP2_SETTINGS_ENABLE_PUSH.rawValue), value: 0),
            nghttp2_settings_entry(
                settings_id: Int32(NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE.rawValue), value: UInt32(streamWindowBytes)),
            nghttp2_settings_entry(settings_id: Int32(NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE.rawValue), value: 64 << 10),
        ]
        let none = UInt8(NGHTTP2_FLAG_NONE.rawValue)
        return unsafe nghttp2_submit_settings(session, none, settings, settings.count) == 0
            && nghttp2_session_set_local_window_size(session, none, 0, connectionWindowBytes) == 0
    }

    private static func setCallbacks(_ callbacks: OpaquePointer?) {
        unsafe nghttp2_session_callbacks_set_on_header_callback(callbacks, fieldArrived)
        unsafe nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, frameArrived)
        unsafe nghttp2_session_callbacks_set_on_frame_not_send_callback(callbacks, frameNotSent)
        unsafe nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, bodyArrived)
        unsafe nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, streamClosed)
    }

    /// nghttp2's own words for an error code.
    static func words(for code: Int) -> String {
        unsafe nghttp2_strerror(Int32(clamping: code)).map { unsafe String(cString: $0) } ?? "error \(code)"
    }

    /// The name of an error code of RFC 9113 §7.
    static func words(forReset code: UInt32) -> String {
        unsafe nghttp2_http2_strerror(code).map { unsafe String(cString: $0) } ?? "error \(code)"
    }
}

extension HTTP2 {
    static func from(_ data: UnsafeMutableRawPointer?) -> HTTP2? {
        unsafe data.map { unsafe Unmanaged<HTTP2>.fromOpaque($0).takeUnretainedValue() }
    }
}

// Each finds its object and hands over. None makes nghttp2 act but by frames that go out later.

/// `nghttp2_on_header_callback`
private func fieldArrived(
    _: OpaquePointer?, _ frame: UnsafePointer<nghttp2_frame>?, _ name: UnsafePointer<UInt8>?, _ nameBytes: Int,
    _ value: UnsafePointer<UInt8>?, _ valueBytes: Int, _: UInt8, _ data: UnsafeMutableRawPointer?
) -> Int32 {
    guard let http2 = unsafe HTTP2.from(data), let frame = unsafe frame else { return 0 }
    let name = unsafe UnsafeBufferPointer(start: name, count: nameBytes)
    let value = unsafe UnsafeBufferPointer(start: value, count: valueBytes)
    let isWanted = unsafe http2.received(name: name.span, value: value.span, of: frame.pointee.hd.stream_id)
    // The stream is reset, if it was not before, and what is left of its fields is looked at no more.
    return isWanted ? 0 : NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE.rawValue
}

/// `nghttp2_on_frame_recv_callback`
private func frameArrived(
    _: OpaquePointer?, _ frame: UnsafePointer<nghttp2_frame>?, _ data: UnsafeMutableRawPointer?
) -> Int32 {
    guard let http2 = unsafe HTTP2.from(data), let frame = unsafe frame else { return 0 }
    unsafe http2.receivedFrame(frame.pointee.hd)
    return 0
}

/// `nghttp2_on_frame_not_send_callback`: a request that cannot go out, as one with a head that is too large.
private func frameNotSent(
    _: OpaquePointer?, _ frame: UnsafePointer<nghttp2_frame>?, _ code: Int32, _ data: UnsafeMutableRawPointer?
) -> Int32 {
    guard let http2 = unsafe HTTP2.from(data), let frame = unsafe frame else { return 0 }
    guard UInt32(unsafe frame.pointee.hd.type) == NGHTTP2_HEADERS.rawValue else { return 0 }
    http2.notSent(unsafe frame.pointee.hd.stream_id, code)
    return 0
}

/// `nghttp2_on_data_chunk_recv_callback`
private func bodyArrived(
    _: OpaquePointer?, _: UInt8, _ number: Int32, _ bytes: UnsafePointer<UInt8>?, _ count: Int,
    _ data: UnsafeMutableRawPointer?
) -> Int32 {
    unsafe HTTP2.from(data)?.receivedBody(UnsafeRawBufferPointer(start: bytes, count: count), of: number)
    return 0
}

/// `nghttp2_on_stream_close_callback`
private func streamClosed(
    _: OpaquePointer?, _ number: Int32, _ code: UInt32, _ data: UnsafeMutableRawPointer?
) -> Int32 {
    unsafe HTTP2.from(data)?.closed(number, code)
    return 0
}

/// `nghttp2_data_source_read_callback`
func bodyWanted(
    _: OpaquePointer?, _ number: Int32, _ bytes: UnsafeMutablePointer<UInt8>?, _ count: Int,
    _ flags: UnsafeMutablePointer<UInt32>?, _: UnsafeMutablePointer<nghttp2_data_source>?, _ data: UnsafeMutableRawPointer?
) -> Int {
    let buffer = unsafe UnsafeMutableRawBufferPointer(start: bytes, count: count)
    guard let http2 = unsafe HTTP2.from(data), let part = unsafe http2.nextOfBody(of: number, into: buffer) else {
        return Int(NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE.rawValue)
    }
    if part.isLast, let flags = unsafe flags { unsafe flags.pointee |= NGHTTP2_DATA_FLAG_EOF.rawValue }
    return part.count
}
