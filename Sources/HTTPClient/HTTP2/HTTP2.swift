// HTTP/2 on a connection (RFC 9113), by nghttp2: its streams, and what is sent.

import CNghttp2
import Clock
import EventLoop

/// What is spoken on a connection that many transfers share.
///
/// nghttp2 knows frames, header compression and flow control. A stream's window opens by what its reader has taken, the
/// connection's by what has come: a reader that takes nothing holds a window's worth, and holds nobody up.
@safe final class HTTP2 {
    /// Streams that are opened before the server has said how many it allows (RFC 9113 §5.1.2). Hardly a server allows fewer.
    static let streamsBeforeSettings = 8
    /// Bytes that bring nobody anything: PING, SETTINGS, empty DATA and their like. No server has reason for so many in a row.
    static let idleBytesMax = 256 << 10

    /// What a server may send in a row for streams that were abandoned, however many these are.
    private static let abandonedBytesMax = 16 << 20

    /// What nghttp2 is in the middle of: it must not be asked for more from inside its callbacks.
    enum Work { case none, sending, receiving }

    unowned let connection: Connection
    let nghttp2: OpaquePointer
    /// By their identifiers (RFC 9113 §5.1.1); those that wait for the server's first SETTINGS have negative ones of their own.
    private(set) var streams: [Int32: HTTP2Stream] = [:]
    private(set) var work = Work.none
    /// Whether it takes no new streams (GOAWAY, or stream identifiers used up).
    var isClosing = false
    /// Whether the server refused a stream that it should have allowed, and none has ended since.
    var isRefusing = false
    var hasSettings = false
    /// Since when it has no streams.
    private(set) var idleSince: Instant?
    /// Transfers whose requests the server has not looked at. They go out again when nghttp2 has returned.
    var refused: [Transfer] = []
    /// Transfers that begin again without that counting as a refusal: they were opened before the server had said how many it allows.
    var postponed: [Transfer] = []
    /// Whether a stream may be opened that could not be before.
    var mayHaveRoom = false
    /// What has come since somebody last had something of it; see `idleBytesMax`.
    var idleBytes = 0
    var silence = Silence()
    /// How many frames have come but SETTINGS, which a server sends ahead of all that it reads.
    var heardCount = 0
    private var lastPostponed: Int32 = 0
    /// Whether the connection is closed, or about to be.
    private var isLost = false
    /// Whether nghttp2 said so.
    private var isOutOfMemory = false

    init?(on connection: Connection) {
        guard let nghttp2 = unsafe HTTP2Session.make() else { return nil }
        self.connection = connection
        unsafe self.nghttp2 = unsafe nghttp2
        unsafe nghttp2_session_set_user_data(nghttp2, Unmanaged.passUnretained(self).toOpaque())
    }

    deinit {
        silence.timer?.cancel()
        unsafe nghttp2_session_del(nghttp2)
    }
}

// MARK: - Streams

extension HTTP2 {
    /// Whether another stream can be opened now.
    var hasRoom: Bool {
        guard !isClosing, !isRefusing, !silence.isSuspect, !isLost else { return false }
        return unsafe nghttp2_session_check_request_allowed(nghttp2) != 0 && streams.count < streamsAllowed
    }

    var streamsAllowed: Int {
        let allowed = unsafe nghttp2_session_get_remote_settings(nghttp2, NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS)
        return min(Int(allowed), max(1, connection.pool.options.streamsMax))
    }

    func start(_ transfer: Transfer) {
        guard let outgoing = transfer.outgoing else { return transfer.fail(.cancelled) }
        guard hasSettings || streams.count < Self.streamsBeforeSettings else { return postpone(transfer) }
        let number = submit(outgoing.request, transfer)
        guard number > 0 else { return startElsewhere(transfer) }
        let stream = HTTP2Stream(transfer, isKept: !connection.isFresh, isEarly: !hasSettings, heardCount: heardCount)
        add(stream, number)
        if outgoing.request.hasBody { stream.lastSent = connection.context.loop.now }
        expectSign()
        flush()
    }

    /// Until the server has said how many streams it allows.
    private func postpone(_ transfer: Transfer) {
        lastPostponed -= 1
        add(HTTP2Stream(transfer, isKept: true, isEarly: true, heardCount: nil), lastPostponed)
    }

    /// Stream identifiers are used up, or memory is out.
    private func startElsewhere(_ transfer: Transfer) {
        isClosing = true
        transfer.place = .none
        refused.append(transfer)
        tidy()
    }

    private func add(_ stream: HTTP2Stream, _ number: Int32) {
        if exchange(&idleSince, with: nil) != nil { connection.context.removeIdle(connection) }
        streams[number] = stream
        stream.transfer.begin(on: .http2(self, stream: number))
    }

    @discardableResult func remove(_ number: Int32) -> HTTP2Stream? {
        guard let stream = streams.removeValue(forKey: number) else { return nil }
        mayHaveRoom = true
        return stream
    }

    private func submit(_ request: HTTPRequest, _ transfer: Transfer) -> Int32 {
        var fields = HeaderFields(connection.context.output)
        fields.addAll(of: request, to: transfer.destination, connection.context.clientFields)
        return unsafe fields.withPairs { pairs in
            guard request.hasBody else {
                return unsafe nghttp2_submit_request(nghttp2, nil, pairs.baseAddress, pairs.count, nil, nil)
            }
            var provider = unsafe nghttp2_data_provider()
            unsafe provider.read_callback = bodyWanted
            return unsafe nghttp2_submit_request(nghttp2, nil, pairs.baseAddress, pairs.count, &provider, nil)
        }
    }

    /// The transfer has ended before its response did: the server is told at once.
    func abandon(_ number: Int32) {
        guard let stream = remove(number) else { return }
        if isHeldBack(stream) { isClosing = true }
        // What the server has sent until it hears of it is no flood.
        idleBytes = max(idleBytes - HTTP2Session.streamWindowBytes, -Self.abandonedBytesMax)
        if number > 0 { reset(number) }
        flush()
    }

    /// Whether the server has allowed nothing of its body for long (RFC 9113 §5.2). It may hold back whatever follows too, and answer
    /// each PING: new streams go over another connection.
    private func isHeldBack(_ stream: HTTP2Stream) -> Bool {
        guard let last = stream.lastSent, connection.takesMore else { return false }
        return connection.context.loop.now >= last + connection.context.configuration.silenceMax
    }

    func reset(_ number: Int32) {
        _ = unsafe nghttp2_submit_rst_stream(nghttp2, UInt8(NGHTTP2_FLAG_NONE.rawValue), number, NGHTTP2_CANCEL.rawValue)
    }

    /// The connection is of no use any more, and neither is what it carries.
    ///
    /// - Parameter error: `cutOff`, whatever its count, when the server has closed it: each stream has a count of its own.
    func lost(_ error: HTTPError?) {
        isLost = true
        let error = if case .cutOff = error { HTTPError?.none } else { error }
        let lost = exchange(&streams, with: [:]).sorted { $0.key < $1.key }.map(\.value)
        let (refused, postponed) = (exchange(&refused, with: []), exchange(&postponed, with: []))
        for stream in lost { stream.transfer.place = .none }
        let (pool, mayHaveBeenRead) = (connection.pool, connection.mayHaveBeenRead)
        connection.close()
        for transfer in postponed { pool.begin(transfer) }
        for transfer in refused { transfer.refused(isGoing: isClosing) }
        for stream in lost {
            let isRead = stream.transfer.isSentOnce && stream.isSent && mayHaveBeenRead
            stream.transfer.connectionLost(isKept: mayHaveBeenDead(for: stream, error) && !isRead, error)
        }
    }

    /// Whether the server was not there any more when a request went out. One that has been heard since has perhaps the request too, and
    /// to send it once more could have it served twice.
    private func mayHaveBeenDead(for stream: HTTP2Stream, _ error: HTTPError?) -> Bool {
        guard stream.isKept, !stream.hasBegun, error?.meansDeadConnection != false else { return false }
        return stream.heardCount.map { $0 == heardCount } ?? true
    }

    /// For whatever reason, and perhaps with streams.
    func connectionClosed() {
        isLost = true
        silence.timer?.cancel()
        if !streams.isEmpty || !refused.isEmpty || !postponed.isEmpty { lost(nil) }
    }
}

// MARK: - Sending

extension HTTP2 {
    /// From nghttp2: copies the next part of a body.
    ///
    /// - Returns: the number of bytes, and whether they are the last; `nil` when the stream is of no use any more.
    func nextOfBody(of number: Int32, into buffer: UnsafeMutableRawBufferPointer) -> (count: Int, isLast: Bool)? {
        guard let stream = streams[number], let body = stream.transfer.outgoing?.request.body else { return nil }
        var count = 0
        while count < buffer.count, stream.bodySent < body.count {
            let copied = unsafe body.withBytes(from: stream.bodySent, countMax: buffer.count - count) {
                unsafe UnsafeMutableRawBufferPointer(rebasing: buffer[count...]).copyMemory(from: $0)
                return $0.count
            }
            (count, stream.bodySent) = (count + copied, stream.bodySent + copied)
        }
        idleBytes = 0
        let isLast = stream.bodySent == body.count
        stream.isBodySent = isLast
        stream.lastSent = isLast ? nil : connection.context.loop.now
        if isLast { stream.dropRequest() }
        return (count, isLast)
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
        guard work == .none, !isLost else { return }
        let buffer = connection.context.output
        while connection.takesMore {
            buffer.removeAll()
            let isAll = fill(buffer, connection.unsentBytes)
            if !buffer.isEmpty { connection.willSendShared() }
            connection.write(buffer)
            if isAll { break }
        }
        tidy()
    }

    /// - Returns: whether that is all that nghttp2 has ready.
    private func fill(_ buffer: OutputBuffer, _ unsentBytes: Int) -> Bool {
        work = .sending
        defer { work = .none }
        while unsentBytes + buffer.count < Connection.unsentBytesMax {
            var bytes: UnsafePointer<UInt8>?
            let count = unsafe nghttp2_session_mem_send(nghttp2, &bytes)
            if count < 0 { isOutOfMemory = true }
            guard count > 0, let bytes = unsafe bytes else { return true }
            unsafe buffer.append(UnsafeRawBufferPointer(start: bytes, count: count))
        }
        return false
    }
}

// MARK: - Receiving

extension HTTP2 {
    func receive(_ bytes: UnsafeRawBufferPointer) {
        heard()
        idleBytes += bytes.count
        work = .receiving
        let start = unsafe bytes.baseAddress?.assumingMemoryBound(to: UInt8.self)
        let taken = unsafe nghttp2_session_mem_recv(nghttp2, start, bytes.count)
        work = .none
        if taken != bytes.count { return lost(.malformed(reason: "HTTP/2: \(HTTP2Session.words(for: taken))")) }
        if idleBytes > Self.idleBytesMax { lost(.malformed(reason: "HTTP/2: a flood of frames without content")) }
    }

    /// All that came with one read has been received.
    func settle() {
        if streams.isEmpty { silence.since = nil }
        if unsafe nghttp2_session_want_write(nghttp2) != 0 { flush() } else { tidy() }
    }

    /// What nghttp2's callbacks have left to do. It may close the connection.
    private func tidy() {
        guard !isLost else { return }
        if isOutOfMemory { return lost(.unavailable(reason: "out of memory")) }
        if unsafe nghttp2_session_want_read(nghttp2) == 0 && nghttp2_session_want_write(nghttp2) == 0 {
            let reason = hasSettings ? "HTTP/2: protocol error" : "the server speaks no HTTP/2"
            return lost(isClosing ? nil : .malformed(reason: reason))
        }
        let (refused, postponed) = (exchange(&refused, with: []), exchange(&postponed, with: []))
        for transfer in postponed { connection.pool.begin(transfer) }
        for transfer in refused { transfer.refused(isGoing: isClosing) }
        if !isLost { leaveRoom() }
    }

    /// Lets it go when it has no streams and takes none, or lets others have a stream that has ended.
    private func leaveRoom() {
        if streams.isEmpty, !hasRoom { return connection.close() }
        if exchange(&mayHaveRoom, with: false) { connection.pool.roomAppeared() }
        if streams.isEmpty, idleSince == nil, !isLost { becomeIdle() }
    }

    /// Whoever gets it later may find it dead.
    private func becomeIdle() {
        connection.isFresh = false
        idleSince = connection.context.loop.now
        connection.pool.becameIdle()
        connection.context.addIdle(connection)
    }
}
