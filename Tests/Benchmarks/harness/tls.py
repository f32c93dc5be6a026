"""What is measured over TLS: Sluice over HTTP/1.1 and HTTP/2, each beside nginx's https, which goes over HTTP/1.1 alone."""

import shutil
import statistics
import subprocess

from .figures import REQUEST_LOAD, cost, cost_rows, event_load, interleaved_variants, progress, stream_memory_rows, verdict
from .table import Row


class Protocol:
    """What Sluice speaks to the upstream, and the goals: two of nginx's CPU, and KiB of an open stream."""

    def __init__(self, title, port, is_http2, events, requests, memory):
        self.title = title
        self._is_http2 = is_http2
        self._port = port
        self.events = events
        self.requests = requests
        self.memory = memory

    def peers(self, generator, stage):
        """Raises when one of them does not speak what the figures say."""
        peers = stage.peers_over_tls(getattr(stage, self._port), stage.tls_http1_port)
        for peer in peers:
            before = stage.counts()
            generator.run("stream", peer, callers=1, events=1)
            if (stage.counts()["http2"] > before["http2"]) != (self._is_http2 and peer.name != "proxy_pass"):
                raise RuntimeError(f"{peer.name} does not speak {self.title}")
        return peers


HTTP1 = Protocol("TLS HTTP/1.1", "tls_http1_port", is_http2=False, events=0.85, requests=1.5, memory=35)
HTTP2 = Protocol("TLS HTTP/2", "tls_port", is_http2=True, events=0.65, requests=1.5, memory=22)
PROTOCOLS = (HTTP1, HTTP2)


def open_streams(generator, stage, effort):
    return [
        row
        for protocol in PROTOCOLS
        for row in stream_memory_rows(
            generator, stage, protocol.peers(generator, stage), f"memory per open stream over {protocol.title}", protocol.memory
        )
    ]


def streamed_events(generator, stage, effort):
    rows = []
    for protocol in PROTOCOLS:
        runs = in_turn(generator, stage, protocol, "stream", effort.rounds, event_load(effort))
        rows += cost_rows(f"CPU per event over {protocol.title}, median (least)", runs, protocol.events)
    return rows


def requests(generator, stage, effort):
    rows = []
    for protocol in PROTOCOLS:
        runs = in_turn(generator, stage, protocol, "requests", effort.request_rounds, REQUEST_LOAD)
        rows += cost_rows(f"CPU per request over {protocol.title}, median (least)", runs, protocol.requests)
    return rows


def in_turn(generator, stage, protocol, mode, rounds, load):
    title = f"{mode} over {protocol.title}"
    return interleaved_variants(generator, protocol.peers(generator, stage), rounds, mode, {title: load})[title]


def cold(generator, stage, effort):
    """A hundred callers within 23 ms of a start: nobody has a connection to the upstream, nobody a session to resume."""
    peers = HTTP2.peers(generator, stage)
    delays = {peer.name: [] for peer in peers}
    for number in range(effort.cold_starts):
        for peer in peers:
            peer.restart()
            run, _ = generator.run("stream", peer, callers=100, events=5, interval=20, spread=23)
            delays[peer.name].append(run["first_token_p50_us"] / 1000)
            progress(f"cold, start {number + 1} of {effort.cold_starts}, {peer.name}: {delays[peer.name][-1]:.1f} ms")
    cells = {peer: f"{statistics.median(of_peer):.1f} ms ({min(of_peer):.1f})" for peer, of_peer in delays.items()}
    rows = [Row("first token of 100 cold requests within 23 ms, p50 (least)", cells["proxy_pass"], cells["sluice"])]
    return rows + ([Row("  SLUICE_EARLIER", "", cells["earlier"])] if "earlier" in cells else [])


def handshakes(generator, stage, effort):
    """Requests to a port that closes each connection, in turn with requests on kept connections: the difference is what
    connecting costs, with the handshake."""
    kept, closing = HTTP1.peers(generator, stage), stage.peers_over_tls(stage.closing_port, stage.closing_port)
    connecting = {peer.name: [] for peer in closing}
    resumed = {peer.name: [] for peer in closing}
    for number in range(effort.handshake_rounds):
        for keeper, closer in zip(kept, closing):
            name = closer.name
            once, share = connecting_cost(generator, stage, keeper, closer)
            connecting[name].append(once)
            resumed[name].append(share)
            progress(f"handshake, round {number + 1} of {effort.handshake_rounds}, {name}: {once:.1f} µs, {share:.1%} resumed")
    return handshake_rows(connecting, resumed)


def connecting_cost(generator, stage, keeper, closer):
    """In microseconds, and the share of the handshakes that were resumed."""
    load = REQUEST_LOAD | {"callers": 1}  # One after the other: each has the session of the one before.
    run, _ = generator.run("requests", keeper, **load)
    before = stage.counts()
    run_closing, _ = generator.run("requests", closer, **load)
    made = stage.counts() - before
    # The upstream counts a request just after its answer: the last ones may be missing.
    if made["handshakes"] < 0.99 * run_closing["complete"]:
        raise RuntimeError(f"{closer.name}: {run_closing['complete']} requests on {made['handshakes']} connections")
    return cost(run_closing) - cost(run), made["resumed"] / made["handshakes"]


def handshake_rows(connecting, resumed):
    def cell(peer):
        return f"{statistics.median(connecting[peer]):.0f} µs, {statistics.median(resumed[peer]):.0%}"

    def ratio(reference, ours):
        return statistics.median(after / before for before, after in zip(connecting[reference], connecting[ours]))

    ours = ratio("proxy_pass", "sluice")
    title = "CPU of a further connection over TLS; of them resumed"
    rows = [Row(title, cell("proxy_pass"), cell("sluice"), f"{ours:.2f} ×", *verdict(ours, 1.5))]
    if "earlier" in connecting:
        rows.append(Row("  SLUICE_EARLIER", "", cell("earlier"), f"{ratio('earlier', 'sluice'):.2f} ×"))
    return rows


def libraries(generator, stage, effort):
    """What the dynamic linker loads, in lines of ldd."""
    rows = [Row("shared libraries", libraries_of("nginx"), libraries_of(stage.sluice))]
    return rows + ([Row("  SLUICE_EARLIER", "", libraries_of(stage.earlier))] if stage.earlier else [])


def libraries_of(executable):
    path = shutil.which(executable)
    shown = subprocess.run(["ldd", path], check=True, stdout=subprocess.PIPE, text=True).stdout
    return str(len(shown.splitlines()))
