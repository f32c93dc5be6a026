// The status in its forms, for whoever asks: the control socket, the master, and the web server.

import Clock
import EventLoop
import FastCGI
import Settings

/// Makes pages of the status, off the loops. Those who ask for one that has not been begun all get the same.
actor StatusPages {
    nonisolated let loop: EventLoop
    nonisolated var unownedExecutor: UnownedSerialExecutor { unsafe loop.asUnownedSerialExecutor() }

    /// Who asks.
    enum Asker {
        /// Gets the page alone.
        case webServer
        /// Gets the page as a `ControlAnswer`.
        case controlSocket
        /// The same, but tells of the sockets himself: their queues are not this process's alone.
        case master
    }

    private struct Kind: Hashable {
        let form: StatusForm
        let asker: Asker
    }

    /// Whether the process is about to end.
    nonisolated let isDraining: @Sendable () -> Bool
    private let source: StatusSource
    /// How this process does, for the metrics; nil where nothing is counted.
    private let gauges: MetricGauges?
    private var pages: [Kind: Coalescer<Result<[UInt8], SystemError>>] = [:]
    private var metricsPages: [MetricsFormat: Coalescer<Result<[UInt8], SystemError>>] = [:]

    init(_ source: StatusSource, _ gauges: MetricGauges? = nil, on loop: EventLoop) {
        (self.source, self.gauges, self.loop) = (source, gauges, loop)
        isDraining = source.isDraining
    }

    /// The metrics of all processes, with a line's end at the end.
    ///
    /// - Returns: as `page`.
    func metrics(as format: MetricsFormat) async -> Result<[UInt8], SystemError>? {
        guard let gauges else { return .success([]) }
        let page = metricsPages[format] ?? Coalescer(on: loop) { await Self.make(format, gauges) }
        metricsPages[format] = page
        return await page.ask().value()
    }

    private static func make(_ format: MetricsFormat, _ gauges: MetricGauges) async -> Result<[UInt8], SystemError> {
        await gauges.tell()
        let table = gauges.metrics.table
        // There may be many.
        return await resultOnThread { MetricsPage(table.series, as: format).bytes + [UInt8(ascii: "\n")] }
    }

    /// A page, with a line's end at its end.
    ///
    /// - Returns: nil when the task was cancelled; an error when the machine has no more threads.
    func page(_ form: StatusForm, for asker: Asker) async -> Result<[UInt8], SystemError>? {
        let kind = Kind(form: form, asker: asker)
        let page = pages[kind] ?? Coalescer(on: loop) { [source, loop] in await Self.make(kind, from: source, on: loop) }
        pages[kind] = page
        return await page.ask().value()
    }

    private static func make(_ kind: Kind, from source: StatusSource, on loop: EventLoop) async -> Result<[UInt8], SystemError> {
        let form = kind.form
        let status = await source.status(isFull: form.isFull, on: loop)
        let (sockets, isPart) = (source.sockets(), kind.asker == .master)
        // The kernel is asked there too: it may have to load a module first.
        return await resultOnThread {
            var status = status
            status.width = form.width
            // In text the master says it, ahead of all that this process says.
            if isPart, !form.isJSON { status.head.part = nil }
            status.listen = isPart ? nil : sockets.map(Status.Listen.init)
            status.listenQueueMax = sockets.compactMap(\.queueMax).max()
            let text = form.isJSON ? status.json : status.text
            return kind.asker == .webServer ? Array("\(text)\n".utf8) : ControlAnswer(.ok, [text]).bytes
        }
    }
}

extension Status.Listen {
    /// Not for loops, as the socket's queue.
    init(_ socket: ListeningSocket) { self.init(address: socket.name, queue: socket.queue) }
}
