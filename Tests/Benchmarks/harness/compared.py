"""What is measured with `--peers`: each function returns rows of a table that has a column for each peer."""

import pathlib
import shutil
import statistics
import time

from . import company as companies
from . import others, processes
from .figures import KIB, REQUEST_LOAD, cost_cell, interleaved, leave_delays, memory_of_streams, progress

MIB = KIB * KIB
ADDED_LOAD = {"callers": 1, "events": 64, "interval": 20}
# So few that each of them keeps up with it.
EVENT_LOAD = {"callers": 10, "events": 50, "interval": 20}
RATE_LOAD = {"callers": 200, "per_second": 20, "events": 1, "interval": 0}
COUNTS = (100, 1_000, 4_000, 10_000)


def row(figure, company, cell, upstream="–"):
    """`cell` makes each peer's text."""
    return (figure, upstream, *map(cell, company.peers))


def head(company):
    return ("figure", "the upstream itself", *map(companies.title, company.peers))


def hops(generator, company, effort):
    """What is between the caller and each, and what is checked of its streams."""
    return [
        row("in front of it", company, lambda peer: peer.hop),
        row("checked of each stream", company, lambda peer: peer.check),
    ]


def added(generator, company, effort):
    """One caller: what each peer adds to the upstream's own first token, and to the time between two events 20 ms apart."""
    everyone = [company.upstream, *company.peers]
    firsts = interleaved(
        generator, everyone, effort.rounds, "stream", callers=1, events=1, interval=0, streams_each=effort.first_tokens)
    streams = interleaved(generator, everyone, effort.rounds, "stream", **ADDED_LOAD, streams_each=effort.long_streams)
    return [
        added_row("first token, one caller: added p50 / p99", company, firsts, "first_token"),
        added_row("time between events, one caller: added p50 / p99", company, streams, "between"),
        added_row("delay of an event, one caller: added p50 / p99", company, streams, "later_event"),
    ]


def added_row(figure, company, runs, name):
    def cell(peer):
        differences = [
            statistics.median(run[key] - own[key] for run, own in zip(runs[peer.name], runs["upstream"])) / 1000
            for key in (f"{name}_p50_us", f"{name}_p99_us")]
        return "{:+.2f} / {:+.2f} ms".format(*differences)

    return row(figure, company, cell, percentiles(runs["upstream"], name))


def percentiles(runs, name):
    """Of each round; the median of the rounds."""
    found = [statistics.median(run[f"{name}_{share}_us"] for run in runs) / 1000 for share in ("p50", "p99")]
    return "{:.2f} / {:.2f} ms".format(*found)


def events(generator, company, effort):
    runs = interleaved(generator, company.peers, effort.rounds, "stream", **EVENT_LOAD, streams_each=effort.streams_each)
    return [
        row("CPU per streamed event, median (least)", company, lambda peer: cost_cell(runs[peer.name])),
        beside_row(company, runs),
    ]


def beside_row(company, runs):
    def cell(peer):
        return f"{statistics.median(run.cpu_beside / 1000 / max(1, run['events']) for run in runs[peer.name]):.1f} µs"

    return row("  the nginx in front, besides", company, lambda peer: cell(peer) if peer.beside else "–")


def requests(generator, company, effort):
    """Requests of one event on kept connections, one after the other from each of 16 callers."""
    runs = interleaved(generator, company.peers, effort.rounds, "requests", **REQUEST_LOAD)

    def speed(peer):
        return f"{statistics.median(run['complete'] * 1000 / run['milliseconds'] for run in runs[peer.name]):,.0f}"

    return [
        row("CPU per request, median (least)", company, lambda peer: cost_cell(runs[peer.name])),
        beside_row(company, runs),
        row("requests per second at saturation, 16 callers", company, speed),
    ]


def rate(generator, company, effort):
    """Requests that are due at fixed moments: what waits behind a slow one is late, too."""
    everyone = [company.upstream, *company.peers]
    runs = interleaved(generator, everyone, effort.rounds, "rate", **RATE_LOAD, seconds=effort.rate_seconds)
    own = percentiles(runs["upstream"], "first_token")
    return [row(
        "first token, 20 requests a second: p50 / p99", company, lambda peer: percentiles(runs[peer.name], "first_token"), own)]


def memory(generator, company, effort):
    """Proportional memory (PSS): what processes share is counted once."""
    at_rest = {peer.name: peer.memory()["pss"] for peer in company.peers}
    held = {}
    for peer in company.peers:
        held[peer.name] = held_streams(generator, peer, effort.held_streams)
        company.clear()
    return [
        row("memory at rest, after its first answers (PSS)", company, lambda peer: f"{at_rest[peer.name] / MIB:.1f} MiB"),
        row(f"memory per open stream, of {effort.held_streams:,} (PSS)", company, lambda peer: held[peer.name]),
    ]


def held_streams(generator, peer, count):
    try:
        return f"{memory_of_streams(generator, peer, count)['pss'] / KIB:.1f} KiB"
    except RuntimeError as error:
        generator.faults.append(f"{peer.name}, open: {error}")
        return "not held"


def leave(generator, company, effort):
    """From the caller's hang-up to the upstream's closed connection, while the upstream is silent."""
    rows = []
    for title, after, pause in (("in mid-stream", 1, 3), ("before the first token", 0, 100)):
        cells = {}
        for peer in company.peers:
            delays = leave_delays(generator, company.stage, peer, after, pause, effort.leaves)
            cells[peer.name] = leave_cell(delays)
            company.clear()
        rows.append(row(f"caller leaves {title}: upstream closed, p50 / p99", company, lambda peer: cells[peer.name]))
    return rows


def leave_cell(delays):
    """Those that the upstream noticed within two seconds, of those that had reached it."""
    if not delays:
        return "none reached it"
    seen = [delay for delay in delays if delay < float("inf")]
    if len(seen) < len(delays):
        return f"{len(seen)} of {len(delays)} within 2 s"
    return f"{statistics.median(seen):.2f} / {seen[int((len(seen) - 1) * 0.99)]:.2f} ms"


def start(generator, company, effort):
    """From the program's start to the end of its first answer; the nginx in front is there already."""
    times = {peer.name: [] for peer in company.peers}
    for number in range(effort.starts):
        for peer in company.peers:
            peer.process.stop()
            begin = time.monotonic()
            peer.restart()
            companies.wait_for_answer(peer)
            times[peer.name].append(time.monotonic() - begin)
            progress(f"start {number + 1} of {effort.starts}, {peer.name}: {times[peer.name][-1]:.3f} s")
    for name, of_peer in times.items():
        generator.record.note("seconds from the start to the first answer", name, of_peer)
    return [row("start to first answer, median", company, lambda peer: f"{statistics.median(times[peer.name]):.3f} s")]


def size(generator, company, effort):
    """What is installed, without the libraries and interpreters of the system, and without the nginx in front."""
    sizes = {"proxy_pass": others.package_bytes(*others.packages_of("nginx"), "nginx-common"), "sluice": size_of(company.stage.sluice)}
    sizes |= {peer.name: peer.kind.size() for peer in company.peers if peer.name not in sizes}
    for name, found in sizes.items():
        generator.record.note("bytes installed", name, found)
    texts = {name: f"{found / MIB:.1f} MiB" if found else "–" for name, found in sizes.items()}
    return [row("size of what is installed", company, lambda peer: texts[peer.name])]


def size_of(executable):
    return pathlib.Path(shutil.which(executable)).stat().st_size


def streams(generator, company, effort):
    """Streams that proxy_pass and Sluice hold at once, an event every two seconds each: every byte right, and what events cost."""
    stage = company.stage
    stage.connections = 24_000
    reached = [stage.proxy_pass("proxy-many", stage.upstream_port), stage.gateway("many", companies.many_settings(stage))]
    reached[1].name = "sluice"
    counts = [count for count in COUNTS if count <= processes.streams_max()]
    rows = []
    for count in counts:
        runs = interleaved(
            generator, reached, effort.many_rounds, "stream", callers=count, events=effort.many_events + 2, interval=2000,
            spread=max(4000, count))
        rows += streams_rows(company, count, runs)
    return rows + [(f"{count:,} streams", "–", *["too few descriptors here"] * 2, *["–"] * (len(company.peers) - 2))
                   for count in COUNTS if count not in counts]


def streams_rows(company, count, runs):
    def lost(of_peer):
        at_once = min(run["open_at_once"] for run in of_peer)
        return f"{sum(run['lost'] for run in of_peer)} / {sum(run['wrong'] for run in of_peer)}, {at_once:,} at once"

    def cells(text):
        return lambda peer: text(runs[peer.name]) if peer.name in runs else "–"

    return [
        row(f"{count:,} streams: lost / wrong", company, cells(lost)),
        row("  CPU per event, median (least)", company, cells(cost_cell)),
    ]
