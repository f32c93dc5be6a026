// HTTP/2 on a connection (RFC 9113), by nghttp2.

import CNghttp2
import EventLoop

/// What is spoken on a connection that many transfers share.
///
/// nghttp2 knows frames, header compression and flow control. A stream's window opens by what its reader has taken, the
/// connection's by what has come: a reader that takes nothing holds a window's worth, and holds nobody up.
@safe final class HTTP2 {
    private unowned let connection: Connection
    private let nghttp2: OpaquePointer
    private var streams: [Int32: HTTP2Stream] = [:]
    /// Whether nghttp2 is at work: it must not be asked for more from inside its callbacks.
    private var isInside = false
    /// Whether it takes no new streams (GOAWAY, or stream identifiers used up).
    private var isClosing = false
    /// Those whose requests the server has not looked at, until nghttp2 has returned.
    private var refused: [Transfer] = []
    /// Since when somebody waits for a sign of life, while not a byte has come.
    private var silentSince: Instant?
    /// Whether it was silent for so long that new streams go elsewhere until it answers a PING.
    private var isSuspect = false
    private var timer: Timer?

    init?(on connection: Connection) {
        guard let nghttp2 = unsafe HTTP2Session.make() else { return nil }
        self.connection = connection
        unsafe self.nghttp2 = unsafe nghttp2
        unsafe nghttp2_session_set_user_data(nghttp2, Unmanaged.passUnretained(self).toOpaque())
    }

    deinit {
        timer?.cancel()
        unsafe nghttp2_session_del(nghttp2)
    }
}

/// One transfer on its way over a shared connection.
final class HTTP2Stream {
    let transfer: Transfer
    /// Whether the connection had served others before.
    let isKept: Bool
    var head = HeadBuilder()
    /// Whether anything of the response has come.
    var hasBegun = false
    var bodySent = 0
    /// What its reader has taken since its window was last opened.
    var takenBytes = 0

    init(_ transfer: Transfer, isKept: Bool) {
        self.transfer = transfer
        self.isKept = isKept
    }
}

// MARK: - Requests

extension HTTP2 {
    /// Whether another stream can be opened now.
    var hasRoom: Bool {
        guard !isClosing, !isSuspect, unsafe nghttp2_session_check_request_allowed(nghttp2) != 0 else { return false }
        let allowed = unsafe nghttp2_session_get_remote_settings(nghttp2, NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS)
        return streams.count < min(Int(allowed), connection.pool.options.streamsMax)
    }

    func start(_ transfer: Transfer) {
        guard let request = transfer.request else { return transfer.fail(.cancelled) }
        let number = submit(request, transfer)
        guard number > 0 else {
            // Stream identifiers are used up, or memory is out.
            isClosing = true
            transfer.place = .none
            return transfer.refused()
        }
        let stream = HTTP2Stream(transfer, isKept: !connection.isFresh)
        streams[number] = stream
        transfer.begin(on: .http2(self, stream: number))
        expectSign()
        flush()
    }

    private func submit(_ request: HTTPRequest, _ transfer: Transfer) -> Int32 {
        var fields = HeaderFields(connection.context.output)
        fields.addAll(of: request, transfer.url, connection)
        return unsafe fields.withPairs { pairs in
            guard request.hasBody else {
                return unsafe nghttp2_submit_request(nghttp2, nil, pairs.baseAddress, pairs.count, nil, nil)
            }
            var provider = unsafe nghttp2_data_provider()
            unsafe provider.read_callback = bodyWanted
            return unsafe nghttp2_submit_request(nghttp2, nil, pairs.baseAddress, pairs.count, &provider, nil)
        }
    }

    /// From nghttp2: copies the next part of a body.
    ///
    /// - Returns: the number of bytes, and whether they are the last; `nil` when the stream is of no use any more.
    func nextOfBody(of number: Int32, into buffer: UnsafeMutableRawBufferPointer) -> (count: Int, isLast: Bool)? {
        guard let stream = streams[number], let body = stream.transfer.request?.body else { return nil }
        let count = min(buffer.count, body.count - stream.bodySent)
        unsafe body.withUnsafeBytes {
            unsafe buffer.copyMemory(from: UnsafeRawBufferPointer(rebasing: $0[stream.bodySent..<stream.bodySent + count]))
        }
        stream.bodySent += count
        let isLast = stream.bodySent == body.count
        if isLast { dropRequest(of: stream) }
        return (count, isLast)
    }

    /// Until the server answers, it may say that it has not looked at the request.
    private func dropRequest(of stream: HTTP2Stream) {
        guard stream.hasBegun, isSent(stream) else { return }
        stream.transfer.dropRequest()
    }

    private func isSent(_ stream: HTTP2Stream) -> Bool {
        guard let request = stream.transfer.request, request.hasBody else { return true }
        return stream.bodySent == request.body.count
    }

    /// Its reader has taken so many bytes.
    func taken(_ count: Int, of number: Int32) {
        guard let stream = streams[number] else { return }
        stream.takenBytes += count
        guard stream.takenBytes >= HTTP2Session.streamWindowBytes / 4 else { return }
        _ = unsafe nghttp2_session_consume_stream(nghttp2, number, exchange(&stream.takenBytes, with: 0))
        flush()
    }

    /// Sends what nghttp2 has ready, as far as the socket takes it.
    func flush() {
        guard !isInside else { return }
        let buffer = connection.context.output
        repeat {
            buffer.removeAll()
            isInside = true
            while buffer.count < Connection.unsentBytesMax {
                var bytes: UnsafePointer<UInt8>?
                let count = unsafe nghttp2_session_mem_send(nghttp2, &bytes)
                guard count > 0, let bytes = unsafe bytes else { break }
                unsafe buffer.append(UnsafeRawBufferPointer(start: bytes, count: count))
            }
            isInside = false
            connection.write(buffer)
        } while buffer.count >= Connection.unsentBytesMax && connection.takesMore
    }
}

// MARK: - Responses

extension HTTP2 {
    func receive(_ bytes: UnsafeRawBufferPointer) {
        heard()
        isInside = true
        let start = unsafe bytes.baseAddress?.assumingMemoryBound(to: UInt8.self)
        let taken = unsafe nghttp2_session_mem_recv(nghttp2, start, bytes.count)
        isInside = false
        if taken != bytes.count { lost(.malformed(reason: "HTTP/2: \(HTTP2Session.words(for: taken))")) }
    }

    /// All that came with one read has been received.
    func settle() {
        if unsafe nghttp2_session_want_write(nghttp2) != 0 { flush() }
        let isDone = unsafe nghttp2_session_want_read(nghttp2) == 0 && nghttp2_session_want_write(nghttp2) == 0
        if isDone { return lost(isClosing ? nil : .malformed(reason: "HTTP/2: protocol error")) }
        for transfer in exchange(&refused, with: []) { transfer.refused() }
        leaveRoom()
    }

    /// Lets it go when it has no streams and takes none, or lets others have a stream that has ended.
    private func leaveRoom() {
        guard !isInside else { return }
        if streams.isEmpty, isClosing || isSuspect { return connection.close() }
        connection.pool.roomAppeared()
    }

    func received(name: Span<UInt8>, value: Span<UInt8>, of number: Int32) {
        guard let stream = streams[number], !stream.transfer.isHeadComplete else { return }
        stream.hasBegun = true
        do throws(HTTPError) {
            // The only pseudo-header field of a response (RFC 9113 §8.3.2); nghttp2 has checked that it is one, and three digits.
            if name.count > 0, name[0] == UInt8(ascii: ":") {
                stream.head.begin(status: value.decimalNumber ?? 0)
            } else {
                try stream.head.add(name: name, value: value, keeping: connection.context.keptHeaders)
            }
        } catch {
            stream.transfer.fail(error)
        }
    }

    func receivedFrame(_ header: nghttp2_frame_hd) {
        switch UInt32(header.type) {
        case NGHTTP2_HEADERS.rawValue: endHead(of: header.stream_id)
        case NGHTTP2_GOAWAY.rawValue: isClosing = true
        case NGHTTP2_DATA.rawValue: break
        default: return
        }
        guard UInt32(header.flags) & NGHTTP2_FLAG_END_STREAM.rawValue != 0, header.stream_id > 0 else { return }
        endResponse(of: header.stream_id)
    }

    private func endHead(of number: Int32) {
        guard let stream = streams[number], !stream.transfer.isHeadComplete else { return }
        do throws(HTTPError) {
            guard try stream.head.end() else { return }
            connection.isFresh = false
            stream.transfer.receive(stream.head.take())
            dropRequest(of: stream)
        } catch {
            stream.transfer.fail(error)
        }
    }

    func receivedBody(_ bytes: UnsafeRawBufferPointer, of number: Int32) {
        _ = unsafe nghttp2_session_consume_connection(nghttp2, bytes.count)
        guard let stream = streams[number], bytes.count > 0 else { return }
        unsafe stream.transfer.receive(bytes)
    }

    /// The server's side of the stream is at its end, which proves that the response is whole.
    private func endResponse(of number: Int32) {
        guard let stream = streams.removeValue(forKey: number) else { return }
        guard stream.transfer.isHeadComplete else {
            reset(number)
            return stream.transfer.fail(.malformed(reason: "HTTP/2: a response without a head"))
        }
        if !isSent(stream) { reset(number) }
        stream.transfer.finish(isKept: true)
    }

    /// From nghttp2: the stream is gone, and its response was not whole.
    func closed(_ number: Int32, _ code: UInt32) {
        guard let stream = streams.removeValue(forKey: number) else { return }
        stream.transfer.place = .none
        if code == NGHTTP2_REFUSED_STREAM.rawValue, !stream.hasBegun {
            refused.append(stream.transfer)
        } else {
            stream.transfer.fail(.cutOff(afterBytes: stream.transfer.bytesReceived))
        }
    }

    /// From nghttp2: the request could not be sent.
    func notSent(_ number: Int32, _ code: Int32) {
        guard let stream = streams.removeValue(forKey: number) else { return }
        stream.transfer.place = .none
        stream.transfer.fail(.unavailable(reason: "HTTP/2: \(HTTP2Session.words(for: Int(code)))"))
    }

    private func reset(_ number: Int32) {
        _ = unsafe nghttp2_submit_rst_stream(nghttp2, UInt8(NGHTTP2_FLAG_NONE.rawValue), number, NGHTTP2_CANCEL.rawValue)
    }

    /// The transfer has ended before its response did: the server is told at once.
    func abandon(_ number: Int32) {
        guard streams.removeValue(forKey: number) != nil else { return }
        reset(number)
        flush()
        leaveRoom()
    }

    /// The connection is of no use any more, and neither is what it carries.
    func lost(_ error: HTTPError?) {
        let lost = exchange(&streams, with: [:]).sorted { $0.key < $1.key }.map(\.value)
        let again = exchange(&refused, with: [])
        for stream in lost { stream.transfer.place = .none }
        connection.close()
        for transfer in again { transfer.refused() }
        for stream in lost { stream.transfer.connectionLost(isKept: stream.isKept && !stream.hasBegun, error) }
    }
}

extension HTTP2 {
    /// For whatever reason, and perhaps with streams.
    func connectionClosed() {
        timer?.cancel()
        if !streams.isEmpty || !refused.isEmpty { lost(nil) }
    }
}

// MARK: - Health

extension HTTP2 {
    /// Without a request: it shows whether the server is there.
    func ping() {
        _ = unsafe nghttp2_submit_ping(nghttp2, UInt8(NGHTTP2_FLAG_NONE.rawValue), nil)
        expectSign()
        flush()
    }

    private func expectSign() {
        guard silentSince == nil else { return }
        let now = connection.context.loop.now
        silentSince = now
        let timer = timer ?? Timer(on: connection.context.loop) { [unowned self] in checkSilence() }
        self.timer = timer
        if !timer.isSet { timer.set(at: now + connection.context.configuration.silenceMax) }
    }

    private func heard() {
        silentSince = nil
        isSuspect = false
    }

    /// New streams go elsewhere while it is silent. Those that it has keep it, since a busy server may be late with all its answers.
    private func checkSilence() {
        guard let silentSince else { return }
        let configuration = connection.context.configuration
        let due = silentSince + configuration.silenceMax
        let now = connection.context.loop.now
        if now < due { return timer?.set(at: due) ?? () }
        if isSuspect, streams.isEmpty { return lost(nil) }
        timer?.set(at: now + configuration.acknowledgementTimeout)
        guard !isSuspect else { return }
        isSuspect = true
        _ = unsafe nghttp2_submit_ping(nghttp2, UInt8(NGHTTP2_FLAG_NONE.rawValue), nil)
        flush()
        leaveRoom()
    }
}
