"""The whole of Sluice, behind nginx, towards an upstream over plain HTTP/1.1, and over TLS and HTTP/2."""

from harness import peers, tls

from .budget import Count

ROUNDS = 3
MEDIAN, MOST = ROUNDS // 2, -1
# One caller alone: of several, Sluice handles what comes at the same time in one turn, and that is chance. Events of one caller
# come together only where the machine has stood still, which makes them cheaper: the round with the most is the one without that.
EVENTS = {"callers": 1, "events": 500, "interval": 4}
LOADS = [
    ("event", "streamed event whose text alone differs", EVENTS, MOST),
    ("event-varied", "streamed event whose id and obfuscation differ too", {**EVENTS, "form": "varied"}, MOST),
    ("request", "request with one event", {"callers": 1, "events": 1, "interval": 0, "streams_each": 200}, MEDIAN),
]


def counts(callgrind, generator):
    with peers.Stage(callgrind.command) as stage:
        try:
            for protocol, among in [("", stage.peers), ("-tls-http2", tls.HTTP2.peers(generator, stage))]:
                (peer,) = (peer for peer in among if peer.name == "sluice")
                for name, unit, load, rank in LOADS:
                    yield rounds(callgrind, generator, peer, name + protocol, unit, load)[rank]
        except RuntimeError:
            stage.show_logs()
            raise


def rounds(callgrind, generator, peer, name, unit, load):
    """The rounds behind one that warms up, the least first."""
    counts = []
    for _ in range(1 + ROUNDS):
        run, _ = generator.run("stream", peer, **load)
        if generator.faults:
            raise RuntimeError(generator.faults[0])
        counts.append(Count(name, unit, callgrind.dump(peer.counted[0]), run["events"]))
    return sorted(counts[1:], key=lambda count: count.own)
