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

/// Asks for an answer and hands on what comes: `head(response)`, then for each event `event({ lines, data, chunk, at })`, with its time.
/// A comment has no data, and what is no JSON no chunk.
///
/// Returns how it ended. Only "complete" is a whole answer: the stream has ended with [DONE], and with no error.
async function stream(url, options, { head, event }) {
    let response;
    try {
        response = await fetch(url, options);
        head(response);
        if (!response.ok) return { kind: "refused", body: await response.text() };
        if (!/^text\/event-stream\b/.test(response.headers.get("Content-Type") ?? "")) {
            return { kind: "foreign", body: await response.text() };
        }
        return await readEvents(response.body, event);
    } catch (error) {
        if (options.signal.aborted) return { kind: "stopped" };
        return { kind: response ? "cut" : "unreachable", reason: error.message };
    }
}

async function readEvents(body, event) {
    const splitter = new EventSplitter();
    const pieces = body.pipeThrough(new TextDecoderStream()).getReader();
    for (;;) {
        const { done, value } = await pieces.read();
        const at = performance.now();
        if (done) return { kind: "cut", reason: splitter.isInside ? "The last event is not whole." : "" };
        for (const lines of splitter.events(value)) {
            const data = dataOf(lines);
            const chunk = data === null ? null : parsedObject(data);
            event({ lines, data, chunk, at });
            if (data === "[DONE]") return { kind: "complete" };
            if (chunk?.error) return { kind: "failed", body: JSON.stringify({ error: chunk.error }) };
        }
    }
}
