// Whether the server at the other end of a shared connection is there.

import CNghttp2
import Clock
import EventLoop

extension HTTP2 {
    struct Silence {
        /// Since when somebody waits for a sign of life, while not a byte has come.
        var since: Instant?
        /// Whether a PING has gone out since.
        var isAsked = false
        /// Whether it has lasted so long that new streams go elsewhere until the server answers a PING.
        var isSuspect = false
        var timer: Timer?
    }

    /// Without a request: it shows whether the server is there.
    func ping() {
        submitPing()
        expectSign()
        flush()
    }

    private func submitPing() {
        silence.isAsked = true
        _ = unsafe nghttp2_submit_ping(nghttp2, UInt8(NGHTTP2_FLAG_NONE.rawValue), nil)
    }

    func expectSign() { if silence.since == nil { beginSilence(at: .current) } }

    private func beginSilence(at now: Instant) {
        silence.since = now
        let timer = silence.timer ?? Timer(on: connection.context.loop) { [unowned self] in checkSilence() }
        silence.timer = timer
        if !timer.isSet { timer.set(at: now + connection.context.configuration.silenceMax) }
    }

    /// Who waits goes on watching: SETTINGS are no answer, however late they are. Once a PING was answered the next request begins
    /// anew, since a server that is asked every second may call that a flood.
    func heard() {
        guard silence.since != nil else { return }
        silence.isAsked = false
        let wasSuspect = exchange(&silence.isSuspect, with: false)
        if wasSuspect { mayHaveRoom = true }
        if wasSuspect, hasSettings { silence.since = nil } else { beginSilence(at: connection.context.loop.now) }
    }

    /// New streams go elsewhere while it is silent. Those that it has keep it, since a busy server may be late with all its answers.
    private func checkSilence() {
        guard let since = silence.since else { return }
        let silenceMax = connection.context.configuration.silenceMax
        let now = connection.context.loop.now
        guard now >= since + silenceMax else {
            silence.timer?.set(at: since + silenceMax)
            return
        }
        if streams.isEmpty, !silence.isAsked {
            // Who waited has left: it is no reason to let go of a server that may have had nothing to say.
            silence.since = now
            silence.timer?.set(at: now + silenceMax)
        } else {
            silence.isSuspect = true
        }
        if !silence.isAsked { submitPing() }
        flush()
    }
}
