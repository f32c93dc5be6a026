"""The misbehaving upstreams: a process of their own, an HTTP/1.1 server that does what the prompt orders.

It reads `rest` on standard input, then closes what is idle and tells what is not. It prints one JSON object a line.
"""

import asyncio
import json
import os
import random
import socket
import ssl
import struct
import sys

import wire

ABANDONED_SECONDS = 25  # an answer that nobody ends: its caller left long ago


class Gone(Exception):
    """The peer has closed the connection."""


def tell(**what):
    print(json.dumps(what), flush=True)


class Upstream:
    """One listening address, and its manner."""

    def __init__(self, manner, concurrent_max=None):
        self.manner = manner
        self.concurrent_max = concurrent_max
        self.running = set()
        self.connections = set()

    def __call__(self):
        return Connection(self)


class Connection(asyncio.Protocol):
    def __init__(self, upstream):
        self.upstream = upstream
        self.bytes = bytearray()
        self.arrived = asyncio.Event()
        self.closed = asyncio.Event()
        self.writable = asyncio.Event()
        self.writable.set()
        self.is_idle = True
        self.has_answered = False
        self.nonce = "-"

    def connection_made(self, transport):
        self.transport = transport
        self.upstream.connections.add(self)
        transport.set_write_buffer_limits(high=1 << 16)
        self.task = asyncio.create_task(self.serve())

    def data_received(self, data):
        self.bytes += data
        self.arrived.set()

    def connection_lost(self, error):
        self.upstream.connections.discard(self)
        for event in (self.closed, self.arrived, self.writable):
            event.set()

    def pause_writing(self):
        self.writable.clear()

    def resume_writing(self):
        self.writable.set()

    # Steps of a script; each ends it when the peer has left.

    async def more(self):
        self.arrived.clear()
        if not self.closed.is_set():
            await self.arrived.wait()
        if self.closed.is_set():
            raise Gone

    async def pause(self, seconds):
        if seconds <= 0:
            return
        try:
            await asyncio.wait_for(self.closed.wait(), seconds)
        except asyncio.TimeoutError:
            return
        raise Gone

    async def write(self, data):
        if self.closed.is_set():
            raise Gone
        self.transport.write(data)
        if not self.writable.is_set():
            await self.writable.wait()
            if self.closed.is_set():
                raise Gone

    def reset(self):
        raw = self.transport.get_extra_info("socket")
        if raw.family != socket.AF_UNIX:
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.transport.abort()

    # Requests.

    async def serve(self):
        try:
            while not self.closed.is_set():
                request = await self.request()
                self.is_idle = False
                if not await self.answer(*request):
                    break
                self.is_idle = True
                self.nonce = "-"
        except Gone:
            pass
        except Exception as error:  # a defect of the stub must not look like one of Sluice
            tell(fault=f"the stub failed: {error!r}")
        finally:
            if not self.closed.is_set():
                self.transport.close()

    async def request(self):
        spoil = self.spoil_later()
        while (end := self.bytes.find(b"\r\n\r\n")) < 0:
            await self.more()
            if spoil:
                spoil.cancel()
        head = bytes(self.bytes[:end]).decode("latin-1")
        del self.bytes[:end + 4]
        method, path = head.split(" ", 2)[:2]
        lengths = [line.split(":")[1] for line in head.split("\r\n") if line.lower().startswith("content-length:")]
        size = int(lengths[0]) if lengths else 0
        if self.upstream.manner == "late" and size > 100_000:
            self.transport.pause_reading()
            await asyncio.sleep(random.uniform(0.1, 2))
            if not self.closed.is_set():
                self.transport.resume_reading()
        while len(self.bytes) < size:
            await self.more()
        body = bytes(self.bytes[:size])
        del self.bytes[:size]
        return method, path, body

    def spoil_later(self):
        """A word that nobody asked for, on a connection that has had an answer."""
        if self.upstream.manner != "idle408" or not self.has_answered:
            return None
        return asyncio.get_running_loop().call_later(random.uniform(0.02, 0.6), self.spoil)

    def spoil(self):
        if self.closed.is_set() or not self.is_idle or self.bytes:
            return
        choice = random.random()
        if choice < 0.6:
            self.transport.write(b"HTTP/1.1 408 Request Timeout\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
        elif choice < 0.8:
            self.transport.write(b"\r\n\x00 stray bytes")
        if choice < 0.4 or choice >= 0.8:
            self.transport.close()

    async def answer(self, method, path, body):
        """Whether the connection is kept."""
        if method != "POST":
            await self.write(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")
            self.has_answered = True
            return True
        request = json.loads(body)
        order = json.loads(request["messages"][0]["content"])
        self.nonce = order["nonce"]
        if self.bytes:
            tell(fault=f"{self.nonce}: {len(self.bytes)} bytes behind the request")
        if "large" in order and request["messages"][1]["content"] != wire.large(order["nonce"], order["large"]):
            tell(fault=f"{self.nonce}: its large prompt is not what the caller sent")
        watch = asyncio.get_running_loop().call_later(ABANDONED_SECONDS, self.abandoned)
        try:
            return await self.perform(order, request["model"])
        finally:
            watch.cancel()
            self.has_answered = True

    def abandoned(self):
        tell(fault=f"{self.nonce}: {ABANDONED_SECONDS} s old, and nobody has ended it")

    async def perform(self, order, tag):
        self.begin()
        try:
            return await self.perform_counted(order, tag)
        finally:
            self.end()

    def begin(self):
        self.upstream.running.add(self)
        limit = self.upstream.concurrent_max
        if limit and len(self.upstream.running) > limit:
            running = [connection for connection in self.upstream.running if not connection.has_been_left()]
            if len(running) > limit:
                tell(fault=f"{self.nonce}: {len(running)} at a time, where {limit} are allowed")

    def has_been_left(self):
        """Whether the peer has closed the connection, though this process has not come to see that."""
        if self.closed.is_set():
            return True
        with socket.socket(fileno=os.dup(self.transport.get_extra_info("socket").fileno())) as raw:
            try:
                return raw.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT) == b""
            except BlockingIOError:
                return False
            except OSError:
                return True

    def end(self):
        self.upstream.running.discard(self)

    async def perform_counted(self, order, tag):
        own = order | order.get("as", {}).get(tag, {})
        await self.pause(own.get("head_delay", 0))
        if own.get("end") == "silent":
            await self.pause(ABANDONED_SECONDS + 5)
        if own.get("end") == "unanswered":
            self.reset() if random.random() < 0.5 else self.transport.close()
            return False
        if status := own.get("status"):
            return await self.send_whole(status, b"application/json", wire.error(order["nonce"], status))
        if own.get("json"):
            return await self.send_whole(200, b"application/json", wire.completion(order["nonce"], tag, own.get("pad", 0)))
        return await self.send_stream(own, tag)

    async def send_whole(self, status, kind, body):
        head = b"HTTP/1.1 %d Soak\r\nContent-Type: %s\r\nContent-Length: %d\r\nX-Request-Id: up\r\n\r\n"
        self.end()
        await self.write(head % (status, kind, len(body)) + body)
        return True

    async def send_stream(self, order, tag):
        frames = wire.frames(order["nonce"], tag, order["events"], order.get("pad", 0))
        framing, end = order.get("framing", "chunked"), order.get("end", "whole")
        if end == "nodone":
            frames = frames[:-1]
        head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
        head += {
            "chunked": b"Transfer-Encoding: chunked\r\n",
            "length": b"Content-Length: %d\r\n" % sum(map(len, frames)),
            "close": b"Connection: close\r\n",
        }[framing]
        await self.write(head + b"\r\n")
        await self.pause(order.get("first_delay", 0))
        cut = order["at"] if end in ("fin", "rst", "stall", "inband", "short") else len(frames)
        for index, frame in enumerate(frames[:cut]):
            if index == len(frames) - 1:
                return await self.finish(frame, order, framing)
            await self.send_frame(frame, framing, order)
        if end == "nodone":
            return await self.finish(b"", order, framing)
        return await self.break_off(end, order, framing)

    async def send_frame(self, frame, framing, order):
        gap = order.get("gap", 0)
        if order.get("split") and len(frame) > 2:
            place = random.randrange(1, len(frame))
            await self.write(self.framed(frame[:place], framing))
            await self.pause(gap / 2)
            frame = frame[place:]
        await self.write(self.framed(frame, framing))
        await self.pause(gap)

    @staticmethod
    def framed(data, framing):
        return b"%x\r\n%s\r\n" % (len(data), data) if framing == "chunked" and data else data

    async def finish(self, frame, order, framing):
        last = self.framed(frame, framing) + (b"0\r\n\r\n" if framing == "chunked" else b"")
        self.end()
        if order.get("surplus"):
            last += wire.poison() if random.random() < 0.7 else b"\r\n\r\nPOISON"
        await self.write(last)
        return framing != "close"

    async def break_off(self, end, order, framing):
        if end == "stall":
            await self.pause(ABANDONED_SECONDS + 5)
        elif end == "inband":
            await self.send_frame(b"data: " + wire.error(order["nonce"], 500) + b"\n\n", framing, {})
            return await self.finish(b"", {}, framing) if framing == "chunked" else False
        elif end == "short":  # in the middle of an event, and of a chunk
            await self.write(b"40\r\ndata: {\"id\":" if framing == "chunked" else b"data: {\"id\":")
        if end == "rst":
            self.reset()
        elif self.transport.get_extra_info("sslcontext"):
            self.transport.abort()  # without close_notify
        return False


async def commands(upstreams):
    reader = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while await reader.readline():
        connections = [connection for upstream in upstreams for connection in upstream.connections]
        busy = [connection.nonce for connection in connections if not connection.is_idle]
        for connection in connections:
            if connection.is_idle:
                connection.transport.close()
        tell(busy=busy, idle=len(connections) - len(busy))


async def main(plan):
    random.seed(plan["seed"])
    loop = asyncio.get_running_loop()
    upstreams = []
    for place in plan["upstreams"]:
        upstream = Upstream(place["manner"], place.get("concurrent"))
        upstreams.append(upstream)
        if "path" in place:
            await loop.create_unix_server(upstream, place["path"], backlog=1000)
            continue
        context = None
        if "certificate" in place:
            context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
            context.load_cert_chain(place["certificate"], place["key"])
        await loop.create_server(upstream, "127.0.0.1", place["port"], backlog=1000, ssl=context)
    tell(ready=os.getpid())
    await commands(upstreams)


if __name__ == "__main__":
    asyncio.run(main(json.loads(sys.argv[1])))
