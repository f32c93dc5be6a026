"""Whether the generator would notice: answers with known faults, and what it must count for each. And whether it asks for what
the figures say."""

import json
import socket
import threading
import time

HEAD = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
CHUNKED = HEAD + "Transfer-Encoding: chunked\r\n\r\n"
DONE = "data: [DONE]\n\n"


def event(number, event, last, age=0):
    """What harness/upstream.lua sends, as if it had done so some seconds ago."""
    sent_at = time.monotonic_ns() - int(age * 1e9)
    return (
        'data: {"id":"chatcmpl-benchmark","object":"chat.completion.chunk","created":1764000000,"model":"benchmark",'
        '"system_fingerprint":"fp_benchmark","choices":[{"index":0,"delta":{"content":"'
        f'{number:09}.{event:06}.{sent_at:019}"}},"logprobs":null,"finish_reason":{last}}}]}}\n\n'
    )


def good():
    return event(1, 0, "null") + event(1, 1, '"stop"')


def chunks(text, size=100_000):
    parts = [text[start:start + size] for start in range(0, len(text), size)]
    return "".join(f"{len(part):x}\r\n{part}\r\n" for part in parts) + "0\r\n\r\n"


def answers():
    """Name, answer, and what the generator counts it as."""
    return [
        ("right", CHUNKED + chunks(good() + DONE), "complete"),
        ("right, one byte a chunk", CHUNKED + chunks(good() + DONE, 1), "complete"),
        ("right, with a heartbeat", CHUNKED + chunks(": keep-alive\n\n" + good() + DONE), "complete"),
        ("right, until the end of the connection", HEAD + "Connection: close\r\n\r\n" + good() + DONE, "complete"),
        ("without [DONE]", CHUNKED + chunks(good()), "cut"),
        ("an event less", CHUNKED + chunks(event(1, 0, "null") + DONE), "wrong"),
        ("an event twice", CHUNKED + chunks(event(1, 0, "null") * 2 + DONE), "wrong"),
        ("events in the wrong order", CHUNKED + chunks(event(1, 1, '"stop"') + event(1, 0, "null") + DONE), "wrong"),
        ("another stream's event", CHUNKED + chunks(event(2, 0, "null") + event(1, 1, '"stop"') + DONE), "wrong"),
        ("one byte changed", CHUNKED + chunks(good().replace("logprobs", "logprobz") + DONE), "wrong"),
        ("bytes after the end", CHUNKED + chunks(good() + DONE + "\n"), "wrong"),
        ("bytes after the response", CHUNKED + chunks(good() + DONE) + "0", "wrong"),
        ("an error frame", CHUNKED + chunks(event(1, 0, "null") + 'data: {"error":{}}\n\n'), "wrong"),
        ("cut between events", CHUNKED + chunks(event(1, 0, "null"))[:-5], "cut"),
        ("cut before the last chunk", CHUNKED + chunks(good() + DONE)[:-5], "cut"),
        ("an HTTP error", "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 2\r\n\r\n{}", "bad_status"),
    ]


def rewritten(*contents):
    """What a gateway makes of it that writes each event anew: one more for the role, and members in another order."""
    events = [{"delta": {"role": "assistant", "content": ""}}, *({"delta": {"content": content}} for content in contents)]
    events.append({"delta": {}, "finish_reason": "stop"})
    return "".join(f"data: {json.dumps({'choices': [choice], 'id': 'anew'})}\r\n\r\n" for choice in events)


def content(number, event):
    return f"{number:09}.{event:06}.{time.monotonic_ns():019}"


def contents():
    """The same where the contents alone are checked."""
    first, second = content(1, 0), content(1, 1)
    return [
        ("as it was sent", CHUNKED + chunks(good() + DONE), "complete"),
        ("written anew", CHUNKED + chunks(rewritten(first, second) + DONE), "complete"),
        ("written anew, one byte a chunk", CHUNKED + chunks(rewritten(first, second) + DONE, 1), "complete"),
        ("written anew, without [DONE]", CHUNKED + chunks(rewritten(first, second)), "cut"),
        ("written anew, an event less", CHUNKED + chunks(rewritten(first) + DONE), "wrong"),
        ("written anew, an event twice", CHUNKED + chunks(rewritten(first, first, second) + DONE), "wrong"),
        ("written anew, in the wrong order", CHUNKED + chunks(rewritten(second, first) + DONE), "wrong"),
        ("written anew, another stream's event", CHUNKED + chunks(rewritten(first, content(2, 1)) + DONE), "wrong"),
        ("written anew, two events in one", CHUNKED + chunks(rewritten(first + second) + DONE), "wrong"),
        ("written anew, an error", CHUNKED + chunks('data: {"error":{"message":"no"}}\n\n' + DONE), "wrong"),
        ("written anew, events after [DONE]", CHUNKED + chunks(rewritten(first, second) + DONE + rewritten(first)), "wrong"),
    ]


# The generator's bodies: how many messages, and how many bytes, within a hundred.
BODIES = {"short": (2, 200), "usual": (2, 600), "long": (60, 10_000), "russian": (60, 10_000)}


def answer_once(listener, answer, asked):
    connection = listener.accept()[0]
    with connection:
        asked.append(request_body(connection))
        connection.sendall(answer.encode())
        connection.shutdown(socket.SHUT_WR)
        connection.recv(1)


def request_body(connection):
    with connection.makefile("rb") as request:
        length = 0
        while (line := request.readline()) not in (b"\r\n", b""):
            name, _, value = line.partition(b":")
            if name.lower() == b"content-length":
                length = int(value)
        return request.read(length)


def ask_once(generator, listener, answer, **options):
    """What the generator counts when it is answered so, and the body with which it asked."""
    asked = []
    thread = threading.Thread(target=answer_once, args=(listener, answer, asked), daemon=True)
    thread.start()
    values = generator.try_once(f"127.0.0.1:{listener.getsockname()[1]}", events=2, limit=5, **options)
    thread.join(5)
    return values, b"".join(asked)


def check(generator):
    """Raises when a fault would go unnoticed, or when a body or a delay is not what the figures say."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        check_answers(generator, listener, answers(), "bytes")
        check_answers(generator, listener, contents(), "contents")
        check_bodies(generator, listener)
        check_delays(generator, listener)
        check_stall(generator, listener)
    print("the load generator notices what is lost, wrong or late", flush=True)


def check_answers(generator, listener, table, check):
    for name, answer, expected in table:
        values, _ = ask_once(generator, listener, answer, check=check)
        counted = {kind: values[kind] for kind in ("complete", "cut", "wrong", "bad_status")}
        if counted != {**dict.fromkeys(counted, 0), expected: 1}:
            raise RuntimeError(f"the generator counts '{name}' as {counted}, and not as {expected}")


def check_bodies(generator, listener):
    for name, (messages, size) in BODIES.items():
        _, body = ask_once(generator, listener, CHUNKED + chunks(good() + DONE), body=name)
        count = len(json.loads(body)["messages"])
        if count != messages or abs(len(body) - size) > 100:
            raise RuntimeError(f"the generator's body '{name}' has {count} messages in {len(body)} bytes")


def check_delays(generator, listener):
    """Events of a known age: each percentile must be right within a hundredth; a machine that is busy may add a second."""
    for age in (10, 1000):
        stream = event(1, 0, "null", age) + event(1, 1, '"stop"', age)
        values, _ = ask_once(generator, listener, CHUNKED + chunks(stream + DONE))
        for name in ("first_event_p50_us", "later_event_p99_us"):
            if not age <= values[name] / 1e6 <= age * 1.01 + 1:
                raise RuntimeError(f"the generator takes a delay of {age} s for {values[name]} µs")


STALL = 0.8


def check_stall(generator, listener):
    """A server with one connection that is silent for a while, in which 40 of 50 requests become due: each waits for the rest of it,
    the median one for 0.3 s. Were delays counted from the sending, only the first would be late."""
    thread = threading.Thread(target=answer_after_stall, args=(listener, 50), daemon=True)
    thread.start()
    address = f"127.0.0.1:{listener.getsockname()[1]}"
    values = generator.try_once(address, "rate", per_second=50, seconds=1, events=1, limit=10)
    thread.join(10)
    if values["complete"] != 50 or values["first_token_p50_us"] < 250_000:
        raise RuntimeError(f"the generator does not see that a server stood still for {STALL} s: {values}")


def answer_after_stall(listener, count):
    """Answers so many requests on the one connection that the generator has."""
    connection = listener.accept()[0]
    with connection, connection.makefile("rb") as requests:
        time.sleep(STALL)
        for number in range(1, count + 1):
            while (line := requests.readline()).strip():
                if line.lower().startswith(b"content-length:"):
                    length = int(line.split(b":")[1])
            requests.read(length)
            connection.sendall((CHUNKED + chunks(event(number, 0, '"stop"') + DONE)).encode())
