"""What is measured for docs/capacity.md: several responders behind one nginx, and what nginx itself holds and spends in front."""

import json
import socket
import ssl
import statistics
import time

from .figures import KIB, cost, event_load, interleaved, progress
from .peers import Peer
from .table import Row

HELD_EACH = 1000


def responders(generator, stage, effort):
    """One, two and three of them: this machine has not the cores for all, so that what an event costs is what tells. Where that stays the
    same, each further machine brings as many events a second as the first."""
    peers = [stage.machines(count, "--config", settings(stage)) for count in (1, 2, 3)]
    runs = interleaved(generator, peers, effort.rounds, "stream", **event_load(effort))
    rows = []
    for count, peer in enumerate(peers, 1):
        spent = [cost(run) for run in runs[peer.name]]
        beside = statistics.median(run.cpu_beside / 1000 / max(1, run["events"]) for run in runs[peer.name])
        held, each = held_streams(generator, peer, count)
        rows += [
            Row(f"CPU per event, {count} responders, median (least)", "–", f"{statistics.median(spent):.1f} µs ({min(spent):.1f})"),
            Row("  their nginx, besides", "–", f"{beside:.1f} µs"),
            Row("  streams held at once, and memory of each", "–", f"{held:,}, {each / KIB:.1f} KiB"),
        ]
    return rows


def settings(stage):
    """As many requests as one may hold here: one more would get 503."""
    path = f"{stage.directory}/machines.toml"
    with open(path, "w", encoding="utf-8") as file:
        file.write(f"limits.requests = {HELD_EACH}\n[upstreams.openai]\nurl = \"http://127.0.0.1:{stage.upstream_port}/v1\"\n")
    return path


def held_streams(generator, peer, count):
    """Streams that are open and silent on all of them, and resident bytes of each."""
    stream_count = count * HELD_EACH
    before = peer.memory()["rss"]
    with generator.holding(peer, callers=stream_count, events=2, interval=600_000, spread=4 * stream_count):
        time.sleep(1)
        after = peer.memory()["rss"]
    progress(f"held, {peer.name}: {stream_count:,} streams")
    return stream_count, (after - before) / stream_count


def front(generator, stage, effort):
    """Proportional memory of nginx in front of Sluice for each silent stream, from callers without TLS and with it."""
    gateway = stage.peers[1]
    plain = front_memory(generator, gateway)
    secure = secure_front_memory(stage, stage.front_with_tls(gateway))
    return [
        Row("nginx in front of Sluice, memory per stream (PSS)", "–", f"{plain / KIB:.1f} KiB"),
        Row("  with TLS to the caller, HTTP/1.1", "–", f"{secure / KIB:.1f} KiB"),
    ]


def front_memory(generator, peer):
    generator.run("stream", peer, callers=16, events=5, interval=10)
    nginx = Peer("front", peer.address, peer.beside)
    before = nginx.memory()["pss"]
    with generator.holding(peer, callers=HELD_EACH, events=2, interval=600_000, spread=4000):
        time.sleep(1)
        after = nginx.memory()["pss"]
    return (after - before) / HELD_EACH


def secure_front_memory(stage, peer):
    """The generator speaks no TLS; these callers only open streams, and wait."""
    context = ssl.create_default_context(cafile=stage.certificate)
    host, port = peer.address.split(":")

    def begun(number):
        body = {"model": "benchmark", "messages": [{"role": "user", "content": "Hello"}], "stream": True}
        body = json.dumps(body | {"user": f"benchmark {number} 2 600000 0"}).encode()
        head = f"POST /v1/chat/completions HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\n"
        caller = context.wrap_socket(socket.create_connection((host, int(port))), server_hostname=host)
        caller.sendall(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
        while b"data: " not in caller.recv(65536):
            pass
        return caller

    practice = [begun(900_000_000 + number) for number in range(16)]
    before = peer.memory()["pss"]
    callers = [begun(900_001_000 + number) for number in range(HELD_EACH)]
    time.sleep(1)
    after = peer.memory()["pss"]
    for caller in practice + callers:
        caller.close()
    return (after - before) / len(callers)
