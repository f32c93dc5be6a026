// The status in its forms, for whoever asks: the control socket, and the web server.

import Clock
import EventLoop
import FastCGI
import Settings

/// In which form the status is told.
struct StatusForm: Hashable, Sendable {
    var isJSON = false
    /// With each request that is being answered.
    var isFull = false

    init(isJSON: Bool = false, isFull: Bool = false) { (self.isJSON, self.isFull) = (isJSON, isFull) }

    /// By a URL's query: `json`, `full`, or both. Whatever else is in it is nobody's.
    init(query: String?) {
        guard let query = query.map(Query.init) else { return }
        (isJSON, isFull) = (query["json"] != nil, query["full"] != nil)
    }

    var contentType: String { isJSON ? "application/json" : "text/plain; charset=utf-8" }
}

/// Makes pages of the status one after the other, each off the loops. Those who ask for one that has not been begun all get the same.
actor StatusPages {
    nonisolated let loop: EventLoop
    nonisolated var unownedExecutor: UnownedSerialExecutor { unsafe loop.asUnownedSerialExecutor() }

    /// Whether the process is about to end.
    nonisolated let isDraining: @Sendable () -> Bool
    private let source: StatusSource
    private var last: Task<[UInt8]?, Never>?
    /// Those that have not been begun.
    private var waiting: [StatusForm: Task<[UInt8]?, Never>] = [:]

    init(_ source: StatusSource, on loop: EventLoop) {
        (self.source, self.loop) = (source, loop)
        isDraining = source.isDraining
    }

    /// A page, with a line's end at its end.
    ///
    /// - Returns: nil when the machine has no more threads.
    func page(_ form: StatusForm) async -> [UInt8]? {
        if let task = waiting[form] { return await task.value }
        let task = Task(executorPreference: loop) { [last] in
            _ = await last?.value
            return await self.make(form)
        }
        (last, waiting[form]) = (task, task)
        return await task.value
    }

    private func make(_ form: StatusForm) async -> [UInt8]? {
        waiting[form] = nil
        let (status, sockets) = (await source.status(isFull: form.isFull, on: loop), source.sockets())
        do {
            // The kernel is asked there too: it may have to load a module first.
            return try await runOnThread {
                var status = status
                status.listen = sockets.map { Status.Listen(address: "\($0.address)", queue: $0.queue) }
                return Array((form.isJSON ? status.json : status.text).utf8) + [UInt8(ascii: "\n")]
            }
        } catch {
            return nil
        }
    }
}
