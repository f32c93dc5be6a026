"""The stage of `--peers`: nginx's proxy_pass and Sluice, and the other gateways that are here, all before one upstream."""

import http.client
import json
import sys
import time
import urllib.request

from . import peers

STREAMS_LIMIT = 12_000
TITLES = {"proxy_pass": "nginx proxy_pass", "sluice": "Sluice"}


class Company:
    """Who is measured, for as long as the stage lasts."""

    def __init__(self, stage, kinds, is_direct):
        self.stage = stage
        self.upstream = peers.Peer("upstream", f"127.0.0.1:{stage.upstream_port}", [])
        self.skipped = {}
        self.peers = stage.peers + [peer for kind in kinds if (peer := self._started(kind, is_direct))]

    def _started(self, kind, is_direct):
        print(f"starting {kind.title}", flush=True)
        try:
            peer = kind.start(self.stage, is_direct)
            wait_for_answer(peer)
            return peer
        except RuntimeError as error:
            self.skipped[kind.title] = f"does not answer: {error}"
            print(f"  ({kind.title} is skipped: {self.skipped[kind.title]})", file=sys.stderr, flush=True)
            return None

    def clear(self):
        """Ends what some peers still hold open at the upstream, long after their callers have left."""
        self.stage.restart_upstream()
        for peer in self.peers:
            wait_for_answer(peer)

    def settings(self):
        """Each peer's command, what it gets by its environment, what is in front of it, and what is checked of its streams."""
        return {
            peer.name: {
                "command": peer.process.command, "environment": getattr(getattr(peer, "kind", None), "environment", {}),
                "in front": peer.hop, "check": peer.check}
            for peer in self.peers}


def title(peer):
    return TITLES.get(peer.name) or peer.kind.title


def many_settings(stage):
    """For more streams than one Sluice takes until it is told to."""
    return f"""
        limits.requests = {STREAMS_LIMIT}
        [upstreams.openai]
        url = "http://127.0.0.1:{stage.upstream_port}/v1"
    """


def wait_for_answer(peer, seconds=60):
    """Until a whole stream has come through it."""
    deadline = time.monotonic() + seconds
    while not (reason := answered(peer)) == "":
        if time.monotonic() > deadline:
            raise RuntimeError(f"{peer.name} does not answer: {reason}")
        time.sleep(0.002)


def answered(peer):
    """Empty, or what came instead."""
    body = {"model": "benchmark", "messages": [{"role": "user", "content": "Hello"}], "stream": True, "user": "benchmark 0 1 0 0"}
    request = urllib.request.Request(
        f"http://{peer.address}/v1/chat/completions", json.dumps(body).encode(), {"Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=20) as response:
            return "" if b"data: [DONE]" in response.read() else "a stream without [DONE]"
    except (OSError, http.client.HTTPException) as error:
        return str(error)
