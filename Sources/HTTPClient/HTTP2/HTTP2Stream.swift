// One stream of HTTP/2, and what nghttp2 tells of it.

import CNghttp2
import Clock

/// One transfer on its way over a shared connection.
final class HTTP2Stream {
    let transfer: Transfer
    /// Whether the connection had served others before, or the request has not gone out.
    let isKept: Bool
    /// Whether it was opened before the server had said how many it allows.
    let isEarly: Bool
    /// What had been heard of the server when the request went out; nil while it has not.
    let heardCount: Int?
    var head: HeadBuilder
    /// Whether anything of the response has come.
    var hasBegun = false
    var bodySent = 0
    /// Until all of the body has gone out: when the last of it did, or when it might have begun to.
    var lastSent: Instant?
    /// Whether the end of the request has gone out behind its body.
    var isBodySent = false
    /// What has come of a trailer.
    var trailer = FieldChecker()
    /// What its reader has taken since its window was last opened.
    var takenBytes = 0

    init(_ transfer: Transfer, isKept: Bool, isEarly: Bool, heardCount: Int?) {
        self.transfer = transfer
        self.isKept = isKept
        self.isEarly = isEarly
        self.heardCount = heardCount
        head = HeadBuilder(isBodyWanted: transfer.outgoing?.request.wantsReadableBody ?? (transfer.method != .head))
    }

    /// Until the server answers, it may say that it has not looked at the request.
    func dropRequest() {
        if hasBegun, isSent { transfer.dropRequest() }
    }

    var isSent: Bool {
        guard transfer.outgoing?.request.hasBody == true else { return true }
        return isBodySent
    }
}

// Each is called by nghttp2. A transfer that fails here resets its stream with the frames that go out next.
extension HTTP2 {
    /// - Returns: whether anybody wants the rest of them: a kilobyte can unpack to megabytes of fields.
    func received(name: Span<UInt8>, value: Span<UInt8>, of number: Int32) -> Bool {
        guard let stream = streams[number] else { return false }
        do throws(HTTPError) {
            guard !stream.transfer.isHeadComplete else {
                try stream.trailer.check(name: name, value: value)
                return true
            }
            stream.hasBegun = true
            idleBytes = 0
            // The only pseudo-header field of a response (RFC 9113 §8.3.2); nghttp2 has checked that it is one, and three digits.
            if name.count > 0, name[0] == UInt8(ascii: ":") {
                stream.head.begin(status: value.decimalNumber ?? 0)
            } else {
                try stream.head.add(name: name, value: value, keeping: connection.context.keptHeaders)
            }
            return true
        } catch {
            stream.transfer.fail(error)
            return false
        }
    }

    func receivedFrame(_ header: nghttp2_frame_hd) {
        if UInt32(header.type) != NGHTTP2_SETTINGS.rawValue { heardCount &+= 1 }
        switch UInt32(header.type) {
        case NGHTTP2_HEADERS.rawValue: endHead(of: header.stream_id)
        case NGHTTP2_GOAWAY.rawValue: isClosing = true
        case NGHTTP2_SETTINGS.rawValue where UInt32(header.flags) & NGHTTP2_FLAG_ACK.rawValue == 0: return settingsArrived()
        case NGHTTP2_DATA.rawValue: break
        default: return
        }
        guard UInt32(header.flags) & NGHTTP2_FLAG_END_STREAM.rawValue != 0, header.stream_id > 0 else { return }
        endResponse(of: header.stream_id)
    }

    /// After the first ones, those that waited for them look for room again. Where none are allowed that counts as a refusal.
    private func settingsArrived() {
        isRefusing = false
        mayHaveRoom = true
        guard !exchange(&hasSettings, with: true) else { return }
        for number in streams.keys.filter({ $0 < 0 }).sorted(by: >) {
            guard let transfer = remove(number)?.transfer else { continue }
            transfer.place = .none
            if streamsAllowed > 0 { postponed.append(transfer) } else { refused.append(transfer) }
        }
    }

    private func endHead(of number: Int32) {
        guard let stream = streams[number], !stream.transfer.isHeadComplete else { return }
        do throws(HTTPError) {
            guard try stream.head.end() else { return }
            connection.isFresh = false
            var head = stream.head.take()
            head.version = .http2
            stream.transfer.receive(head)
            stream.dropRequest()
        } catch {
            stream.transfer.fail(error)
        }
    }

    func receivedBody(_ bytes: UnsafeRawBufferPointer, of number: Int32) {
        _ = unsafe nghttp2_session_consume_connection(nghttp2, bytes.count)
        guard let stream = streams[number], bytes.count > 0 else { return }
        guard stream.transfer.isHeadComplete else {
            return stream.transfer.fail(.malformed(reason: "HTTP/2: a body without a head"))
        }
        idleBytes = 0
        // What nobody keeps, nobody takes.
        if unsafe !stream.transfer.receive(bytes) { taken(bytes.count, of: number) }
    }

    /// The server's side of the stream is at its end, which proves that the response is whole.
    private func endResponse(of number: Int32) {
        guard let stream = remove(number) else { return }
        idleBytes = 0
        guard stream.transfer.isHeadComplete else {
            reset(number)
            return stream.transfer.fail(.malformed(reason: "HTTP/2: a response without a head"))
        }
        isRefusing = false
        if !stream.isSent { reset(number) }
        stream.transfer.finish(isKept: true)
    }

    /// The stream is gone, and its response was not whole. What nghttp2 does not like it resets itself.
    func closed(_ number: Int32, _ code: UInt32) {
        guard let stream = remove(number) else { return }
        stream.transfer.place = .none
        if code == NGHTTP2_REFUSED_STREAM.rawValue, !stream.hasBegun {
            refuse(stream, number)
        } else if work == .sending {
            stream.transfer.fail(.malformed(reason: "HTTP/2: \(HTTP2Session.words(forReset: code))"))
        } else {
            stream.transfer.fail(.cutOff(afterBytes: stream.transfer.bytesReceived))
        }
    }

    /// It was one of too many, or the server is of no use for the time being.
    private func refuse(_ stream: HTTP2Stream, _ number: Int32) {
        let streamsBefore = Int(number / 2)
        if stream.isEarly, streamsAllowed > 0, streamsBefore >= streamsAllowed {
            postponed.append(stream.transfer)
        } else {
            isRefusing = true
            refused.append(stream.transfer)
        }
    }

    /// The request could not be sent.
    func notSent(_ number: Int32, _ code: Int32) {
        guard let stream = remove(number) else { return }
        stream.transfer.place = .none
        if code == NGHTTP2_ERR_START_STREAM_NOT_ALLOWED.rawValue {
            // GOAWAY came first.
            refused.append(stream.transfer)
        } else {
            stream.transfer.fail(.unavailable(reason: "HTTP/2: \(HTTP2Session.words(for: Int(code)))"))
        }
    }
}
