"""A few streams, over every kind of upstream, and what may have become of them."""

import asyncio
import json

import kinds
import wire
from callers import Broken, FastCGI, Leave, request

CALL_SECONDS = 12  # every limit of the settings is far below


class Outcome:
    """What the callers of one round have seen."""

    def __init__(self):
        self.whole = self.failed = self.cut = self.closed = 0
        self.words = ""  # of an error
        self.faults = []

    def add(self, other):
        for name in ("whole", "failed", "cut", "closed"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.words = other.words or self.words
        self.faults += other.faults

    def take_words(self, body):
        """Of an error. What has failed is known at once: nobody is to wait for a time limit."""
        error = json.loads(body)["error"]
        self.words = error["message"]
        if error["type"] == "upstream_timeout":
            self.faults.append(f"a caller had to wait: {self.words}")

    @property
    def is_spotless(self):
        return not (self.failed or self.cut or self.closed or self.faults)

    def __str__(self):
        counts = [(self.failed, "failed"), (self.cut, "cut with an error event"), (self.closed, "closed without an end")]
        text = ", ".join(f"{count} {what}" for count, what in counts if count)
        return f"{text} ({self.words})" if self.words else text


def plans(number, is_large):
    """model, order, whether it streams, leave."""
    events = {"events": 4, "pad": 200}
    for model in ("plain", "named", "h1tls", "h2tls", "unix"):
        yield model, events | {"gap": 0.002}, True, None
    yield "plain", events | {"framing": "close"}, True, None
    yield "named", events | {"framing": "close"}, True, None
    yield "h1tls", events | {"framing": "close"}, True, None
    yield "h2tls", {"json": True, "pad": 500}, False, None
    yield "plain", {"json": True, "pad": 500}, False, None
    yield ("plain", "h2tls")[number % 2], {"events": 30, "gap": 0.05}, True, Leave(frames=1)
    if is_large:
        yield "h2tls", {"events": 2, "large": 400_000}, True, None
        yield "plain", {"events": 30, "pad": 12_000}, True, None
        yield "noname", {"events": 2}, True, None


class Load:
    def __init__(self, path, lane):
        self.path, self.lane = path, lane
        self.number = self.rounds = 0
        self.kept = FastCGI(path)

    async def round(self, is_large=True):
        """All plans at once, once over connections that are kept and once over fresh ones."""
        self.rounds += 1
        calls = [self.call(*plan, fresh=(self.rounds + index) % 2 == 0) for index, plan in enumerate(plans(self.rounds, is_large))]
        outcome = Outcome()
        for each in await asyncio.gather(*calls):
            outcome.add(each)
        return outcome

    async def close(self):
        for _, writer in self.kept.idle:
            writer.transport.abort()
        self.kept.idle.clear()

    async def call(self, model, order, stream, leave, fresh):
        self.number += 1
        nonce = f"f{self.lane}-{self.number:06d}"
        order = order | {"nonce": nonce}
        outcome = Outcome()
        try:
            called = self.kept.call(nonce, request(nonce, model, order, stream), leave, None, fresh)
            answer = await asyncio.wait_for(called, CALL_SECONDS)
            self.judge(answer, nonce, model, order, stream, leave, outcome)
        except (Broken, OSError):
            outcome.closed += 1
        except asyncio.TimeoutError:
            outcome.faults.append(f"a call to {model} had no end after {CALL_SECONDS} s")
        except (kinds.Wrong, ValueError, KeyError) as problem:
            outcome.faults.append(f"{model} {order}: {problem!r}")
        return outcome

    @staticmethod
    def judge(answer, nonce, model, order, stream, leave, outcome):
        """Whole, or an error that shows: nothing else is right."""
        types = ("upstream_error", "upstream_timeout", "overloaded_error", "api_error", "server_error")
        if leave and not answer.is_ended:
            kinds.beginning(nonce, order, model)(answer)
        elif model == "noname":
            kinds.failed(503, 500, types=types)(answer)
            if b"upstream_timeout" in answer.content:
                outcome.words = "a look-up that has never come back"
                outcome.failed += 1
                return
        elif answer.status != 200 or answer.is_stream and answer.content.count(b"\n\n") == 1:
            kinds.failed(503, 500, types=types)(answer)
            outcome.take_words(answer.content.removeprefix(b"data: "))
            outcome.failed += 1
            return
        elif not stream:
            kinds.completion(nonce, order, model)(answer)
        elif b"[DONE]" in answer.content or b'"error"' not in answer.content:
            kinds.whole(nonce, order, model)(answer)
        else:
            kinds.cut(nonce, order | {"at": order["events"] + 1}, model, types)(answer)
            outcome.take_words(answer.content.rsplit(b"data: ", 1)[1])
            outcome.cut += 1
            return
        outcome.whole += 1
