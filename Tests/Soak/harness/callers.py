"""Callers: FastCGI as the web server speaks it, and HTTP through the web server."""

import asyncio
import json
import struct

import wire

PATH = "/v1/chat/completions"
HEARTBEAT = b": keep-alive\n\n"


class Broken(Exception):
    """What came is no answer."""


class Answer:
    def __init__(self):
        self.status = 0
        self.headers = {}
        self.body = bytearray()
        self.is_ended = False
        # FastCGI: what has come of the head, and of a record, which a caller that aborts its request reads on.
        self.head, self.partial = bytearray(), bytearray()

    @property
    def is_stream(self):
        return self.headers.get("content-type", "").startswith("text/event-stream")

    @property
    def content(self):
        """Without heartbeats."""
        return bytes(self.body).replace(HEARTBEAT, b"") if self.is_stream else bytes(self.body)

    def take_head(self, text):
        for line in text.decode("latin-1").split("\r\n"):
            name, _, value = line.partition(":")
            self.headers[name.strip().lower()] = value.strip()


class Leave:
    """When a caller leaves, and how."""

    def __init__(self, after=None, frames=None, sent=None, aborts=False):
        self.after = after  # seconds behind the request
        self.frames = frames  # events that it reads
        self.sent = sent  # share of the body that it sends
        self.aborts = aborts  # by a record, and keeps its connection


class Pace:
    """A caller that stops reading for a while."""

    def __init__(self, frames=0, seconds=0.0):
        self.frames, self.seconds = frames, seconds


def record(kind, content=b"", request=1):
    return struct.pack(">BBHHBx", 1, kind, request, len(content), 0) + content


def parameters(values):
    out = bytearray()
    for name, value in values.items():
        for size in (len(name), len(value)):
            out += struct.pack(">B", size) if size < 128 else struct.pack(">I", size | 1 << 31)
        out += name.encode() + value.encode()
    return bytes(out)


class FastCGI:
    """Keeps its connections, as nginx does."""

    def __init__(self, path):
        self.path = path
        self.idle = []

    async def call(self, nonce, body, leave=None, pace=None, fresh=False):
        """The answer; as much of it as came, when the caller left."""
        reader, writer = await self._connection(fresh)
        answer = Answer()
        is_kept = False
        try:
            await self._send(writer, nonce, body, leave, fresh)
            if leave and leave.sent is not None:
                await asyncio.sleep(0.05)
                return answer
            receiving = self._receive(reader, writer, answer, leave, pace)
            if leave and leave.after is not None:
                try:
                    await asyncio.wait_for(receiving, leave.after)
                except asyncio.TimeoutError:
                    if leave.aborts:
                        await self._abort(reader, writer, answer)
                    return answer
            else:
                await receiving
            is_kept = answer.is_ended and not fresh
            return answer
        finally:
            if is_kept:
                self.idle.append((reader, writer))
            else:
                writer.transport.abort()

    async def _abort(self, reader, writer, answer):
        """Sluice ends the request, or the connection with it."""
        try:
            writer.write(record(2))
            await self._receive(reader, writer, answer, None, None)
        except (Broken, OSError):
            return

    async def _connection(self, fresh):
        while self.idle and not fresh:
            reader, writer = self.idle.pop()
            if not reader.at_eof():
                return reader, writer
            writer.transport.abort()
        return await asyncio.open_unix_connection(self.path, limit=1 << 15)

    async def _send(self, writer, nonce, body, leave, fresh):
        values = {
            "REQUEST_METHOD": "POST", "SCRIPT_NAME": PATH, "REQUEST_URI": PATH, "CONTENT_TYPE": "application/json",
            "CONTENT_LENGTH": str(len(body)), "SERVER_PROTOCOL": "HTTP/1.1", "HTTP_X_REQUEST_ID": nonce, "SLUICE_CLIENT": "soak",
        }
        begin = record(1, struct.pack(">HB5x", 1, 0 if fresh else 1))
        writer.write(begin + record(4, parameters(values)) + record(4))
        size = len(body) if not leave or leave.sent is None else int(len(body) * leave.sent)
        for start in range(0, size, 32_768):
            writer.write(record(5, body[start:min(start + 32_768, size)]))
            if size > 100_000:
                await writer.drain()
        if size == len(body):
            writer.write(record(5))
        await writer.drain()

    async def _receive(self, reader, writer, answer, leave, pace):
        while True:
            header = await self._exactly(reader, answer, 8)
            kind, size, padding = header[1], struct.unpack(">H", header[4:6])[0], header[6]
            content = (await self._exactly(reader, answer, 8 + size + padding))[8:8 + size]
            answer.partial.clear()
            if kind == 6:
                self._take(answer, content)
                if await _paced(answer, leave, pace):
                    return
            elif kind == 3:
                answer.is_ended = True
                return
            else:
                raise Broken(f"a record of type {kind}: {content[:200]!r}")

    @staticmethod
    async def _exactly(reader, answer, size):
        partial = answer.partial
        while len(partial) < size:
            data = await reader.read(size - len(partial))
            if not data:
                raise Broken(f"the connection ended inside the answer: {bytes(answer.body)[-200:]!r}")
            partial += data
        return bytes(partial)

    @staticmethod
    def _take(answer, content):
        if answer.status:
            answer.body += content
            return
        head = answer.head
        head += content
        end = head.find(b"\r\n\r\n")
        if end < 0:
            return
        answer.take_head(bytes(head[:end]))
        answer.status = int(answer.headers.get("status", "200").split()[0])
        answer.body += head[end + 4:]


async def _paced(answer, leave, pace):
    """Whether the caller leaves now."""
    if not (pace and pace.frames) and not (leave and leave.frames):
        return False
    count = answer.body.count(b"\n\ndata: ") + answer.body.startswith(b"data: ")
    if pace and pace.frames and count >= pace.frames:
        pace.frames = 0
        await asyncio.sleep(pace.seconds)
    return bool(leave and leave.frames and count >= leave.frames)


class HTTP:
    """Through nginx, a connection for each call."""

    def __init__(self, port, token):
        self.port, self.token = port, token

    async def call(self, nonce, body, leave=None, pace=None, fresh=False):
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port, limit=1 << 15)
        answer = Answer()
        try:
            head = (
                f"POST {PATH} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {self.token}\r\nX-Request-Id: {nonce}\r\n"
                f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n")
            writer.write(head.encode() + body)
            await writer.drain()
            await self._receive(reader, answer, leave, pace)
            return answer
        except asyncio.IncompleteReadError as error:
            raise Broken(f"nginx ended the connection: {bytes(answer.body)[-200:]!r}") from error
        finally:
            writer.transport.abort()

    async def _receive(self, reader, answer, leave, pace):
        head = await reader.readuntil(b"\r\n\r\n")
        answer.status = int(head.split(None, 2)[1])
        answer.take_head(head[head.index(b"\r\n") + 2:-4])
        if length := answer.headers.get("content-length"):
            answer.body += await reader.readexactly(int(length))
        elif answer.headers.get("transfer-encoding") == "chunked":
            while size := int(await reader.readline(), 16):
                answer.body += (await reader.readexactly(size + 2))[:-2]
                if await _paced(answer, leave, pace):
                    return
        else:
            answer.body += await reader.read()
        answer.is_ended = True


def request(nonce, model, order, stream=True):
    """A chat whose prompt tells the upstream what to do."""
    messages = [{"role": "user", "content": json.dumps(order)}]
    if "large" in order:
        messages.append({"role": "user", "content": wire.large(nonce, order["large"])})
    return json.dumps({"model": model, "stream": stream, "messages": messages}).encode()
