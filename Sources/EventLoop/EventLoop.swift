// One thread's event loop: epoll readiness, jobs, timers. It is the executor of the actor that lives on it.

import CLinux
package import Clock
import Glibc
import Synchronization

/// An epoll loop that runs on exactly one thread and is the serial executor and the task executor of one actor.
///
/// Everything that belongs to a loop (watches, timers, waits) is used on its thread only; `enqueue`, `stop` and
/// `isCurrent` may be called from any thread. That rule, and not the compiler, is what makes the class `Sendable`.
package final class EventLoop: SerialExecutor, TaskExecutor, @unchecked Sendable {
    /// The time of the present turn, read once after each wait: cheap, and at most one turn old.
    ///
    /// A deadline that has passed by it has passed before the loop has looked what has come. But time that others are given is counted from
    /// `Instant.current`: the turn may have taken long until then, by its work or because the process stood still, and they had none of
    /// that.
    package var now: Instant { turn }

    // Private storage behind what others see, and arrays that are only moved out and in again: then the compiler sees that no two
    // accesses overlap, and the runtime need not look, which it does at each access else.
    private var turn = Instant.current

    /// Told of a mistake in this process that harms nobody: a sentence for the log.
    package var onDefect: ((StaticString) -> Void)?

    private(set) var timers = TimerHeap()
    /// When to look at the timers again; asked in each turn, and so kept where that costs nothing.
    private var timersDue = Instant.distantFuture
    private let epoll: Descriptor
    let remoteQueue: RemoteQueue
    private let thread = Atomic<UInt>(0)
    private let isStopped = Atomic<Bool>(false)
    /// Jobs that its own thread has enqueued; those of other threads come by `remoteQueue`.
    private var localJobs: [UnownedJob] = []
    /// Empty: its memory is used again.
    private var spareJobs: [UnownedJob] = []
    /// Those whose handlers are to run.
    private var wakeups: [Wakeup] = []
    /// As `spareJobs`.
    private var spareWakeups: [Wakeup] = []
    /// The watch of each descriptor, by its number.
    private(set) var watches: [Watch?] = []
    /// Counts registrations, and so tells two watches of one number apart: the high half of a token.
    private var generation: UInt32 = 0

    /// - Throws: `SystemError` when the process is out of descriptors.
    package init() throws(SystemError) {
        epoll = Descriptor(owning: try SystemError.check("epoll_create1", epoll_create1(Int32(EPOLL_CLOEXEC))))
        remoteQueue = try RemoteQueue()
        let number = remoteQueue.descriptor.number
        // Told once for each wake (EPOLLET), so that nobody has to take its count back for the loop to rest again.
        try control(EPOLL_CTL_ADD, number, events: EPOLLIN.rawValue | EPOLLET.rawValue, token: UInt64(number))
    }

    // MARK: Running

    /// Whether the caller runs on this loop's thread.
    package var isCurrent: Bool { thread.load(ordering: .relaxed) == UInt(pthread_self()) }

    /// Runs jobs, timers and readiness handlers on the calling thread until `stop()`.
    package func run() {
        thread.store(UInt(pthread_self()), ordering: .relaxed)
        var events = unsafe [epoll_event](repeating: epoll_event(), count: Self.eventsMax)
        var delays = 0
        turn = .current
        while !isStopped.load(ordering: .acquiring) {
            runJobs()
            let hasSeenAll = unsafe look(into: &events)
            if remoteQueue.isOverdue { takeArrivals() }
            // What has come counts more than a deadline that has passed too: the process may have stood still meanwhile.
            runJobs()
            delays = hasSeenAll || delays == Self.delaysMax ? 0 : delays + 1
            if delays == 0 { fireTimers(at: now) }
        }
        runJobs()
        remoteQueue.close()
    }

    /// How many descriptors are looked at in a turn.
    static let eventsMax = 256
    /// How many turns in a row timers may wait for descriptors that nobody has looked at.
    private static let delaysMax = 64

    /// Waits until something is ready, and calls its handlers.
    ///
    /// - Returns: whether all that was ready was looked at: there may be too much for a turn, and a wait is interrupted when the process is
    ///   stopped and goes on (signal(7)).
    private func look(into events: inout [epoll_event]) -> Bool {
        let count = unsafe Int(epoll_wait(epoll.number, &events, Int32(events.count), millisecondsToWait()))
        turn = .current
        for index in 0..<max(count, 0) {
            dispatch(events: unsafe events[index].events, token: unsafe events[index].data.u64)
        }
        return unsafe count >= 0 && count < events.count
    }

    /// Ends `run()` after the present turn. From any thread.
    package func stop() {
        isStopped.store(true, ordering: .releasing)
        remoteQueue.wake()
    }

    private func millisecondsToWait() -> Int32 {
        guard localJobs.isEmpty, wakeups.isEmpty else { return 0 }
        guard timersDue != .distantFuture else { return -1 }
        let nanoseconds = timersDue.nanoseconds - Instant.current.nanoseconds
        return nanoseconds > 0 ? Int32(clamping: (nanoseconds - 1) / 1_000_000 + 1) : 0
    }

    private func fireTimers(at moment: Instant) {
        while timersDue <= moment, let timer = popDueTimer(moment) { timer.action() }
    }

    private func popDueTimer(_ moment: Instant) -> Timer? {
        let timer = timers.popDue(moment)
        timersDue = timers.first ?? .distantFuture
        return timer
    }

    /// It is set, or set to another moment.
    func place(_ timer: Timer) { timersDue = timers.place(timer) ?? .distantFuture }

    func remove(_ timer: Timer) { timersDue = timers.remove(timer) ?? .distantFuture }

    private func dispatch(events: UInt32, token: UInt64) {
        let number = Int(truncatingIfNeeded: token & 0xFFFF_FFFF)
        if number == Int(remoteQueue.descriptor.number) { return takeArrivals() }
        // A handler earlier in the batch may have closed this descriptor, and its number may serve another one by now.
        guard number < watches.count, let watch = watches[number], watch.token == token else { return }
        watch.handler(Readiness(rawValue: events))
    }

    // MARK: Jobs

    /// From any thread. Jobs of other threads cost a write to wake the loop, its own none.
    package func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        guard isCurrent else { return remoteQueue.append(job) }
        var jobs = exchange(&localJobs, with: [])
        jobs.append(job)
        localJobs = jobs
    }

    /// Ends the process when the caller runs on another thread.
    package func checkIsolated() {
        precondition(isCurrent, "called from outside the event loop's thread")
    }

    /// The same as `isCurrent`; never `nil`, which would mean that it is not known.
    package func isIsolatingCurrentContext() -> Bool? { isCurrent }

    /// Runs what is ready, and what that makes ready, but leaves what a job enqueues for itself to the next turn's readiness.
    private func runJobs() {
        for _ in 0..<8 {
            if localJobs.isEmpty, wakeups.isEmpty { return }
            if !wakeups.isEmpty { runHandlers() }
            if !localJobs.isEmpty { runLocalJobs() }
        }
    }

    private func runLocalJobs() {
        var jobs = exchange(&localJobs, with: exchange(&spareJobs, with: []))
        for job in jobs {
            unsafe job.runSynchronously(isolatedTo: asUnownedSerialExecutor(), taskExecutor: asUnownedTaskExecutor())
        }
        jobs.removeAll(keepingCapacity: true)
        spareJobs = jobs
    }

    /// Lets a wakeup's handler run among the jobs.
    func queueHandler(of wakeup: Wakeup) {
        var queue = exchange(&wakeups, with: [])
        queue.append(wakeup)
        wakeups = queue
    }

    private func runHandlers() {
        var queue = exchange(&wakeups, with: exchange(&spareWakeups, with: []))
        // The first one last, where it is taken from: there are few, and to empty an array by other means costs more.
        queue.reverse()
        while let wakeup = queue.popLast() { wakeup.runHandler() }
        spareWakeups = queue
    }

    private func takeArrivals() {
        var jobs = exchange(&localJobs, with: [])
        let actions = remoteQueue.takeArrivals(jobs: &jobs)
        localJobs = jobs
        remoteQueue.run(actions)
    }

    // MARK: Watches

    /// A watch that its owner has forgotten to cancel must not keep the next owner of the number from being heard.
    func insert(_ watch: Watch, interest: Readiness) throws(SystemError) -> UInt64 {
        let number = Int(watch.descriptor)
        precondition(number >= 0)
        // What its handler captures may cancel other watches as it goes: it goes outside the access to the list.
        let former = put(nil, at: number)
        if former != nil {
            _ = epoll_ctl(epoll.number, EPOLL_CTL_DEL, watch.descriptor, nil)
            onDefect?("a descriptor was closed while it was watched")
        }
        generation &+= 1
        let token = UInt64(generation) << 32 | UInt64(number)
        try control(EPOLL_CTL_ADD, watch.descriptor, events: interest.rawValue, token: token)
        _ = put(watch, at: number)
        return token
    }

    /// - Returns: what was there.
    private func put(_ watch: Watch?, at number: Int) -> Watch? {
        var watches = exchange(&self.watches, with: [])
        while watches.count <= number { watches.append(nil) }
        let former = watches[number]
        watches[number] = watch
        self.watches = watches
        return former
    }

    /// The kernel forgets a descriptor that was closed, also one whose number has been opened again since.
    func modify(_ watch: Watch, interest: Readiness) throws(SystemError) {
        guard isRegistered(watch) else { return }
        do {
            try control(EPOLL_CTL_MOD, watch.descriptor, events: interest.rawValue, token: watch.token)
        } catch {
            guard error.code == ENOENT else { throw error }
            try control(EPOLL_CTL_ADD, watch.descriptor, events: interest.rawValue, token: watch.token)
        }
    }

    /// The descriptor may have been closed by its owner already; then the kernel has forgotten it.
    func remove(_ watch: Watch) {
        guard isRegistered(watch) else { return }
        _ = put(nil, at: Int(watch.descriptor))
        _ = epoll_ctl(epoll.number, EPOLL_CTL_DEL, watch.descriptor, nil)
    }

    /// Whether its descriptor's number is still its own, and not another watch's.
    private func isRegistered(_ watch: Watch) -> Bool {
        let number = Int(watch.descriptor)
        return number < watches.count && watches[number] === watch
    }

    private func control(_ operation: Int32, _ descriptor: Int32, events: UInt32, token: UInt64) throws(SystemError) {
        var event = unsafe epoll_event()
        unsafe event.events = events
        unsafe event.data.u64 = token
        _ = try SystemError.check("epoll_ctl", unsafe epoll_ctl(epoll.number, operation, descriptor, &event))
    }
}
