// When the events of an answer came: the figures, and a dot for each.

/// How many events have a dot, and count for the gaps.
const dotsMax = 5000;

class Timing {
    #asked = 0;
    #last = null;
    #firstToken = null;
    #lastToken = null;
    #tokenEventsCount = 0;
    #count = 0;
    #gaps = [];
    #dots = "";
    #usage = null;
    #isOver = true;
    #awaitsFrame = false;

    /// Forgets what was before: an answer is asked for at that moment.
    begin(at) {
        this.#asked = at;
        this.#last = this.#firstToken = this.#lastToken = this.#usage = null;
        this.#tokenEventsCount = this.#count = 0;
        this.#gaps = [];
        this.#dots = "";
        this.#isOver = false;
        show("server-timing", "");
        element("server-timing").hidden = true;
        this.#draw();
    }

    head(response) {
        const parts = [...(response.headers.get("Server-Timing") ?? "").matchAll(/([a-z]+);dur=([0-9.]+)/g)];
        if (parts.length === 0) return;
        element("server-timing").hidden = false;
        show("server-timing", `Until the first token, by Sluice: ${parts.map(([, name, time]) => `${name} ${inWords(+time)}`).join(", ")}.`);
    }

    /// How long before that moment the last event came; null for the first.
    gap(at) { return this.#last === null ? null : at - this.#last; }

    /// Takes an event that came at that moment.
    take(at, hasToken) {
        const gap = this.gap(at);
        this.#last = at;
        this.#count += 1;
        if (this.#count <= dotsMax) {
            if (gap !== null) this.#gaps.push(gap);
            // The height is the logarithm of milliseconds, from 1 to 10,000 of them.
            const height = Math.log10(Math.min(Math.max(gap ?? 1, 1), 10_000));
            this.#dots += `M${(at - this.#asked).toFixed(1)} ${(-height).toFixed(3)}h0`;
        }
        if (hasToken) {
            this.#firstToken ??= at;
            this.#lastToken = at;
            this.#tokenEventsCount += 1;
        }
        this.#drawSoon();
    }

    /// Nothing more comes.
    end(usage) {
        this.#usage = usage;
        this.#isOver = true;
        this.#draw();
    }

    #drawSoon() {
        if (this.#awaitsFrame) return;
        this.#awaitsFrame = true;
        requestAnimationFrame(() => {
            this.#awaitsFrame = false;
            this.#draw();
        });
    }

    #draw() {
        const end = (this.#last ?? this.#asked) - this.#asked;
        const first = this.#firstToken === null ? null : this.#firstToken - this.#asked;
        show("first-token", first === null ? "–" : inWords(first));
        show("events-count", this.#count === 0 ? "–" : `${this.#count}`);
        show("whole", this.#isOver && this.#count > 0 ? inWords(end) : "–");
        this.#drawRate();
        const gaps = this.#drawGaps();
        const width = Math.max(end * 1.02, 100);
        element("dots").setAttribute("viewBox", `0 -4.2 ${width.toFixed(1)} 4.4`);
        element("dots").setAttribute("aria-label", this.#count === 0 ? "No event yet" : `${this.#count} events in ${inWords(end)}${gaps}`);
        element("event-dots").setAttribute("d", this.#dots);
        element("first-line").setAttribute("d", first === null ? "" : `M${first.toFixed(1)}-4.2V0.2`);
        show("span-end", this.#count === 0 ? "" : inWords(end));
    }

    /// By what the upstream says of tokens, behind the first one; else by the events that have text, and named so.
    #drawRate() {
        const tokens = this.#usage?.completion_tokens;
        const count = Number.isFinite(tokens) ? tokens : this.#tokenEventsCount;
        const seconds = (this.#lastToken - this.#firstToken) / 1000;
        show("rate-name", Number.isFinite(tokens) ? "Tokens/s" : "Chunks/s");
        show("rate", count > 1 && seconds > 0 ? ((count - 1) / seconds).toFixed(1) : "–");
        const [prompt, completion] = [this.#usage?.prompt_tokens, tokens].map((count) => said(count) || "?");
        show("usage", this.#usage ? `${prompt}, ${completion}` : "–");
    }

    /// Returns the same in words.
    #drawGaps() {
        const gaps = this.#gaps.toSorted((one, other) => one - other);
        const share = (part) => gaps[Math.min(Math.floor(gaps.length * part), gaps.length - 1)];
        const [median, late, longest] = gaps.length === 0 ? ["–", "–", "–"] : [share(0.5), share(0.95), gaps.at(-1)].map(inWords);
        show("gap-median", median);
        show("gap-p95", late);
        show("gap-longest", longest);
        return gaps.length === 0 ? "" : `; gaps: median ${median}, 95th percentile ${late}, longest ${longest}`;
    }
}

/// Milliseconds as people read them.
function inWords(milliseconds) {
    if (milliseconds < 10) return `${milliseconds.toFixed(1)} ms`;
    if (milliseconds < 1000) return `${milliseconds.toFixed(0)} ms`;
    if (milliseconds < 100_000) return `${(milliseconds / 1000).toFixed(2)} s`;
    return `${(milliseconds / 60_000).toFixed(1)} min`;
}

function element(id) { return document.getElementById(id); }

function show(id, text) {
    // What has not changed is not written, and screen readers have nothing to read.
    if (element(id).textContent !== text) element(id).textContent = text;
}
