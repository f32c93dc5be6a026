// The page itself: what is asked, and what becomes of the answer.

/// The folder of this page, whatever is before it; a slash at the end of its address makes no difference. As web servers read
/// an address, several slashes are one, and an escaped one is one, too. Here two at the beginning would have a host behind them.
const path = `${location.pathname}/`.replace(/(?:\/|%2f)+/gi, "/");
/// A page whose address is a `data:` has no origin.
const folder = location.origin === "null" ? null : new URL(location.origin + path);
if (folder?.origin !== location.origin) {
    element("send").disabled = true;
    show("note", "The address of this page leads to no Sluice: nothing is asked.");
    throw new Error("the page's address leads to no Sluice");
}
const addresses = {
    chat: new URL("../chat/completions", folder),
    models: new URL("../models", folder),
    status: new URL("status?full&json", folder),
};
const tokenKey = "sluice.token";

const conversation = element("conversation");
const timing = new Timing();
/// The turns that are whole, as the messages of the next request.
let turns = [];
/// What stops the answer that is on its way; null when none is.
let running = null;
/// The body of the request that went out last.
let lastRequest = null;

// MARK: What is asked

/// Thrown for what cannot be sent as it was written.
class Unusable extends Error {}

function tools() {
    const text = element("tools").value.trim();
    if (text === "") return undefined;
    const list = parsedObject(text);
    if (Array.isArray(list)) return list.length > 0 ? list : undefined;
    throw new Unusable("The tools are no array in JSON.");
}

/// The body of a request for the next answer. What was left empty is not in it.
function request(question) {
    const system = element("system").value;
    const temperature = element("temperature").value;
    return {
        model: element("model").value.trim() || undefined,
        messages: [
            ...(system.trim() === "" ? [] : [{ role: "system", content: system }]), ...turns, { role: "user", content: question },
        ],
        temperature: temperature === "" ? undefined : Number(temperature),
        tools: tools(),
        stream: true,
        stream_options: { include_usage: true },
    };
}

/// The token's header, where there is one: some web servers ask for none.
function authorization() {
    const token = element("token").value.trim();
    return token === "" ? {} : { Authorization: `Bearer ${token}` };
}

// MARK: What is answered

async function ask(question) {
    let body;
    try {
        body = JSON.stringify(request(question));
    } catch (error) {
        if (!(error instanceof Unusable)) throw error;
        return refuseTools(error.message);
    }
    refuseTools("");
    lastRequest = body;
    element("message").value = "";
    conversation.querySelector(".empty")?.remove();
    const answer = new Answer(question, conversation);
    keepInSight();
    start();
    const headers = { "Content-Type": "application/json", ...authorization() };
    let outcome;
    try {
        outcome = await answered(answer, { method: "POST", headers, body, signal: running.signal, cache: "no-store" });
        conclude(question, answer, outcome);
    } catch (error) {
        running.abort();
        conclude(question, answer, { kind: "faulty", reason: `${error}` });
    } finally {
        finish();
    }
    if (outcome?.status === 401 && !headers.Authorization) demandToken();
}

/// Shows an answer while it comes, and returns how it ended.
function answered(answer, options) {
    const asked = performance.now();
    timing.begin(asked);
    return stream(addresses.chat, options, {
        head(response) {
            answer.begin(response);
            timing.head(response);
        },
        event({ lines, data, chunk, at }) {
            followed(() => {
                const hasToken = answer.take(lines, chunk, at - asked, timing.gap(at));
                // Heartbeats are comments: the silence goes on.
                if (data !== null) timing.take(at, hasToken);
            });
        },
    });
}

/// Shows how an answer has ended. A turn that is whole goes out with the next; the question of another is there again.
function conclude(question, answer, outcome) {
    timing.end(answer.usage);
    followed(() => answer.end(outcome));
    if (outcome.kind === "complete" && !answer.callsTools) {
        turns.push({ role: "user", content: question }, { role: "assistant", content: answer.text });
    } else if (outcome.kind !== "complete" && element("message").value === "") {
        element("message").value = question;
        // What is typed there next takes its place. To select all of it would take the keyboard from another field.
        element("message").setSelectionRange(0, question.length);
    }
}

function demandToken() {
    show("note", "A token is needed: write it into its field, and send again.");
    element("token").focus();
}

function refuseTools(sentence) {
    show("tools-note", sentence);
    element("tools").setAttribute("aria-invalid", sentence !== "");
    if (sentence === "") return;
    element("tools").closest("details").open = true;
    element("tools").focus();
}

/// Screen readers read an answer out when it is over: it is busy until then.
function start() {
    running = new AbortController();
    conversation.setAttribute("aria-busy", "true");
    element("stop").disabled = false;
    if (document.activeElement === element("send")) element("stop").focus();
    element("send").disabled = true;
    show("note", "");
    element("command").hidden = true;
}

function finish() {
    running = null;
    conversation.setAttribute("aria-busy", "false");
    element("send").disabled = false;
    if (document.activeElement === element("stop")) element("message").focus();
    element("stop").disabled = true;
}

/// Changes what is at the conversation's end, and keeps that in sight unless the user has gone elsewhere.
function followed(change) {
    const isSeen = conversation.scrollHeight - conversation.scrollTop - conversation.clientHeight < 40;
    change();
    if (isSeen) keepInSight();
}

function keepInSight() { conversation.scrollTop = conversation.scrollHeight; }

// MARK: The request as a command

/// A word of a shell.
function quoted(text) { return `'${text.replaceAll("'", "'\\''")}'`; }

/// The token is the shell's variable: what is copied is shown to others.
function command(body) {
    const lines = [`curl -N ${quoted(addresses.chat.href)}`];
    if (authorization().Authorization) lines.push(`-H "Authorization: Bearer $TOKEN"`);
    lines.push("-H 'Content-Type: application/json'", `-d ${quoted(body)}`);
    return lines.join(" \\\n    ");
}

async function copyCommand() {
    const question = element("message").value.trim();
    let body = lastRequest;
    try {
        if (question !== "" || body === null) body = JSON.stringify(request(question || element("message").placeholder));
    } catch (error) {
        return refuseTools(error.message);
    }
    const text = command(body);
    try {
        await navigator.clipboard.writeText(text);
        show("note", "Copied, with $TOKEN in the place of the token.");
    } catch {
        // A browser gives the clipboard to pages of https alone, and not to all of them.
        element("command").value = text;
        element("command").hidden = false;
        element("command").select();
        show("note", "The browser lets no page copy: here it is.");
    }
}

// MARK: The models

async function listModels() {
    try {
        const response = await fetch(addresses.models, { headers: authorization(), cache: "no-store" });
        if (!response.ok) return show("model-note", `The list of models is refused with status ${response.status}.`);
        const names = (await response.json()).data.map((model) => said(model?.id)).filter((name) => name !== "");
        const options = names.map((name) => {
            const option = document.createElement("option");
            option.value = name;
            return option;
        });
        element("models").replaceChildren(...options);
        show("model-note", names.length === 0 ? "None is listed: any name may be written." : `${names.length} listed.`);
    } catch (error) {
        show("model-note", `The models cannot be had: ${error.message}.`);
    }
}

// MARK: What the user does

/// For this tab, and no longer than it. A browser may be told to keep nothing.
function keepToken(token) {
    try { sessionStorage.setItem(tokenKey, token); } catch { /* Then it is written again. */ }
}

function keptToken() {
    try { return sessionStorage.getItem(tokenKey) ?? ""; } catch { return ""; }
}

element("ask").addEventListener("submit", (event) => {
    event.preventDefault();
    const question = element("message").value.trim();
    if (running === null && question !== "") ask(question);
});
element("message").addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
    event.preventDefault();
    element("ask").requestSubmit();
});
document.addEventListener("keydown", (event) => {
    if (event.key === "Escape") running?.abort();
});
element("stop").addEventListener("click", () => running?.abort());
element("curl").addEventListener("click", copyCommand);
element("clear").addEventListener("click", () => {
    running?.abort();
    turns = [];
    conversation.replaceChildren();
    element("message").focus();
});
element("token").addEventListener("change", () => {
    keepToken(element("token").value.trim());
    listModels();
});

element("token").value = keptToken();
// Without a token most web servers refuse, and the browser's console has a line of it.
if (element("token").value !== "") listModels();
new StatusView(addresses.status);
