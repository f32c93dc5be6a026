"""What upstreams send and callers expect, byte for byte: both sides make it from the same order."""

import json

DONE = b"data: [DONE]\n\n"
POISON = b"POISON"


def frames(nonce, tag, count, pad=0):
    """A whole stream's events. `tag` is the model that the upstream was asked for, which tells targets apart."""
    filler = (nonce * (pad // len(nonce) + 1))[:pad]
    return [_chunk(nonce, tag, {"content": f"{nonce}:{index} {filler}"}) for index in range(count)] + [
        _chunk(nonce, tag, {}, "stop"), DONE,
    ]


def _chunk(nonce, tag, delta, reason=None):
    choice = {"index": 0, "delta": delta, "finish_reason": reason}
    chunk = {"id": nonce, "object": "chat.completion.chunk", "created": 1, "model": tag, "choices": [choice]}
    return b"data: " + json.dumps(chunk, separators=(",", ":")).encode() + b"\n\n"


def completion(nonce, tag, pad=0):
    """An answer that is not streamed."""
    filler = (nonce * (pad // len(nonce) + 1))[:pad]
    message = {"role": "assistant", "content": f"{nonce} {filler}"}
    choice = {"index": 0, "message": message, "finish_reason": "stop"}
    answer = {"id": nonce, "object": "chat.completion", "created": 1, "model": tag, "choices": [choice]}
    return json.dumps(answer, separators=(",", ":")).encode()


def error(nonce, status):
    body = {"error": {"message": f"refused {nonce}", "type": "soak_error", "param": None, "code": f"soak_{status}"}}
    return json.dumps(body, separators=(",", ":")).encode()


def large(nonce, size):
    """The filler of a large prompt."""
    return (nonce * (size // len(nonce) + 1))[:size]


def poison():
    """An answer that nobody asked for."""
    body = frames("POISON", "POISON", 3)
    return b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nContent-Length: %d\r\n\r\n" % len(b"".join(body)) + b"".join(body)
