"""What is measured: each function returns rows for the table."""

import statistics
import time

from .table import Row

KIB = 1024
# Short, so that the runs of a round meet the machine in one state.
REQUEST_LOAD = {"callers": 16, "events": 1, "interval": 0, "seconds": 1}


class Effort:
    """How long everything takes: a full run, or a quick one for a first look."""

    def __init__(self, quick):
        self.rounds = 3 if quick else 7
        self.streams_each = 2 if quick else 4
        self.tokens_each = 10 if quick else 25
        self.request_rounds = 5 if quick else 28
        self.batches = 500 if quick else 2000
        self.many_rounds = 1 if quick else 3
        self.hedged_rounds = 1 if quick else 3
        self.restarts = 5 if quick else 20
        self.cold_starts = 5 if quick else 15
        self.handshake_rounds = 5 if quick else 15
        self.many_events = 8 if quick else 12
        # Beside other gateways.
        self.first_tokens = 50 if quick else 200
        self.long_streams = 2 if quick else 5
        self.rate_seconds = 3 if quick else 10
        self.held_streams = 200 if quick else 500
        self.leaves = 100 if quick else 500
        self.starts = 1 if quick else 5


def progress(text):
    print(" ", text, flush=True)


def interleaved(generator, peers, rounds, mode, **options):
    """Runs the peers in turn, several times: what disturbs the machine for a while disturbs all of them."""
    return interleaved_variants(generator, peers, rounds, mode, {mode: options})[mode]


def interleaved_variants(generator, peers, rounds, mode, variants):
    """The same for several sets of options, by their titles."""
    runs = {title: {peer.name: [] for peer in peers} for title in variants}
    for number in range(rounds):
        for peer in peers:
            for title, options in variants.items():
                run, _ = generator.run(mode, peer, **options)
                runs[title][peer.name].append(run)
                progress(f"{title}, round {number + 1} of {rounds}, {peer.name}: {cost(run):.1f} µs per event")
    return runs


def cost(run):
    """Microseconds of the peer's CPU for each event."""
    return run.cpu / 1000 / max(1, run["events"])


def cost_rows(name, runs, goal=None):
    """Medians side by side, the least in brackets; on a line of its own that of an earlier Sluice, and how today's compares."""
    cells = [cost_cell(runs[peer]) for peer in ("proxy_pass", "sluice")]
    compared, ratio = comparison(runs["proxy_pass"], runs["sluice"])
    rows = [Row(name, *cells, compared, *verdict(ratio, goal))]
    if "earlier" in runs:
        rows.append(Row("  SLUICE_EARLIER", "", cost_cell(runs["earlier"]), comparison(runs["earlier"], runs["sluice"])[0]))
    return rows


def cost_cell(runs):
    costs = [cost(run) for run in runs]
    return f"{statistics.median(costs):.1f} µs ({min(costs):.1f})"


def comparison(reference, ours):
    """The median of each round's ratio, whose runs are neighbours, that of the least costs in brackets; and the first as a number."""
    costs = [(cost(before), cost(after)) for before, after in zip(reference, ours)]
    ratio = statistics.median(after / before for before, after in costs)
    least = [min(of_peer) for of_peer in zip(*costs)]
    return f"{ratio:.2f} × ({least[1] / least[0]:.2f})", ratio


def verdict(ratio, goal):
    return (f"≤ {goal} ×", ratio <= goal) if goal else ()


def beside_row(name, runs):
    spent = statistics.median(run.cpu_beside / 1000 / max(1, run["events"]) for run in runs["sluice"])
    return Row(name, "–", f"{spent:.1f} µs")


def event_load(effort):
    return {"callers": 100, "events": 50, "interval": 20, "streams_each": effort.streams_each}


def streamed_events(generator, stage, effort):
    runs = interleaved(generator, stage.peers_and_earlier, effort.rounds, "stream", **event_load(effort))
    return [
        *cost_rows("CPU per streamed event, median (least)", runs, 0.9),
        beside_row("  the nginx in front of Sluice, besides", runs),
        delay_row("delay of an event, 100 streams", "later_event", runs),
    ]


def requests(generator, stage, effort):
    runs = interleaved(generator, stage.peers_and_earlier, effort.request_rounds, "requests", **REQUEST_LOAD)
    return [
        *cost_rows("CPU per request, median (least)", runs, 1.6),
        beside_row("  the nginx in front of Sluice, besides", runs),
    ]


def long_requests(generator, stage, effort):
    """What a long chat adds to a request: the same load with two bodies."""
    variants = {f"{body} requests": REQUEST_LOAD | {"body": body} for body in ("short", "long")}
    peers = stage.peers_and_earlier
    short, long = interleaved_variants(generator, peers, effort.request_rounds, "requests", variants).values()
    rows = [
        *cost_rows("CPU per request of 200 bytes, median (least)", short),
        *cost_rows("CPU per request of 10 KB, 60 messages", long),
        growth_row("  10 KB compared with 200 bytes", short, long, "sluice", None if stage.earlier else 1.3),
    ]
    if stage.earlier:
        rows.append(growth_row("  10 KB compared with 200 bytes of SLUICE_EARLIER", short, long, "earlier", 1.3))
    return rows


def growth_row(name, short, long, before, goal):
    """What the long chat costs Sluice, beside what the short one costs it, or cost an earlier one; on the left nginx's own."""
    ours, ratio = comparison(short[before], long["sluice"])
    return Row(name, comparison(short["proxy_pass"], long["proxy_pass"])[0], ours, "", *verdict(ratio, goal))


def scanning(generator, stage, effort):
    """Sluice's JSON path alone, on one core: no peer has part in it."""
    return scan_rows(generator, effort, "long", "ASCII") + scan_rows(generator, effort, "russian", "Russian")


def scan_rows(generator, effort, body, text):
    times = generator.alone("scan", body=body, batches=effort.batches)
    size = times["body_bytes"]
    median, best = (size * 1000 / times[f"read_{which}_ns"] for which in ("median", "best"))
    assembling = [times[f"assemble_{which}_ns"] / 1000 for which in ("median", "best")]
    progress(f"scan, {text}: {size:,} bytes in {times['read_median_ns'] / 1000:.1f} µs, {median:.0f} MB/s")
    speed = f"{median:.0f} MB/s ({best:.0f})"
    return [
        Row(f"reading 10 KB of {text}, median (best)", "–", speed, "", "≥ 500 MB/s", median >= 500),
        Row("  assembling the upstream's body, besides", "–", f"{assembling[0]:.1f} µs ({assembling[1]:.1f})"),
    ]


def speech(generator, stage, effort):
    """What it costs to look for what a voice does not say, where there is nothing of it: two of Sluice, in turn. No byte is to change."""
    parts = {"plain": "[]", "speech": '["think", "markdown", "emoji", "links"]'}
    gateways = [stage.gateway(name, speech_settings(stage, value)) for name, value in parts.items()]
    runs = interleaved(generator, gateways, effort.rounds, "stream", **event_load(effort))
    compared, ratio = comparison(runs["plain"], runs["speech"])
    return [
        Row("CPU per event with speech, no signs in the text", "–", cost_cell(runs["speech"]), compared, *verdict(ratio, 1.1)),
        Row("  without speech", "–", cost_cell(runs["plain"])),
    ]


def speech_settings(stage, parts):
    return f"""
        speech = {parts}
        [upstreams.plain]
        url = "http://127.0.0.1:{stage.upstream_port}/v1"
    """


def first_tokens(generator, stage, effort):
    """A stream now and then, on kept connections: what a caller waits for."""
    runs = interleaved(
        generator, stage.peers, effort.rounds, "stream", callers=20, events=5, interval=20, streams_each=effort.tokens_each
    )
    return [delay_row("time to first token, 20 streams", "first_token", runs)]


def delay_row(title, name, runs):
    medians = {
        peer: [statistics.median(run[f"{name}_{share}_us"] for run in runs[peer]) / 1000 for share in ("p50", "p99")]
        for peer in ("proxy_pass", "sluice")
    }
    cells = [f"{p50:.2f} / {p99:.2f} ms" for p50, p99 in medians.values()]
    added = [ours - reference for reference, ours in zip(medians["proxy_pass"], medians["sluice"])]
    return Row(f"{title}, p50 / p99", *cells, f"{added[0]:+.2f} / {added[1]:+.2f} ms")


def many_streams(generator, stage, effort):
    """4,000 streams open at once, an event a second each."""
    count = 4000
    runs = interleaved(
        generator, stage.peers, effort.many_rounds, "stream", callers=count, events=effort.many_events, interval=1000, spread=4000
    )
    return [
        many_row(runs, count),
        delay_row("delay of an event, 4,000 streams", "later_event", runs),
        delay_row("delay of the first event, 4,000 streams", "first_event", runs),
        delay_row("time to first token, 4,000 streams", "first_token", runs),
    ]


def many_row(runs, count):
    def cell(of_peer):
        return f"{sum(run['lost'] for run in of_peer)} / {sum(run['wrong'] for run in of_peer)}"

    at_once = min(run["open_at_once"] for run in runs["sluice"])
    good = all(run.flawless for run in runs["sluice"]) and at_once == count
    cells = [cell(of_peer) for of_peer in runs.values()]
    return Row("4,000 streams, two workers: lost / wrong", *cells, f"{at_once:,} at once", "0 / 0, 4,000 at once", good)


def open_streams(generator, stage, effort):
    """Memory of processes that did nothing yet, and of 4,000 open and silent streams."""
    time.sleep(1)  # What has just been started may still be at it.
    at_rest = {peer.name: peer.memory() for peer in stage.peers_and_earlier}
    for name, sizes in at_rest.items():
        generator.record.note("memory at rest", name, sizes)
    return [
        *memory_rows("memory at rest (RSS)", at_rest, 14, "MiB"),
        *stream_memory_rows(generator, stage, stage.peers_and_earlier, "memory per open stream (RSS)", 18),
    ]


def stream_memory_rows(generator, stage, peers, title, goal):
    sizes = {}
    for peer in peers:
        stage.restart_upstream()
        sizes[peer.name] = memory_of_streams(generator, peer, 4000)
    return memory_rows(title, sizes, goal, "KiB")


def memory_rows(title, sizes, goal, unit):
    """Sizes in bytes, by their peers: resident, beside the goal, and what of it is private."""
    def cells(kind):
        return {peer: of_peer[kind] / {"KiB": KIB, "MiB": KIB * KIB}[unit] for peer, of_peer in sizes.items()}

    def texts(of_peers):
        return [f"{of_peers[peer]:.1f} {unit}" for peer in ("proxy_pass", "sluice")]

    rss, private = cells("rss"), cells("private")
    rows = [
        Row(title, *texts(rss), "", f"≤ {goal} {unit}", rss["sluice"] <= goal),
        Row("  of it private", *texts(private)),
    ]
    if "earlier" in sizes:
        rows.append(Row("  SLUICE_EARLIER, of it private", "", f"{rss['earlier']:.1f}, {private['earlier']:.1f} {unit}"))
    return rows


def memory_of_streams(generator, peer, count):
    generator.run("stream", peer, callers=16, events=5, interval=10)
    before = peer.memory()
    with generator.holding(peer, callers=count, events=2, interval=600_000, spread=4000):
        time.sleep(1)
        after = peer.memory()
    generator.record.note(f"memory without streams and with {count}", peer.name, [before, after])
    each = {name: (after[name] - before[name]) / count for name in before}
    megabytes = [f"{sizes['rss'] / KIB / KIB:.1f}" for sizes in (before, after)]
    progress(f"open, {peer.name}: {' → '.join(megabytes)} MiB, {each['rss'] / KIB:.1f} KiB each")
    return each


def leaving(generator, stage, effort):
    """How soon the upstream's connection is closed when the caller leaves."""
    between = [leave_delays(generator, stage, peer, after=1, pause=3) for peer in stage.peers]
    before = [leave_delays(generator, stage, peer, after=0, pause=100) for peer in stage.peers]
    return [
        *leave_rows("the caller leaves in mid-stream", between),
        *leave_rows("the caller leaves before the first token", before),
    ]


def leave_delays(generator, stage, peer, after, pause, leaves=1000):
    """Milliseconds for each leave, sorted; infinite where the upstream saw nothing within two seconds.

    A stream that its caller left before it reached the upstream says nothing; on a busy machine some do, and others follow."""
    delays = []
    for _ in range(5):
        delays += leave_some(generator, stage, peer, after, pause, leaves - len(delays))
        if len(delays) == leaves:
            break
    seen = [delay for delay in delays if delay < float("inf")]
    moment = "in mid-stream" if after else "before the first token"
    generator.record.note(f"milliseconds until the upstream closed, of {leaves} that left {moment}", peer.name, sorted(seen))
    progress(f"leave, {peer.name}: {len(seen):,} of {leaves:,} seen, the slowest after {max(seen, default=0):.2f} ms")
    return sorted(delays)


def leave_some(generator, stage, peer, after, pause, leaves):
    """The upstream is silent when the caller leaves: nothing but the hang-up itself can tell the gateway."""
    stage.closed()
    silence = 60_000
    _, lines = generator.run(
        "leave", peer, callers=20, leaves=leaves, after=after, pause=pause, events=2, interval=silence, spread=100,
        delay=0 if after else silence,
    )
    left = dict(map(int, (pair.split("=")[1] for pair in line.split())) for line in lines)
    closed = all_closed(stage, left)
    return [
        (closed[number] - moment) / 1e6 if closed[number] else float("inf")
        for number, moment in left.items() if number in closed
    ]


def all_closed(stage, left):
    deadline = time.monotonic() + 2
    closed = stage.closed()
    while not all(closed.get(number) for number in left) and time.monotonic() < deadline:
        time.sleep(0.1)
        closed |= stage.closed()
    return closed


def leave_rows(title, delays):
    def cell(of_peer):
        return f"{sum(delay <= 50 for delay in of_peer):,} of {len(of_peer):,}"

    def slowest(of_peer):
        worst, p99 = of_peer[-1], of_peer[int(len(of_peer) * 0.99)]
        return "never" if p99 == float("inf") else f"p99 {p99:.2f}, max {worst:.2f} ms"

    ours = delays[-1]
    good = len(ours) == 1000 and ours[-1] <= 50
    return [
        Row(f"{title}: closed within 50 ms", *map(cell, delays), "", "1,000 of 1,000", good),
        Row("  until the upstream's connection closes", *map(slowest, delays)),
    ]
