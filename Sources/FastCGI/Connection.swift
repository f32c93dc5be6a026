// One connection from the web server: requests come out of it one after another, and each is answered before the next.

package import Clock
package import EventLoop

/// A FastCGI connection on its worker's loop.
///
///     while let request = await connection.nextRequest() {
///         var response = Response(on: connection)
///         …
///         await response.finish()
///     }
///
/// Bytes are read when they come, also while an answer is written: they tell that the caller left.
@safe package final class Connection {
    /// How long the peer may take.
    package struct Timeouts: Equatable, Sendable {
        /// From a request's first byte to its last.
        package var request: Duration
        /// For a body to wait until there is memory for it.
        package var memory: Duration
        /// Until a slow peer takes bytes again.
        package var write: Duration
        /// For a request that is on its way when the connection is to end.
        package var last: Duration

        /// A minute for a request, a quarter of one for memory, half of one for a write and a second for the last request, unless told
        /// otherwise.
        package init(
            request: Duration = .seconds(60), memory: Duration = .seconds(15), write: Duration = .seconds(30),
            last: Duration = .seconds(1)
        ) {
            (self.request, self.memory, self.write, self.last) = (request, memory, write, last)
        }
    }

    enum State: Equatable {
        case open
        /// The caller left or took the request back, or a write failed; what is in flight is pointless.
        case abandoned
        case closed
    }

    // What each write of a stream touches stands together: with thousands open, every cache line is a miss.
    let buffers: SharedBuffers
    let descriptor: Descriptor
    /// What FastCGI calls the request that is or was answered last.
    private(set) var requestID: UInt16 = 0
    /// Bytes that may be written before the kernel must be asked again whether a write would block.
    var credit = 0
    /// The number of the request that is or was answered last, so that an older one finds nothing of it.
    private(set) var requestNumber = 0
    private(set) var state = State.open
    /// Between a request and the end of its answer.
    private(set) var isAnswering = false

    /// Called on the loop when the caller leaves while its request is being answered; at once when it has left already.
    package var onCallerLeft: (() -> Void)? {
        didSet { if isAnswering && state == .abandoned { onCallerLeft?() } }
    }
    /// Why the connection ends, when the peer broke the protocol or went over a limit.
    package private(set) var refusal: ConnectionRefusal?

    let loop: EventLoop
    var timeouts: Timeouts
    let wakeup: Wakeup
    /// The credit that a writable socket gives.
    let creditBytes: Int

    var scanner: RecordScanner
    private var scanned: ScannedRequest?
    private var parameters = RequestParameters.none
    private var body: [UInt8] = []
    /// What the body takes of the budget, from its first byte on.
    private var memory: MemoryShare?
    /// While the body waits for memory: its place, until when, and what had been read by then.
    private var waiting: Waiting?
    private let budget: MemoryBudget?
    var bodyBytesMax: Int
    /// What holds from the next request on.
    var pendingChange: (limits: RecordScanner.Limits, timeouts: Timeouts)?
    /// The answer's header, until it leaves with the first bytes behind it.
    var unsentHead: [UInt8] = []
    private var isAborted = false
    private var keepsConnection = true
    /// Set while the connection is to end: until when one more request may begin.
    var lastRequestDeadline: Instant?
    private var requestDeadline: Instant?
    /// When the first byte of a request came that has not come as a whole.
    private var requestStart: Instant?
    /// Whether the peer must take bytes before the answer can go on.
    private(set) var isWaitingToWrite = false
    private var watch: Watch?

    private struct Waiting {
        let place: MemoryPlace
        let deadline: Instant
        let unread: [UInt8]
    }

    /// - Parameter budget: where bodies get their memory, if that is limited.
    /// - Throws: `SystemError` when the loop cannot watch the descriptor.
    package init(
        _ descriptor: consuming Descriptor, on loop: EventLoop, sharing buffers: SharedBuffers,
        limits: RecordScanner.Limits, timeouts: Timeouts, budget: MemoryBudget? = nil
    ) throws(SystemError) {
        creditBytes = descriptor.writableBytes
        self.descriptor = descriptor
        self.loop = loop
        self.buffers = buffers
        self.timeouts = timeouts
        self.budget = budget
        bodyBytesMax = limits.bodyBytesMax
        scanner = RecordScanner(limits: limits, firstRoom: budget == nil ? .max : 0)
        wakeup = Wakeup(on: loop)
        watch = try Watch(self.descriptor.number, for: .readableOrClosed, on: loop) { [unowned self] readiness in
            if !readiness.isDisjoint(with: .anythingToRead) { if waiting == nil { receive() } else { abandon() } }
            if readiness.contains(.writable) { wakeup.wake() }
        }
    }

    deinit { watch?.cancel() }

    /// A request that is on its way in.
    package struct Arrival {
        /// When its first byte came.
        package let start: Instant
        /// Whether its body waits until there is memory for it.
        package let waitsForMemory: Bool
    }

    /// What is on its way in, if something is.
    package var arrival: Arrival? {
        guard !isAnswering, state == .open, let requestStart else { return nil }
        return Arrival(start: requestStart, waitsForMemory: waiting != nil)
    }

    /// Between requests, and with nothing of the next one here.
    var isIdle: Bool { !isAnswering && scanned == nil && scanner.isIdle }

    /// Waits for the next request; `nil` when the connection is over: see `refusal` for whether the peer was at fault.
    package func nextRequest() async -> Request? {
        precondition(!isAnswering, "the last request has no answer yet")
        while state == .open {
            if let scanned {
                self.scanned = nil
                return begin(scanned)
            }
            if let lastRequestDeadline, scanner.isIdle, loop.now >= lastRequestDeadline { break }
            await wakeup.wait(until: waiting?.deadline ?? requestDeadline ?? lastRequestDeadline)
            if waiting != nil {
                endWaiting()
            } else if let requestDeadline, scanned == nil, loop.now >= requestDeadline {
                refuse(.requestTimedOut)
            }
        }
        close()
        return nil
    }

    // MARK: Receiving

    private func receive() {
        // What has been read of a body that must wait is kept meanwhile: where one may have to, not much is read ahead.
        let isScarce = scanner.isBeforeBody && budget?.isScarce == true
        switch descriptor.receive(into: &buffers.receiveBuffer, countMax: isScarce ? Self.scarceBytes : .max) {
        case .bytes(let count):
            let buffer = buffers.receiveBuffer
            take(buffer.span.extracting(0..<count))
        case .nothing: break
        case .endOfFile, .failed: abandon()
        }
    }

    private static let scarceBytes = 4096

    private func take(_ bytes: Span<UInt8>) {
        var taken = 0
        do {
            scan: while taken < bytes.count && state == .open {
                switch try scanner.scan(bytes, taken: &taken) {
                case .incomplete: break
                case .needsRoom: guard makeRoom(bytes.extracting(taken...)) else { break scan }
                case .request(let request):
                    scanned = request
                    wakeup.wake()
                case .aborted: return takeBack()
                }
            }
            if scanner.dropsBody { memory = nil }
            sendAnswers()
        } catch {
            refuse(error)
        }
        setRequestDeadline()
    }

    // MARK: Memory

    /// Lets the body have as much as its length is said to be, before a byte of it is kept. One of unknown length begins small, and
    /// may then have as much as any: one that has begun and waits holds little.
    ///
    /// - Returns: whether it need not wait.
    private func makeRoom(_ unread: Span<UInt8>) -> Bool {
        guard let budget else { return true }
        let small = min(MemoryBudget.smallBytesMax, bodyBytesMax)
        guard let memory else {
            let announced = scanner.announcedBytes ?? 0
            return room(for: announced > 0 && announced <= bodyBytesMax ? announced : small, in: budget, unread)
        }
        if memory.bytes <= small { return room(for: bodyBytesMax, in: budget, unread) }
        // More than was said. It may hold much, so that it waits for nothing.
        if memory.grow(to: bodyBytesMax) { scanner.bodyRoom = memory.bytes } else { dropBody(.noMemory) }
        return true
    }

    private func room(for bytes: Int, in budget: MemoryBudget, _ unread: Span<UInt8>) -> Bool {
        if let share = budget.share(ofBody: bytes) {
            letIn(share)
            return true
        }
        // What is said to be too large is not worth waiting for.
        if let announced = scanner.announcedBytes, announced > bodyBytesMax {
            dropBody(.bodyTooLarge)
            return true
        }
        guard let place = budget.place(forBody: bytes, holding: memory?.bytes ?? 0, waking: wakeup.remote) else {
            dropBody(.noMemory)
            return true
        }
        let unread = unsafe unread.withUnsafeBufferPointer { unsafe Array($0) }
        waiting = Waiting(place: place, deadline: .current + timeouts.memory, unread: unread)
        watch(for: .peerClosed)
        // Its task is to wait for another moment.
        wakeup.wake()
        return false
    }

    private func letIn(_ share: MemoryShare) {
        memory = share
        scanner.bodyRoom = share.bytes
    }

    private func dropBody(_ reason: DropReason) {
        scanner.dropBody(reason)
        memory = nil
    }

    /// Goes on with the body when there is memory for it, or without it when it has waited too long. The time that it has to come in
    /// begins anew.
    private func endWaiting() {
        guard let waiting else { return }
        if let share = waiting.place.claim() {
            letIn(share)
        } else if loop.now >= waiting.deadline {
            dropBody(.noMemory)
        } else {
            return
        }
        readOn()
    }

    private func readOn() {
        guard let unread = waiting?.unread else { return }
        waiting = nil
        requestDeadline = nil
        watch(for: .readableOrClosed)
        take(unread.span)
    }

    private func watch(for interest: Readiness) {
        do { try watch?.update(interest) } catch { abandon() }
    }

    /// What has begun must become a request in time; an idle connection may stay for ever.
    private func setRequestDeadline() {
        guard !isAnswering, scanned == nil, !scanner.isIdle else {
            requestDeadline = nil
            // What had begun was a record by itself.
            if !isAnswering, scanned == nil { requestStart = nil }
            return
        }
        requestStart = requestStart ?? loop.now
        guard requestDeadline == nil else { return }
        requestDeadline = .current + timeouts.request
        wakeup.wake()
    }

    private func sendAnswers() {
        let answers = scanner.answers
        guard !answers.isEmpty else { return }
        scanner.answers = []
        credit -= answers.count + Self.overheadBytes
        if !descriptor.sendAtOnce(answers) { refuse(.answersNotRead) }
    }

    private func refuse(_ reason: ConnectionRefusal) {
        guard refusal == nil else { return }
        refusal = reason
        sendAnswers()
        abandon()
    }

    /// FastCGI 1.0 §5.4: the peer still expects the request's end, as soon as possible. Whoever answers may go on for long. Nothing more
    /// is read: the peer must not send another request in vain.
    private func takeBack() {
        isAborted = isAnswering
        if let scanned { scanner.answers.appendEndRequest(scanned.id, .requestComplete) }
        sendAnswers()
        abandon()
        if isAborted { tellEndWhenWritable() }
    }

    /// Tells a peer that it took its request back, as soon as it takes that.
    private func tellEndWhenWritable() {
        guard !descriptor.isWritable else {
            isAborted = false
            tellEnd()
            return descriptor.shutDown()
        }
        do {
            watch = try Watch(descriptor.number, for: .writable, on: loop) { [unowned self] _ in
                watch?.cancel()
                // It may have left instead.
                if descriptor.isWritable { tellEndWhenWritable() }
            }
        } catch {
            // Its connection will end all the same.
        }
    }

    /// Cuts what is in flight. The descriptor stays open until its task has noticed.
    package func abandon() {
        guard state == .open else { return }
        state = .abandoned
        watch?.cancel()
        waiting = nil
        if !isAnswering { memory = nil }
        if isAnswering { onCallerLeft?() }
        wakeup.wake()
    }

    private func close() {
        guard state != .closed else { return }
        state = .closed
        watch?.cancel()
        waiting = nil
        memory = nil
        descriptor.shutDown()
    }

    // MARK: Answering

    private func begin(_ request: ScannedRequest) -> Request {
        parameters = RequestParameters(request.parameters)
        requestID = request.id
        keepsConnection = request.keepsConnection
        isAnswering = true
        requestNumber += 1
        body = request.body
        if body.isEmpty { memory = nil } else { memory?.shrink(to: body.count) }
        let start = requestStart.take() ?? loop.now
        return Request(connection: self, number: requestNumber, dropped: request.dropped, start: start)
    }

    /// The value that the web server gave to a parameter of the request with `number`; of duplicates the first.
    func parameter(_ name: StaticString, of number: Int) -> String? {
        isAnswering && number == requestNumber ? parameters[name] : nil
    }

    func isRepeated(_ name: StaticString, of number: Int) -> Bool {
        isAnswering && number == requestNumber && parameters.isRepeated(name)
    }

    func body(of number: Int) -> [UInt8] { isAnswering && number == requestNumber ? body : [] }

    func memory(of number: Int) -> MemoryShare? { isAnswering && number == requestNumber ? memory : nil }

    func releaseRequest(_ number: Int) {
        guard isAnswering, number == requestNumber else { return }
        (body, memory) = ([], nil)
        parameters = .none
    }

    /// Ends the answer; `true` when all of it has been written. One that is not complete is cut: the connection ends with
    /// it, so that nobody takes it for whole.
    @discardableResult
    func endAnswer(isComplete: Bool) -> Bool {
        guard isAnswering else { return false }
        isAnswering = false
        (body, memory) = ([], nil)
        parameters = .none
        unsentHead = []
        if isAborted && descriptor.isWritable { tellEnd() }
        let isWritten = isComplete && state == .open
        if isWritten && keepsConnection {
            scanner.requestAnswered()
            if scanner.isIdle { applyPendingChange() }
            setRequestDeadline()
            if lastRequestDeadline != nil { askForEnd() }
        } else {
            close()
        }
        return isWritten
    }

    /// A peer that took its request back waits for the end of it. The connection ends whether it can be told or not.
    private func tellEnd() {
        do throws(SystemError) {
            try buffers.writeLast([], requestID: requestID, to: descriptor)
        } catch {
            abandon()
        }
    }

    /// Suspends until the peer may take bytes again, the connection is abandoned, or `deadline` has come.
    func waitUntilWritable(_ deadline: Instant) async {
        isWaitingToWrite = true
        defer { isWaitingToWrite = false }
        do {
            try watch?.update([.readable, .peerClosed, .writable])
            await wakeup.wait(until: deadline)
            if state == .open { try watch?.update(.readableOrClosed) }
        } catch {
            abandon()
        }
    }
}
