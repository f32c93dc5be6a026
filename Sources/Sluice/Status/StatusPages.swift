// The status in its forms, for whoever asks: the control socket, the master, and the web server.

import Clock
import EventLoop
import FastCGI
import Settings

/// Makes pages of the status, off the loops. Those who ask for one that has not been begun all get the same.
actor StatusPages {
    nonisolated let loop: EventLoop
    nonisolated var unownedExecutor: UnownedSerialExecutor { unsafe loop.asUnownedSerialExecutor() }

    private struct Kind: Hashable {
        let form: StatusForm
        let tellsSockets: Bool
    }

    /// Whether the process is about to end.
    nonisolated let isDraining: @Sendable () -> Bool
    private let source: StatusSource
    private var pages: [Kind: Coalescer<[UInt8]?>] = [:]

    init(_ source: StatusSource, on loop: EventLoop) {
        (self.source, self.loop) = (source, loop)
        isDraining = source.isDraining
    }

    /// A page, with a line's end at its end.
    ///
    /// - Parameter tellsSockets: false for the master, who tells of the sockets himself: their queues are not this process's alone.
    /// - Returns: nil when the machine has no more threads, or the task was cancelled.
    func page(_ form: StatusForm, tellsSockets: Bool = true) async -> [UInt8]? {
        let kind = Kind(form: form, tellsSockets: tellsSockets)
        let page = pages[kind] ?? Coalescer(on: loop) { [source, loop] in await Self.make(kind, from: source, on: loop) }
        pages[kind] = page
        return await page.ask().value() ?? nil
    }

    private static func make(_ kind: Kind, from source: StatusSource, on loop: EventLoop) async -> [UInt8]? {
        let form = kind.form
        let status = await source.status(isFull: form.isFull, on: loop)
        let sockets = kind.tellsSockets ? source.sockets() : nil
        do {
            // The kernel is asked there too: it may have to load a module first.
            return try await runOnThread {
                var status = status
                status.listen = sockets?.map(Status.Listen.init)
                return Array((form.isJSON ? status.json : status.text).utf8) + [UInt8(ascii: "\n")]
            }
        } catch {
            return nil
        }
    }
}

extension Status.Listen {
    /// Not for loops, as the socket's queue.
    init(_ socket: ListeningSocket) { self.init(address: socket.name, queue: socket.queue) }
}
