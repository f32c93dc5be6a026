"""Steady streams, an event every 20 ms, whose pauses are measured: upstream and callers in one process that does nothing else."""

import asyncio
import json
import sys
import time

import callers
import wire

GAP = 0.02


class Figures:
    def __init__(self):
        self.pauses, self.own_pauses, self.faults, self.events = [], [], [], 0


def frame(nonce, index, reason=None):
    content = {} if reason else {"content": f"{nonce}:{index}"}
    chunk = {"id": nonce, "object": "chat.completion.chunk", "created": 1, "model": "reference",
             "choices": [{"index": 0, "delta": content, "finish_reason": reason}]}
    return b"data: " + json.dumps(chunk).encode() + b"\n\n"


async def serve(reader, writer, is_over, figures):
    await reader.readuntil(b"\r\n\r\n")
    body = json.loads(await read_body(reader))
    nonce = json.loads(body["messages"][0]["content"])["nonce"]
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n")
    index, last = 0, time.monotonic()
    while not is_over.is_set():
        writer.write(frame(nonce, index))
        now = time.monotonic()
        figures.own_pauses.append(now - last)
        index, last = index + 1, now
        await asyncio.sleep(GAP)
    writer.write(frame(nonce, index, "stop") + wire.DONE)
    writer.close()


async def read_body(reader):
    data = b""
    while True:
        data += await reader.read(65_536)
        try:
            json.loads(data)
            return data
        except ValueError:
            continue


class Watched(callers.FastCGI):
    """Looks at each piece as it comes, and keeps none."""

    def __init__(self, path, nonce, figures):
        super().__init__(path)
        self.nonce, self.figures, self.index, self.last, self.rest = nonce, figures, 0, None, b""
        self.is_done = False

    def _take(self, answer, content):
        super()._take(answer, content)
        now = time.monotonic()
        if self.last is not None:
            self.figures.pauses.append(now - self.last)
        self.last = now
        *whole, self.rest = (self.rest + bytes(answer.body)).split(b"\n\n")
        answer.body.clear()
        for text in whole:
            self.check(text + b"\n\n")

    def check(self, text):
        if text == callers.HEARTBEAT:
            return
        self.figures.events += 1
        if text == wire.DONE:
            self.is_done = True
        elif text != frame(self.nonce, self.index) and text != frame(self.nonce, self.index, "stop"):
            self.figures.faults.append(f"reference stream: not event {self.index}: {text[:300]!r}")
        self.index += 1


async def follow(path, nonce, figures):
    caller = Watched(path, nonce, figures)
    try:
        await caller.call(nonce, callers.request(nonce, "reference", {"nonce": nonce}), fresh=True)
    except (callers.Broken, OSError) as error:
        figures.faults.append(f"reference stream: {error}")
    if not caller.is_done:
        figures.faults.append("a reference stream did not come to its end")


async def main(path, port, count):
    is_over, figures = asyncio.Event(), Figures()
    server = await asyncio.start_server(lambda reader, writer: serve(reader, writer, is_over, figures), "127.0.0.1", port)
    commands = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(commands), sys.stdin)
    await commands.readline()  # Sluice is there
    streams = [asyncio.create_task(follow(path, f"reference-{index}", figures)) for index in range(count)]
    await commands.readline()
    is_over.set()
    await asyncio.wait(streams, timeout=30)
    server.close()
    print(json.dumps(vars(figures)), flush=True)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3])))
