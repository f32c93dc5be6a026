"""What is measured of routes: how an upstream is chosen, what hedges and warm connections bring."""

import statistics
import time

from .figures import progress
from .table import Row


def choosing(generator, stage, effort):
    """All that choosing asks and tells for a request, alone, on one core."""
    times = generator.alone("choose", batches=effort.batches)
    routes = {
        "one": "choosing, a route of one target, median (best)",
        "three": "  of three targets",
        "weighted": "  of three that share the load",
        "hedged": "  of two, each request hedged",
    }
    return [choosing_row(title, times[f"{name}_median_ns"], times[f"{name}_best_ns"]) for name, title in routes.items()]


def choosing_row(title, median, best):
    progress(f"{title.strip()}: {median:,} ns")
    return Row(title, "–", f"{median / 1000:.2f} µs ({best / 1000:.2f})", "", "< 3 µs", median < 3000)


HEDGE_AFTER = 300  # milliseconds
STALLING = 0.05  # of the requests


def hedging(generator, stage, effort):
    """What callers notice of an upstream that stalls for five seconds: the same load with stalls and without, in turn."""
    steady, stalling = (
        stage.gateway(name, hedged_settings(port, stage.steady_port))
        for name, port in [("steady", stage.steady_port), ("stalling", stage.stalling_port)]
    )
    unfaulted, faulted = [], []
    for _ in range(effort.hedged_rounds):
        unfaulted.append(HedgedRun(generator, stage, steady, stalls=0, streams_each=125))
        faulted.append(HedgedRun(generator, stage, stalling, stalls=STALLING, streams_each=125))
    alone = HedgedRun(generator, stage, stage.proxy_pass("proxy-stalling", stage.stalling_port), STALLING, streams_each=25)
    return hedging_rows(unfaulted, faulted, alone)


def hedged_settings(first, second):
    return f"""
        [upstreams.first]
        url = "http://127.0.0.1:{first}/v1"
        [upstreams.second]
        url = "http://127.0.0.1:{second}/v1"
        [[models]]
        match = "*"
        targets = ["first", "second"]
        hedge_after = "{HEDGE_AFTER}ms"
    """


class HedgedRun:
    """About 200 requests in a second, which two cores do easily: no first token is late because of the load."""

    def __init__(self, generator, stage, peer, stalls, streams_each):
        before = stage.counts()
        run, _ = generator.run("stream", peer, callers=20, events=3, interval=20, streams_each=streams_each)
        after = stage.counts()
        self.asked = 20 * streams_each
        self.reached = after["requests"] - before["requests"]
        stalled = after["stalls"] - before["stalls"]
        # Hedged or not, the first upstream had each request, and stalled exactly those that it should.
        if abs(stalled - stalls * self.asked) > 1:
            raise RuntimeError(f"the upstream stalled {stalled} of {self.asked} requests")
        self.p50, self.p99 = (run[f"first_token_{share}_us"] / 1000 for share in ("p50", "p99"))
        progress(
            f"hedging, {peer.name}: {self.asked:,} requests, {stalled} stalled, {self.reached:,} upstream, "
            f"first token {self.p50:.0f} / {self.p99:.0f} ms"
        )


def hedging_rows(unfaulted, faulted, alone):
    def cell(runs):
        return f"{statistics.median(run.p50 for run in runs):.0f} / {statistics.median(run.p99 for run in runs):.0f} ms"

    def extra(runs):
        return sum(run.reached for run in runs) / sum(run.asked for run in runs) - 1

    goals = [2 * run.p99 + HEDGE_AFTER for run in unfaulted]
    good = statistics.median(run.p99 - goal for run, goal in zip(faulted, goals)) <= 0
    goal = f"p99 ≤ 2 × unfaulted + {HEDGE_AFTER} = {statistics.median(goals):.0f} ms"
    return [
        Row("first token, 5 % stall, hedges, p50 / p99", cell([alone]), cell(faulted), "", goal, good),
        Row("  the same load without stalls", "–", cell(unfaulted)),
        Row("  extra upstream requests", "–", f"{extra(faulted):.1%}", "", "≤ 6 %", extra(faulted) <= 0.06),
        Row("  the same without stalls", "–", f"{extra(unfaulted):.1%}"),
    ]


def warm(generator, stage, effort):
    """The first request after a start beside the tenth, over TLS and HTTP/2: with `warm` and without, each from an upstream that
    answers at once, which shows every microsecond of ours, and from one that thinks for a moment, in turn."""
    gateways = {count: stage.gateway(f"warm-{count}", warm_settings(stage, count)) for count in (2, 0)}
    turns = {(count, delay): [] for delay in (0, 20) for count in gateways}
    for number in range(effort.restarts):
        for (count, delay), of_kind in turns.items():
            of_kind.append(first_turns(generator, stage, gateways[count], is_warm=count > 0, delay=delay))
        if number % 5 == 4:
            progress(f"warm: {number + 1} of {effort.restarts} restarts")
    return [
        warm_row("first token after a start, warm = 2: first / tenth", turns[2, 0], 1.2),
        warm_row("  from an upstream that takes 20 ms", turns[2, 20], 1.2),
        warm_row("  without warm, from one that answers at once", turns[0, 0]),
        warm_row("  without warm, from one that takes 20 ms", turns[0, 20]),
    ]


def warm_settings(stage, count):
    return f"""
        authorities_file = "{stage.certificate}"
        [upstreams.tls]
        url = "https://127.0.0.1:{stage.tls_port}/v1"
        warm = {count}
    """


def first_turns(generator, stage, gateway, is_warm, delay):
    """Restarts it; returns how long the first ten callers waited for their first tokens, in microseconds."""
    before = stage.counts()["begun"]
    gateway.restart()
    if is_warm:
        wait_for_connection(stage, before)
    practice = stage.peers[0].address
    _, lines = generator.run("turns", gateway, callers=10, events=1, interval=0, delay=delay, pause=20, practice=practice)
    return [int(line.split("first_token_us=")[1]) for line in lines]


def wait_for_connection(stage, before):
    """Until a handshake has begun, and a moment more, in which it ends."""
    deadline = time.monotonic() + 10
    while stage.counts()["begun"] == before:
        if time.monotonic() > deadline:
            raise RuntimeError("no connection is kept warm")
        time.sleep(0.01)
    time.sleep(0.1)


def warm_row(title, turns, goal=None):
    first, tenth = (statistics.median(of_start[turn] for of_start in turns) for turn in (0, 9))
    verdict = (f"≤ {goal} ×", first <= goal * tenth) if goal else ()
    return Row(title, "–", f"{first / 1000:.2f} / {tenth / 1000:.2f} ms", f"{first / tenth:.2f} ×", *verdict)
