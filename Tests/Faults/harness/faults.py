"""Faults of the kernel: each system call of Sluice fails once, with each error of its manual page, and what comes of it."""

import argparse
import asyncio
import collections
import pathlib
import signal
import subprocess
import sys
import tempfile
import time

from daemon import Daemon, Injection, count_struck
from errnos import COMMON, ERRNOS, WITHOUT
from load import Load, Outcome
from place import Site

WHENS = (1, 2, 100)
LASTING = "1+"  # every call for a while
LASTING_SECONDS, LASTING_CALLS_MAX = 0.5, 2000
# What passes by itself, so that the call is made again at once, and what only a mistake in the call brings about.
NOT_LASTING = {"EAGAIN", "EINTR", "ECONNABORTED", "EBADF", "EFAULT", "EINVAL"}
# That there is nothing, said for a while though there is something, which no kernel says: who watches for changes is not told again.
UNTRUE = {("recvfrom", "EAGAIN")}
NOT_LASTING_CALLS = {"epoll_wait", "poll"}  # one is the loop itself; the other needs memory for a thousand descriptors, and asks of one
COLUMNS = {1: "1st", 2: "2nd", 100: "100th", LASTING: "all, for a while"}
ROUNDS_MAX = 12  # of the load, for the hundredth call
IDLE_SECONDS, IDLE_CPU_SHARE = 0.1, 0.3  # more than this of a core, and again over a whole second, is a loop that spins
MEMORY = {"brk", "mmap", "mprotect"}  # nothing runs on without any
PHASES = {"start": "at the start", "serve": "while it serves", "end": "at the end"}


class Combination:
    def __init__(self, phase, call, errno, when):
        self.phase, self.call, self.errno, self.when = phase, call, errno, when
        self.text, self.faults = "", []

    def __str__(self):
        return f"{PHASES[self.phase]}: {self.call} {self.errno}, {COLUMNS[self.when]}"

    @property
    def lasts(self):
        return self.when == LASTING and self.errno not in NOT_LASTING and self.call not in NOT_LASTING_CALLS

    @property
    def injection(self):
        # The kernel's own brk knows no errors: it answers with the break as it is (brk(2)), here with none.
        result = "retval=0" if self.call == "brk" else f"error={self.errno}"
        return ["-e", f"trace={self.call}", "-e", f"inject={self.call}:{result}:when={self.when}"]


class Lane:
    """A Sluice and its upstreams; lanes run side by side."""

    def __init__(self, number, directory, options):
        self.number, self.options = number, options
        self.directory = f"{directory}/{number}"
        pathlib.Path(self.directory).mkdir()
        self.site = Site(self.directory, number)
        self.trace = f"{self.directory}/trace"
        self.daemon = self.newest = None

    def new_daemon(self, *strace):
        self.newest = Daemon(self.site, self.options.binary, self.directory, self.options.workers, strace)
        return self.newest

    async def try_out(self, combination):
        pathlib.Path(self.trace).unlink(missing_ok=True)
        combination.text, combination.faults = "", []
        await getattr(self, combination.phase)(combination)

    # The start: it may fail, in words.

    async def start(self, combination):
        daemon = self.new_daemon("strace", "-f", "--seccomp-bpf", "-o", self.trace, *combination.injection)
        accepts = await daemon.accepts(8)
        if accepts:
            await asyncio.sleep(0.05)  # its socket is there a little before its workers are
        if accepts and daemon.is_alive:
            return await self.started(daemon, combination)
        status = await daemon.ended(1)
        if "strace: " in daemon.words():
            raise RuntimeError(daemon.words())
        words = [line for line in daemon.words().splitlines() if line.strip()]
        if status is None:
            combination.faults.append("it neither serves nor ends")
        elif status < 0 and (reason := not_ours(combination, daemon)):
            combination.text = f"ends: {reason}"
        elif status < 0:
            combination.faults.append(f"it died of {signal.Signals(-status).name}: {' / '.join(words[:3])[:300]}")
        elif status == 0:
            combination.faults.append("it ended with status 0")
        elif not words and combination.call not in ("write", "writev"):
            combination.faults.append(f"it ended with status {status} and without a word")
        else:
            combination.text = f"ends, {status}: {words[-1][:120] if words else ''}"

    async def started(self, daemon, combination):
        struck = count_struck(self.trace)
        if not struck:
            daemon.kill()
            combination.text = "–"
            return
        load = Load(daemon.socket, self.number)
        combination.text = "starts"
        for _ in range(3):  # each thread has its fault, those of the first look-ups too, which are remembered for a second
            outcome = await load.round()
            if outcome.is_spotless:
                break
            combination.text += f"; the next round: {outcome}"
            await asyncio.sleep(1.1)
        await load.close()
        if not outcome.is_spotless:
            combination.faults.append(f"it started, but: {outcome} {outcome.faults[:2]}")
        status = await daemon.end()
        if status != 0:
            combination.faults.append(f"it ended at last with {status}: {daemon.words()[-300:]}")

    # Once it serves.

    async def serve(self, combination):
        if not self.daemon:
            await self.begin()
        daemon, outcome = self.daemon, Outcome()
        steady = asyncio.create_task(self.load.call("plain", {"events": 12, "gap": 0.03}, True, None, True))
        await asyncio.sleep(0.03)
        injection = Injection(daemon, self.trace, combination.injection)
        await injection.attached()
        if combination.when == LASTING:
            outcome.add(await self.last(injection))
        for _ in range({1: 2, 2: 2, 100: ROUNDS_MAX, LASTING: 0}[combination.when]):
            outcome.add(await self.load.round())
            if injection.has_struck() or not daemon.is_alive:
                break
        outcome.add(await steady)
        await injection.detach()
        struck = count_struck(self.trace)
        if combination.lasts and struck > LASTING_CALLS_MAX:
            combination.faults.append(f"it tries again {struck} times in {LASTING_SECONDS} s")
        combination.text = str(outcome) or "nothing lost" if struck else "–"
        combination.faults += outcome.faults
        await self.look_after(combination, daemon, struck)
        if combination.faults or not daemon.is_alive:
            await self.let_go()

    async def last(self, injection):
        """Callers may wait for as long as it lasts, and no longer."""
        round_ = asyncio.create_task(self.load.round())
        await asyncio.sleep(LASTING_SECONDS)
        await injection.detach()
        return await round_

    async def look_after(self, combination, daemon, struck):
        """Alive, at rest, serving, and with no more descriptors than before."""
        if not await self.is_at_rest(daemon):
            combination.faults.append("it spins while nothing is asked")
        after = Outcome()
        for _ in range(2):
            after = await self.load.round()
            if after.is_spotless:
                break
            combination.text += f"; the next round: {after}"
            await asyncio.sleep(1.1 if combination.when == LASTING else 0)  # a look-up's failure is remembered for a second
        if not daemon.is_alive:
            if reason := not_ours(combination, daemon):
                combination.text, combination.faults = f"ends: {reason}", []
                return
            words = " / ".join(daemon.words().splitlines()[-3:])
            combination.faults = [f"it died with {daemon.process.returncode}: {words[-500:]}"]
            return
        if not after.is_spotless:
            combination.faults.append(f"it does not serve afterwards: {after} {after.faults[:2]}")
        kept = 1000 if combination.call == "close" else 0  # a close that is kept from the kernel closes nothing
        if more := await self.descriptors_left(daemon, kept):
            combination.faults.append(f"descriptors that were not there before: {more}")
        if kept:
            await self.let_go()

    async def is_at_rest(self, daemon):
        for seconds in (IDLE_SECONDS, 1):
            try:
                before = daemon.cpu_seconds()
                await asyncio.sleep(seconds)
                if daemon.cpu_seconds() - before < seconds * IDLE_CPU_SHARE:
                    return True
            except OSError:
                return True
        return False

    async def descriptors_left(self, daemon, kept):
        await self.load.close()
        self.site.rest()
        deadline = time.monotonic() + 6  # nginx waits 4 s for a request on a connection that has had none
        while True:
            more = daemon.descriptors() - self.before
            if more.total() <= kept or time.monotonic() > deadline:
                return dict(more) if more.total() > kept else None
            await asyncio.sleep(0.02)

    async def begin(self):
        self.daemon = self.new_daemon()
        if not await self.daemon.accepts(20):
            raise RuntimeError(f"Sluice did not start: {self.daemon.words()}")
        self.load = Load(self.daemon.socket, self.number)
        self.before = collections.Counter()
        for _ in range(2):
            outcome = await self.load.round()
        if not outcome.is_spotless:
            raise RuntimeError(f"it fails without a fault: {outcome} {outcome.faults}")
        await self.load.close()
        self.site.rest()
        await asyncio.sleep(1)
        self.before = self.daemon.descriptors()

    async def let_go(self):
        if self.daemon:
            await self.load.close()
            self.daemon.kill()
            self.daemon = None

    # Its end, with streams under way.

    async def end(self, combination):
        await self.let_go()
        daemon = self.new_daemon()
        if not await daemon.accepts(20):
            raise RuntimeError(f"Sluice did not start: {daemon.words()}")
        load = Load(daemon.socket, self.number)
        await load.round(is_large=False)
        streams = [asyncio.create_task(load.call(model, {"events": 8, "gap": 0.03}, True, None, index % 2 == 0))
                   for index, model in enumerate(("plain", "h1tls", "h2tls", "unix"))]
        await asyncio.sleep(0.08)
        injection = Injection(daemon, self.trace, combination.injection)
        await injection.attached()
        daemon.process.send_signal(signal.SIGTERM)
        status = await daemon.ended(12)
        await injection.detach()
        outcome = Outcome()
        for stream in streams:
            outcome.add(await stream)
        await load.close()
        combination.faults += outcome.faults
        combination.text = str(outcome) or "nothing lost" if count_struck(self.trace) else "–"
        if status is None:
            combination.faults.append("it does not end")
        elif status != 0 and (reason := not_ours(combination, daemon)):
            combination.text = f"ends: {reason}"
        elif status != 0:
            combination.faults.append(f"it ended with {status}: {daemon.words()[-400:]}")


# What the loader, and the C library where it looks after itself, end a process for (their words, and why that is no finding).
OTHERS = {
    "The futex facility returned an unexpected error code": "the C library's own end: no wake gets that error from the kernel",
    "attempting to release a Mutex": "Swift's own end: no release of a lock gets that error from the kernel",
    "on netlink descriptor": "the C library's own end: it takes the socket of its look-up for one that somebody else has closed",
}


def not_ours(combination, daemon):
    """Why the C library or the loader has ended the process, if one of them has."""
    if combination.phase == "start" and combination.call == "mmap" and combination.when == 1 and not daemon.words():
        return "the loader's own end, ahead of any word: it has no memory for itself"
    return next((reason for words, reason in OTHERS.items() if words in daemon.words()), None)


async def calls_of(lane, phase):
    """The system calls of a phase, and how often each is made."""
    path = f"{lane.directory}/counts"
    daemon = lane.new_daemon(*(["strace", "-c", "-f", "-o", path] if phase == "start" else []))
    if not await daemon.accepts(30):
        raise RuntimeError(f"Sluice did not start: {daemon.words()}")
    load = Load(daemon.socket, lane.number)
    tracer = None
    if phase != "start":
        await load.round()
        tracer = subprocess.Popen(["strace", "-c", "-f", "-p", str(daemon.pid), "-o", path], stderr=subprocess.DEVNULL)
        await asyncio.sleep(0.5)
    if phase == "serve":
        for _ in range(ROUNDS_MAX):
            await load.round()
        await load.close()
        tracer.send_signal(signal.SIGINT)
        tracer.wait()
    await daemon.end()
    if tracer:
        tracer.wait()
    await load.close()
    counts = {}
    for line in pathlib.Path(path).read_text().splitlines()[2:]:
        fields = line.split()
        if len(fields) >= 5 and fields[-1] != "total" and fields[3].isdigit():
            counts[fields[-1]] = int(fields[3])
    return counts


def combinations(phase, counts, options):
    for call, count in sorted(counts.items()):
        if options.call and call not in options.call or call in WITHOUT:
            continue
        for errno in ERRNOS.get(call, ()):
            if options.quick and errno not in COMMON:
                continue
            for when in WHENS[:1] if options.quick else WHENS:
                if when <= count:
                    yield Combination(phase, call, errno, when)
            if phase == "serve" and not options.quick and call not in MEMORY and (call, errno) not in UNTRUE:
                yield Combination(phase, call, errno, LASTING)


async def work(lane, queue, state):
    while queue:
        combination = queue.popleft()
        await lane.try_out(combination)
        if combination.faults:
            first = combination.faults
            await lane.try_out(combination)  # once more: the machine may have stood still
            if not combination.faults and "died" not in first[0]:
                combination.text += " (once: " + first[0][:80] + ")"
            else:
                combination.faults = combination.faults or first
                state.faults.append(combination)
                print(f"FAULT: {combination} {combination.faults[0][:600]}", flush=True)
        state.done += 1
        state.tell(combination)


class State:
    def __init__(self, count):
        self.count, self.done, self.faults = count, 0, []
        self.began = self.told = time.monotonic()

    def tell(self, combination):
        if time.monotonic() - self.told >= 10 or self.done == self.count:
            self.told = time.monotonic()
            print(f"{self.told - self.began:5.0f} s  {self.done} of {self.count}  {len(self.faults)} faults  {combination}", flush=True)


def show(done, counts):
    for phase, words in PHASES.items():
        rows = collections.defaultdict(dict)
        for each in done:
            if each.phase == phase:
                rows[each.call, each.errno][each.when] = ("**" + "; ".join(each.faults) + "**") if each.faults else each.text
        if not rows:
            continue
        columns = [when for when in COLUMNS if any(when in cells for cells in rows.values())]
        print(f"\n{words[0].upper()}{words[1:]}\n\n| call | errno |", " | ".join(COLUMNS[when] for when in columns), "|")
        print("|---" * (2 + len(columns)) + "|")
        for (call, errno), cells in rows.items():
            print(f"| {call} | {errno} |", " | ".join(cell(cells.get(when, "–")) for when in columns), "|")
    missing = sorted({call for each in counts.values() for call in each} - ERRNOS.keys() - WITHOUT.keys())
    if missing:
        print("\nNo errors are known here of:", ", ".join(missing))
    return missing


def cell(text):
    return text.replace("|", "\\|").replace("\n", " ")[:300]


async def run(options, directory):
    lanes = [Lane(number, directory, options) for number in range(options.lanes)]
    try:
        for lane in lanes:
            lane.site.start()
        counts = {phase: await calls_of(lanes[0], phase) for phase in options.phase}
        done = [each for phase in options.phase for each in combinations(phase, counts[phase], options)]
        state = State(len(done))
        queue = collections.deque(done)
        print(f"{len(done)} combinations of {sum(map(len, counts.values()))} calls in {len(options.phase)} phases", flush=True)
        await asyncio.gather(*(work(lane, queue, state) for lane in lanes))
        for lane in lanes:
            await lane.let_go()
        missing = show(done, counts)
        print(f"\n{len(done)} combinations, {len(state.faults)} faults")
        for each in state.faults:
            print("FAULT:", each, "; ".join(each.faults)[:1000])
        return 1 if state.faults or missing and not options.call else 0
    finally:
        for lane in lanes:
            for daemon in filter(None, (lane.daemon, lane.newest)):
                daemon.kill()
            lane.site.stop()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--binary")
    parser.add_argument("--workers", type=int)
    parser.add_argument("--lanes", type=int)
    parser.add_argument("--call", action="append")
    parser.add_argument("--phase", action="append", choices=list(PHASES))
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args()
    options.binary = str(pathlib.Path(options.binary).resolve())
    options.phase = options.phase or list(PHASES)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    with tempfile.TemporaryDirectory(prefix="sluice-faults-") as directory:
        return asyncio.run(run(options, directory))


if __name__ == "__main__":
    sys.exit(main())
