"""What is asked, all at once, and what the answers must be (the contract's §3)."""

import json

import wire
from callers import HEARTBEAT, Leave, Pace


large_bytes_max = 7_500_000


class Wrong(Exception):
    """An answer that must not be."""


class Case:
    """One request: what it asks, over which way, and what its answer must be."""

    def __init__(self, model, order, check, **options):
        self.model, self.order, self.check = model, order, check
        self.stream = options.get("stream", True)
        self.way = options.get("way", "fastcgi")
        self.fresh = options.get("fresh", False)
        self.leave = options.get("leave")
        self.pace = options.get("pace")
        # A caller may have left before Sluice saw its request.
        self.is_logged = options.get("is_logged", not self.leave or self.leave.frames is not None)


# Checks. Each makes a function of the answer.

def whole(nonce, order, *tags):
    """A stream, whole and in order, of one of the targets and not of two."""
    def check(answer):
        expect_stream(answer)
        streams = [b"".join(wire.frames(nonce, tag, order["events"], order.get("pad", 0))) for tag in tags]
        if answer.content not in streams:
            raise Wrong(difference(answer.content, streams[0]))
    return check


def cut(nonce, order, tag, types=("upstream_error",), exactly=False, is_error_allowed=False):
    """A beginning of the stream, then an error event, and no [DONE]."""
    def check(answer):
        if is_error_allowed and (answer.status != 200 or answer.content.count(b"\n\n") == 1):
            return failed(503)(answer)
        expect_stream(answer)
        frames = wire.frames(nonce, tag, order["events"], order.get("pad", 0))
        *came, last = split(answer.content)
        if came != frames[:len(came)] or len(came) > order["at"] or exactly and len(came) != order["at"]:
            raise Wrong(f"{len(came)} events: " + difference(b"".join(came), b"".join(frames[:order["at"]])))
        if b"[DONE]" in answer.content:
            raise Wrong("a cut stream looks complete")
        expect_error(last.removeprefix(b"data: "), types)
        if b"upstream_no_answer" in last:
            raise Wrong(f"an upstream that answered is said not to have: {last!r}")
    return check


def failed(*statuses, types=("upstream_error", "upstream_timeout"), says=None):
    """An error by its status; inside the stream, if a sign of life had to go ahead of it."""
    def check(answer):
        if answer.status == 200 and answer.is_stream and HEARTBEAT in answer.body:
            if b"[DONE]" in answer.body or not answer.content.startswith(b"data: ") or answer.content.count(b"\n\n") != 1:
                raise Wrong(f"more than an error: {answer.content[:300]!r}")
            return expect_error(answer.content[6:], types)
        if answer.status not in statuses:
            raise Wrong(f"status {answer.status} where {statuses} are right: {answer.content[:300]!r}")
        if not answer.headers.get("content-type", "").startswith("application/json"):
            raise Wrong(f"an error of type {answer.headers.get('content-type')}")
        expect_error(answer.content, types)
        if says and says.encode() not in answer.content:
            raise Wrong(f"the upstream's own words are missing: {answer.content[:300]!r}")
    return check


def either(*checks):
    def check(answer):
        problems = []
        for each in checks:
            try:
                return each(answer)
            except Wrong as problem:
                problems.append(str(problem))
        raise Wrong("; or ".join(problems))
    return check


def beginning(nonce, order, tag):
    """What a caller has who left: nothing, or a beginning of its own stream."""
    def check(answer):
        if answer.status == 0:
            return
        frames = b"".join(wire.frames(nonce, tag, order.get("events", 0), order.get("pad", 0)))
        if answer.status == 200 and not frames.startswith(answer.content):
            raise Wrong(difference(answer.content, frames))
        if answer.status != 200:
            failed(503, types=("upstream_error", "upstream_timeout", "overloaded_error"))(answer)
    return check


def completion(nonce, order, tag):
    def check(answer):
        if answer.status != 200 or answer.headers.get("content-type") != "application/json":
            raise Wrong(f"status {answer.status}, {answer.headers}: {answer.content[:300]!r}")
        if answer.content != wire.completion(nonce, tag, order.get("pad", 0)):
            raise Wrong(difference(answer.content, wire.completion(nonce, tag, order.get("pad", 0))))
    return check


def streamed_completion(nonce, order, tag):
    """One JSON completion that was turned into a stream."""
    def check(answer):
        expect_stream(answer)
        *chunks, done = split(answer.content)
        if done != wire.DONE:
            raise Wrong(f"it ends with {done!r}")
        chunks = [json.loads(chunk[6:]) for chunk in chunks]
        text = "".join(choice["delta"].get("content") or "" for chunk in chunks for choice in chunk["choices"])
        expected = json.loads(wire.completion(nonce, tag, order.get("pad", 0)))["choices"][0]["message"]["content"]
        if text != expected or any(chunk["id"] != nonce for chunk in chunks):
            raise Wrong(difference(text.encode(), expected.encode()))
    return check


def expect_stream(answer):
    if answer.status != 200 or not answer.is_stream:
        raise Wrong(f"status {answer.status}, {answer.headers.get('content-type')}: {answer.content[:300]!r}")


def expect_error(body, types):
    try:
        error = json.loads(body)["error"]
        names, kind = set(error), error["type"]
    except (ValueError, KeyError, TypeError) as problem:
        raise Wrong(f"no error object: {body[:300]!r}") from problem
    if names < {"message", "type", "param", "code"} or kind not in types:
        raise Wrong(f"an error of type {kind} where {types} are right: {body[:300]!r}")


def split(content):
    parts = content.split(b"\n\n")
    if parts[-1]:
        raise Wrong(f"half an event at the end: {parts[-1][:200]!r}")
    return [part + b"\n\n" for part in parts[:-1]] or [b""]


def difference(got, expected):
    place = next((index for index, (one, other) in enumerate(zip(got, expected)) if one != other), min(len(got), len(expected)))
    around = slice(max(0, place - 60), place + 120)
    return f"{len(got)} bytes instead of {len(expected)}, and other ones from {place}: {got[around]!r} instead of {expected[around]!r}"


# Kinds.

def good(model, tag=None, **extra):
    """A stream that must come whole."""
    def make(nonce, random):
        order = {"nonce": nonce, "events": random.randint(1, 25), "gap": random.choice([0, 0, 0.004, 0.02]),
                 "framing": random.choice(["chunked", "chunked", "length", "close"]), "split": random.random() < 0.3,
                 "pad": random.choice([0, 20, 300, 3000]), "first_delay": random.choice([0, 0, 0.05])} | extra
        if random.random() < 0.1 and order["framing"] == "chunked":
            order["end"] = "nodone"
        way = "nginx" if random.random() < 0.25 else "fastcgi"
        return Case(model, order, whole(nonce, order, tag or model), way=way, fresh=random.random() < 0.2)
    return make


def broken(model, *ends):
    """A stream that is cut off in the middle."""
    def make(nonce, random):
        events = random.randint(3, 20)
        order = {"nonce": nonce, "events": events, "at": random.randint(1, events - 1), "gap": random.choice([0, 0.01]),
                 "end": random.choice(ends), "framing": random.choice(["chunked", "length", "close"]),
                 "pad": random.choice([0, 300, 3000])}
        if order["end"] == "inband" and order["framing"] == "length":
            order["framing"] = "chunked"
        exactly = order["end"] != "rst" and model in ("plain", "unix")
        check = cut(nonce, order, model, ("upstream_error", "server_error", "soak_error"), exactly, is_error_allowed=not exactly)
        return Case(model, order, check, way="nginx" if random.random() < 0.2 else "fastcgi")
    return make


def stalled(model):
    def make(nonce, random):
        order = {"nonce": nonce, "events": 10, "at": random.randint(1, 8), "end": "stall"}
        return Case(model, order, cut(nonce, order, model, ("upstream_timeout",)))
    return make


def silent(nonce, random):
    order = {"nonce": nonce, "end": "silent"} if random.random() < 0.5 else {"nonce": nonce, "events": 5, "first_delay": 40}
    return Case("silent", order, failed(503, types=("upstream_timeout",)))


def json_answer(model):
    def make(nonce, random):
        order = {"nonce": nonce, "json": True, "pad": random.choice([0, 500, 60_000])}
        if random.random() < 0.3:
            return Case(model, order, streamed_completion(nonce, order, model))
        way = "nginx" if random.random() < 0.25 else "fastcgi"
        return Case(model, order, completion(nonce, order, model), stream=False, way=way)
    return make


def status(nonce, random):
    code = random.choice([400, 404, 413, 422, 429, 401, 403, 402, 498, 418, 500, 502, 503, 529])
    order = {"nonce": nonce, "status": code}
    passes = code in (400, 404, 413, 422, 429)
    check = failed(code, types=("soak_error",), says=nonce) if passes else failed(503)
    return Case("plain", order, check, stream=random.random() < 0.7, way="fastcgi")


def unreachable(model):
    """Nobody answers there."""
    def make(nonce, random):
        return Case(model, {"nonce": nonce}, failed(503), stream=random.random() < 0.7)
    return make


def unanswered(nonce, random):
    return Case("plain", {"nonce": nonce, "end": "unanswered"}, failed(503))


def surplus(nonce, random):
    order = {"nonce": nonce, "events": random.randint(1, 8), "framing": random.choice(["chunked", "length"]),
             "surplus": random.random() < 0.5}
    return Case("surplus", order, whole(nonce, order, "surplus"))


def large(nonce, random):
    order = {"nonce": nonce, "events": 4, "large": random.randint(1_000_000, large_bytes_max)}
    return Case("late", order, whole(nonce, order, "late"))


def slow_reader(nonce, random):
    model = random.choice(["plain", "h1tls", "h2tls", "h2c"])
    order = {"nonce": nonce, "events": 150, "pad": 12_000}
    pace = Pace(random.randint(1, 20), random.uniform(1, 4))
    return Case(model, order, whole(nonce, order, model), pace=pace, way=random.choice(["fastcgi", "fastcgi", "nginx"]), fresh=True)


def second(nonce, random):
    """The next target answers when the first does not."""
    model = random.choice(["second-refused", "second-failed", "second-deaf", "second-stalled"])
    first = random.choice([{"status": 500}, {"status": 429}, {"status": 503}, {"end": "unanswered"}])
    if model == "second-stalled":
        first = {"end": "silent"}
    order = {"nonce": nonce, "events": random.randint(1, 10), "as": {"first": first}}
    return Case(model, order, whole(nonce, order, "second"))


def hedge(nonce, random):
    order = {"nonce": nonce, "events": random.randint(2, 12), "gap": 0.01,
             "as": {"hedge-first": {"first_delay": random.choice([0, 0.09, 0.1, 0.12, 0.5, 3])},
                    "hedge-second": {"first_delay": random.choice([0, 0, 0.05, 0.4])}}}
    leave = Leave(after=random.uniform(0.05, 0.4)) if random.random() < 0.2 else None
    check = either(beginning(nonce, order, "hedge-first"), beginning(nonce, order, "hedge-second")) if leave else whole(
        nonce, order, "hedge-first", "hedge-second")
    return Case("hedge", order, check, leave=leave)


def queue(nonce, random):
    order = {"nonce": nonce, "events": 5, "gap": random.choice([0.005, 0.02, 0.05])}
    check = either(whole(nonce, order, "queue"), failed(503, 429, types=("overloaded_error", "upstream_error", "rate_limit_error")))
    return Case("queue", order, check)


def fragile(nonce, random):
    """Behind a server that is killed and comes back."""
    order = {"nonce": nonce, "events": random.randint(1, 30), "gap": 0.01}
    order["at"] = order["events"] + 1  # the connection may end ahead of [DONE]
    check = either(whole(nonce, order, "fragile"), cut(nonce, order, "fragile", is_error_allowed=True))
    return Case("fragile", order, check)


def leaves_connecting(nonce, random):
    model = random.choice(["deaf", "deaf", "noname", "second-deaf", "wrongname", "h2tls"])
    leave = Leave(after=random.uniform(0, 0.1), aborts=random.random() < 0.4)
    order = {"nonce": nonce, "events": 3}
    check = either(beginning(nonce, order, model), beginning(nonce, order, "second"))
    return Case(model, order, check, leave=leave)


def leaves_waiting(nonce, random):
    model = random.choice(["plain", "h1tls", "h2tls", "h2c", "unix", "tlsdirect", "warm"])
    leave = Leave(after=random.uniform(0.02, 0.3), aborts=random.random() < 0.4)
    order = {"nonce": nonce, "end": "silent"} if random.random() < 0.5 else {"nonce": nonce, "events": 5, "first_delay": 40}
    return Case(model, order, beginning(nonce, order, model), leave=leave)


def leaves_stream(nonce, random):
    model = random.choice(["plain", "h1tls", "h2tls", "h2c", "unix", "tlsdirect"])
    order = {"nonce": nonce, "events": 40, "at": 30, "end": "stall", "gap": random.choice([0, 0.01])}
    leave = Leave(frames=random.randint(1, 20))
    if random.random() < 0.3:
        leave = Leave(after=random.uniform(0.1, 0.6), aborts=True)
    way = "nginx" if leave.frames and random.random() < 0.3 else "fastcgi"
    return Case(model, order, beginning(nonce, order, model), leave=leave, way=way)


def leaves_sending(nonce, random):
    if random.random() < 0.5:  # before Sluice has all of it
        order = {"nonce": nonce, "events": 2, "large": 1_000_000}
        return Case("late", order, beginning(nonce, order, "late"), leave=Leave(sent=random.uniform(0, 0.9)), is_logged=False)
    order = {"nonce": nonce, "events": 2, "large": min(3_000_000, large_bytes_max)}
    return Case("late", order, beginning(nonce, order, "late"), leave=Leave(after=random.uniform(0, 0.3)))


# name, tasks at a time, seconds of thought between two requests at most, make
KINDS = [
    ("good plain", 5, 0.2, good("plain")),
    ("good unix", 2, 0.2, good("unix")),
    ("good TLS h1", 4, 0.2, good("h1tls")),
    ("good TLS h2", 6, 0.2, good("h2tls")),
    ("good h2c", 6, 0.2, good("h2c")),
    ("good TLS direct", 2, 0.2, good("tlsdirect")),
    ("good warm", 2, 0.3, good("warm")),
    ("JSON plain", 2, 0.3, json_answer("plain")),
    ("JSON TLS h2", 2, 0.3, json_answer("h2tls")),
    ("status", 2, 0.3, status),
    ("refused", 1, 0.3, unreachable("refused")),
    ("SYN dropped", 2, 0.3, unreachable("deaf")),
    ("wrong name", 1, 0.3, unreachable("wrongname")),
    ("no such name", 2, 0.3, unreachable("noname")),
    ("unanswered", 1, 0.3, unanswered),
    ("cut plain", 4, 0.3, broken("plain", "fin", "rst", "short", "inband")),
    ("cut unix", 1, 0.3, broken("unix", "fin", "short")),
    ("cut TLS h1", 2, 0.3, broken("h1tls", "fin", "rst", "short")),
    ("cut TLS h2", 2, 0.3, broken("h2tls", "fin", "rst", "short", "inband")),
    ("cut h2c", 2, 0.3, broken("h2c", "fin", "rst", "short")),
    ("cut TLS direct", 2, 0.3, broken("tlsdirect", "fin", "rst", "short")),
    ("stalled", 2, 0.2, stalled("stall")),
    ("stalled h2", 2, 0.2, stalled("stallh2")),
    ("silent", 2, 0.2, silent),
    ("surplus", 4, 0.05, surplus),
    ("late 408", 3, 0.9, good("idle408")),
    ("large body", 1, 0.5, large),
    ("slow reader", 3, 0.5, slow_reader),
    ("second target", 4, 0.3, second),
    ("hedge", 4, 0.2, hedge),
    ("queue", 14, 0.3, queue),
    ("server killed", 4, 0.2, fragile),
    ("leaves connecting", 3, 0.2, leaves_connecting),
    ("leaves waiting", 4, 0.1, leaves_waiting),
    ("leaves in stream", 4, 0.1, leaves_stream),
    ("leaves sending", 1, 0.4, leaves_sending),
]
