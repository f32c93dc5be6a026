// One turn of the conversation as it is seen: a question, and its answer as it grows.

/// How many events of an answer can be looked at. What comes behind them is counted.
const eventsShownMax = 1000;

/// A whole answer is "complete", and nothing else is. Each says how it ended, and what is to be known of that.
const endings = {
    complete: ({ finishReason }) => `Complete: ${finishReason ?? "no finish reason"}.`,
    failed: () => "Broken off by an error, so this is not the whole answer.",
    faulty: ({ reason }) => `Not shown to its end, by a fault of this page, so this is not the whole answer: ${reason}.`,
    cut: ({ reason }) => `Cut off: the stream has ended before [DONE], so this is not the whole answer. ${reason}`,
    stopped: () => "Stopped by you, so this is not the whole answer.",
    refused: ({ status }) => `Refused with status ${status}.`,
    foreign: () => "This is no stream of events.",
    unreachable: ({ reason }) => `Not reached: ${reason}.`,
};

class Answer {
    text = "";
    finishReason = null;
    usage = null;
    #calls = [];
    #eventsCount = 0;
    #status = 0;
    #requestID = null;
    #view;
    #words = document.createTextNode("");
    #thoughts = document.createTextNode("");

    /// Shows the question at the end of the conversation.
    constructor(question, conversation) {
        const turn = document.querySelector("#turn").content.cloneNode(true);
        this.#view = turn.querySelector(".turn");
        this.#part("question").textContent = question;
        this.#part("text").append(this.#words);
        this.#part("thought").append(this.#thoughts);
        this.#part("state").textContent = "Waiting for the first event …";
        conversation.append(turn);
    }

    #part(name) { return this.#view.querySelector(`.${name}`); }

    /// Whether it calls tools, whose results nobody brings here.
    get callsTools() { return this.#calls.length > 0; }

    begin(response) {
        this.#status = response.status;
        this.#requestID = response.headers.get("X-Request-Id");
    }

    /// Takes an event, as it came so many milliseconds behind the question.
    ///
    /// Returns whether it has a token in it.
    take(lines, chunk, time, gap) {
        this.#list(lines, time, gap);
        if (chunk === null) return false;
        if (chunk.usage) this.usage = chunk.usage;
        const model = said(chunk.model);
        if (model !== "") this.#part("who").textContent = `Answer of ${model}`;
        const choice = chunk.choices?.[0];
        this.finishReason = said(choice?.finish_reason) || this.finishReason;
        return choice?.delta ? this.#add(choice.delta) : false;
    }

    #list(lines, time, gap) {
        this.#eventsCount += 1;
        this.#part("events").hidden = false;
        this.#part("events summary").textContent = `Events: ${this.#eventsCount}`;
        if (this.#eventsCount > eventsShownMax) return;
        const item = document.createElement("li");
        const moment = document.createElement("span");
        moment.textContent = gap === null ? `${time.toFixed(0)} ms` : `${time.toFixed(0)} ms, +${gap.toFixed(0)}`;
        item.append(moment, lines.join("\n"));
        this.#part("events ol").append(item);
        if (this.#eventsCount === eventsShownMax) {
            const last = document.createElement("li");
            last.textContent = "Later events are not listed.";
            this.#part("events ol").append(last);
        }
    }

    #add(delta) {
        const words = said(delta.content) + said(delta.refusal);
        const thoughts = said(delta.reasoning_content ?? delta.reasoning);
        const calls = Array.isArray(delta.tool_calls) ? delta.tool_calls : [];
        this.text += words;
        this.#words.appendData(words);
        if (thoughts !== "") {
            this.#part("thought").hidden = false;
            this.#thoughts.appendData(thoughts);
        }
        for (const piece of calls) this.#addCall(piece);
        const hasToken = words !== "" || calls.length > 0;
        if (hasToken) this.#part("state").textContent = "";
        return hasToken;
    }

    #addCall(piece) {
        const index = piece?.index ?? 0;
        // A server may write anything for it.
        if (!Number.isInteger(index) || index < 0 || index > 127) return;
        const call = (this.#calls[index] ??= { name: "", arguments: "" });
        call.name += said(piece?.function?.name);
        call.arguments += said(piece?.function?.arguments);
        const view = this.#part("calls");
        view.hidden = false;
        view.textContent = this.#calls.filter((call) => call).map((call) => `${call.name}(${call.arguments})`).join("\n");
    }

    /// Shows how it has ended, and an error as it is.
    end({ kind, reason = "", body = null }) {
        this.#view.dataset.ending = kind;
        const words = endings[kind]({ finishReason: this.finishReason, reason, status: this.#status });
        const sentences = [words.trim()];
        if (kind !== "complete" || this.callsTools) sentences.push("The next message goes out without this turn.");
        if (this.#requestID) sentences.push(`Request ${this.#requestID}.`);
        this.#part("state").textContent = sentences.join(" ");
        if (body === null) return;
        const object = parsedObject(body);
        this.#part("error").hidden = false;
        this.#part("error").textContent = object ? JSON.stringify(object, null, 2) : body;
    }
}
