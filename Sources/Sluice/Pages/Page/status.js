// How this Sluice does, every two seconds while somebody looks.

/// How many requests are listed.
const requestsShownMax = 20;
/// So many first tokens must be known before there is a percentile of them.
const firstTokensMin = 20;

class StatusView {
    #url;
    #timer = null;
    #isAsking = false;

    constructor(url) {
        this.#url = url;
        document.addEventListener("visibilitychange", () => this.#askNow());
        element("ask-again").addEventListener("click", () => this.#askNow());
        this.#askNow();
    }

    async #askNow() {
        clearTimeout(this.#timer);
        if (document.visibilityState !== "visible" || this.#isAsking) return;
        this.#isAsking = true;
        const mayAskAgain = await this.#ask();
        this.#isAsking = false;
        if (mayAskAgain) this.#timer = setTimeout(() => this.#askNow(), 2000);
    }

    /// Returns false when it is refused, so that there is no use in asking on.
    async #ask() {
        try {
            const response = await fetch(this.#url, { cache: "no-store", signal: AbortSignal.timeout(10_000) });
            if (!response.ok) {
                this.#refuse(`The status is refused here, with status ${response.status}: the web server says who may see it.`);
                element("ask-again").hidden = false;
                return false;
            }
            this.#draw(await response.json());
        } catch (error) {
            this.#refuse(`The status cannot be had: ${error.message}. It is asked for again.`);
        }
        return true;
    }

    #refuse(sentence) {
        for (const id of ["upstreams", "streams", "ask-again"]) element(id).hidden = true;
        for (const id of ["process", "active", "upstreams-note", "streams-note"]) show(id, "");
        element("refused").hidden = false;
        show("refused", sentence);
    }

    #draw(status) {
        element("refused").hidden = element("ask-again").hidden = true;
        const age = ageInWords(status.start_since);
        show("process", `${status.version}, process ${status.process}, ${status.state} for ${age}, generation ${status.generation}`);
        const upstreams = status.upstreams.flatMap((upstream) => [
            upstreamRow(upstream),
            ...status.targets.filter((target) => target.upstream === upstream.name).map(targetRow),
        ]);
        fill("upstreams", upstreams);
        const hasNone = status.targets.some((target) => target.first_token_p50 === null);
        show("upstreams-note", hasNone ? `p50 and p95 of the first tokens are known once there are ${firstTokensMin} of them.` : "");
        const requests = status.active_requests ?? [];
        show("active", `${status.active} now, ${status.max_active} at most`);
        fill("streams", requests.slice(0, requestsShownMax).map(requestRow));
        const more = requests.length - requestsShownMax + (status.active_requests_left_out ?? 0);
        const sums = `${status.answered} answered, ${status.failed} failed, ${status.callers_left} left by their callers.`;
        show("streams-note", (more > 0 ? `And ${more} more. ` : "") + sums);
    }
}

function upstreamRow({ name, open, queued, places }) {
    const all = places === null ? `${open}` : `${open} of ${places}`;
    return row("upstream", [name, all, "", "", queued > 0 ? `${queued} queued` : ""]);
}

function targetRow(target) {
    const time = (seconds, otherwise) => (seconds === null ? otherwise : inWords(seconds * 1000));
    const known = `${target.first_tokens} of ${firstTokensMin}`;
    const model = target.model === null || target.model === target.route ? "" : ` → ${target.model}`;
    const troubles = ["failed", "cut"].filter((name) => target[name] > 0).map((name) => `${target[name]} ${name}`);
    const counts = [`${target.asked} asked`, ...troubles].join(", ");
    return row(
        target.rests_for === null ? "target" : "target rests",
        [target.route + model, "", time(target.first_token_p50, known), time(target.first_token_p95, "–"), rest(target.rests_for) ?? counts]);
}

/// Until when a target rests; null when it does not.
function rest(seconds) {
    return seconds === null ? null : `rests until ${new Date(Date.now() + seconds * 1000).toLocaleTimeString()}`;
}

function requestRow({ state, age, events, silence, upstream, client }) {
    const times = [age, silence].map((seconds) => (seconds === null ? "–" : ageInWords(seconds)));
    return row("", [state, times[0], `${events}`, times[1], upstream ?? "–", client ?? "–"]);
}

/// A row of a table, its first cell as the header of the others.
function row(kind, texts) {
    const row = document.createElement("tr");
    row.className = kind;
    texts.forEach((text, place) => {
        const cell = document.createElement(place === 0 ? "th" : "td");
        if (place === 0) cell.scope = "row";
        cell.textContent = text;
        row.append(cell);
    });
    return row;
}

function fill(id, rows) {
    element(id).tBodies[0].replaceChildren(...rows);
    element(id).hidden = rows.length === 0;
}

function ageInWords(seconds) {
    if (seconds < 100) return `${seconds.toFixed(1)} s`;
    if (seconds < 6000) return `${Math.floor(seconds / 60)} min`;
    return seconds < 172_800 ? `${Math.floor(seconds / 3600)} h` : `${Math.floor(seconds / 86_400)} days`;
}
