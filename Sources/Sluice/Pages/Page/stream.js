// What comes over the wire: server-sent events as they arrive, and how an answer ends.

/// Cuts a text that comes in pieces into events (WHATWG HTML §9.2.6). An event is the lines up to an empty one, whatever ends them.
class EventSplitter {
    #rest = "";
    #lines = [];
    /// Whether the last piece has ended with a CR, to which an LF at the next one's beginning belongs.
    #awaitsLF = false;

    /// The events that the piece completes, each as its lines.
    *events(piece) {
        if (this.#awaitsLF && piece.startsWith("\n")) piece = piece.slice(1);
        this.#awaitsLF = piece.endsWith("\r");
        const lines = (this.#rest + piece).split(/\r\n|\n|\r/);
        this.#rest = lines.pop();
        for (const line of lines) {
            if (line !== "") {
                this.#lines.push(line);
            } else if (this.#lines.length > 0) {
                yield this.#lines;
                this.#lines = [];
            }
        }
    }

    /// Whether an event has begun that is not whole.
    get isInside() { return this.#rest !== "" || this.#lines.length > 0; }
}

/// The data of an event; null for a comment, which has none.
function dataOf(lines) {
    const data = lines.filter((line) => line === "data" || line.startsWith("data:"));
    return data.length === 0 ? null : data.map((line) => line.replace(/^data:? ?/, "")).join("\n");
}

/// The object that a text is; null when it is none.
function parsedObject(text) {
    try {
        const value = JSON.parse(text);
        return typeof value === "object" ? value : null;
    } catch {
        return null;
    }
}

/// What an upstream says where a text belongs. It may be anything there. What is neither a text nor a number counts as none:
/// an object may have members that keep it from becoming a text.
function said(value) { return typeof value === "string" || typeof value === "number" ? `${value}` : ""; }

/// Asks for an answer and hands on what comes: `head(response)`, then for each event `event({ lines, data, chunk, at })`, with its time.
/// A comment has no data, and what is no JSON no chunk.
///
/// Returns how it ended. Only "complete" is a whole answer: the stream has ended with [DONE], and with no error.
/// What the two throw is no failure of the connection's, and is thrown on.
async function stream(url, options, { head, event }) {
    const broken = (kind, error) => (options.signal.aborted ? { kind: "stopped" } : { kind, reason: error.message });
    let response;
    try {
        response = await fetch(url, options);
    } catch (error) {
        return broken("unreachable", error);
    }
    head(response);
    const isStream = /^text\/event-stream\b/.test(response.headers.get("Content-Type") ?? "");
    if (response.ok && isStream) return readEvents(response.body, event, (error) => broken("cut", error));
    try {
        return { kind: response.ok ? "foreign" : "refused", status: response.status, body: await response.text() };
    } catch (error) {
        return broken("cut", error);
    }
}

/// - `broken(error)`: how it has ended when there is nothing more to be read.
async function readEvents(body, event, broken) {
    const splitter = new EventSplitter();
    const reader = body.pipeThrough(new TextDecoderStream()).getReader();
    let isDone = false;
    try {
        for (;;) {
            const { done, value, error } = await reader.read().catch((error) => ({ error }));
            const at = performance.now();
            if (error) return broken(error);
            if (done) return { kind: "cut", reason: splitter.isInside ? "The last event is not whole." : "" };
            for (const lines of splitter.events(value)) {
                const data = dataOf(lines);
                const chunk = data === null ? null : parsedObject(data);
                isDone = data === "[DONE]";
                event({ lines, data, chunk, at });
                if (isDone) return { kind: "complete" };
                if (chunk?.error) return { kind: "failed", body: JSON.stringify({ error: chunk.error }) };
            }
        }
    } finally {
        // Nobody reads on, so it has to end. Behind [DONE] it does by itself, and who left there would count as gone too early.
        if (!isDone) reader.cancel().catch(() => { /* It has failed, which is told already. */ });
    }
}
