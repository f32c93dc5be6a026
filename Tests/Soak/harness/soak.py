"""The soak: the load, the looks at Sluice, and the verdict."""

import argparse
import asyncio
import collections
import json
import pathlib
import random
import signal
import sys
import tempfile
import time

import kinds
import stage
import watch
from callers import Broken, FastCGI, HTTP, request

STALL_SECONDS = 0.5  # this process did not run for so long, and the others may not have
CALL_SECONDS = 60  # no call of these lasts so long, whatever the machine does
PAUSE_SECONDS_MAX = 2
DEBUG_PAUSE_SECONDS_MAX = 5  # a debug build looks through a large prompt for so long that its worker's other streams wait
RSS_PERCENT_MAX = 5


class Tally:
    def __init__(self):
        self.count = self.ok = 0
        self.slowest = 0.0


class Soak:
    def __init__(self, options, site):
        self.options, self.site = options, site
        self.random = random.Random(options.seed)
        self.ways = {"fastcgi": FastCGI(site.socket), "nginx": HTTP(site.ports["front"], stage.TOKEN)}
        self.tallies = {name: Tally() for name, *_ in kinds.KINDS}
        self.endings = collections.defaultdict(collections.Counter)
        self.faults = []
        self.kind_of = {}
        self.unlogged = set()
        self.samples = []
        self.first, self.last = collections.Counter(), collections.Counter()
        self.number = 0
        self.stalls, self.excused = [], 0
        self.rest = asyncio.Queue()
        self.log = watch.Log(f"{site.directory}/sluice.log")

    # The load.

    async def run(self):
        listening = asyncio.create_task(self.listen_to_stub())
        await asyncio.sleep(1)
        self.first = self.descriptors_at_rest()
        for _ in range(5):  # what comes and goes does not count
            await asyncio.sleep(0.2)
            self.first &= self.descriptors_at_rest()
        self.tell_reference()
        self.started = time.monotonic()
        self.end = self.started + self.options.minutes * 60
        others = [asyncio.create_task(task) for task in (self.watch(), self.watch_machine(), self.reload(), self.kill())]
        load = [asyncio.create_task(self.repeat(*kind[:1], *kind[2:])) for kind in kinds.KINDS for _ in range(kind[1])]
        await asyncio.wait(load)
        for task in others:
            task.cancel()
        await asyncio.wait(others)
        self.faults += [f"a watch of the soak failed: {task.exception()!r}" for task in others + load
                        if not task.cancelled() and task.exception()]
        await self.finish_reference()
        await self.settle()
        self.check_log()
        listening.cancel()

    async def repeat(self, name, thought, make):
        while time.monotonic() < self.end and self.site.sluice.is_alive:
            await asyncio.sleep(self.random.uniform(0, thought))
            await self.call(name, make)

    async def call(self, name, make):
        self.number += 1
        nonce = f"n{self.number:06d}-{self.random.getrandbits(32):08x}"
        case = make(nonce, self.random)
        self.kind_of[nonce] = name
        if not case.is_logged:
            self.unlogged.add(nonce)
        tally = self.tallies[name]
        tally.count += 1
        body = request(nonce, case.model, case.order, case.stream)
        began = time.monotonic()
        try:
            call = self.ways[case.way].call(nonce, body, case.leave, case.pace, case.fresh)
            answer = await asyncio.wait_for(call, CALL_SECONDS)
            if not answer.is_ended and not case.leave:
                raise kinds.Wrong("the answer has no end")
            case.check(answer)
            tally.ok += 1
        except asyncio.TimeoutError:
            self.fault(f"{name} ({nonce}, {case.way}): no end after {CALL_SECONDS} s; {case.model} {case.order}")
        except (kinds.Wrong, Broken, OSError, ValueError, KeyError) as problem:
            if "upstream_timeout" in str(problem) and any(end > began for end, _ in self.stalls):
                self.excused += 1
                return
            self.fault(f"{name} ({nonce}, {case.way}): {problem!r}; {case.model} {case.order}")
        tally.slowest = max(tally.slowest, time.monotonic() - began)

    def fault(self, text):
        self.faults.append(text)
        if len(self.faults) <= 20:
            print("FAULT:", text[:1500], flush=True)

    # What happens to upstreams meanwhile.

    async def listen_to_stub(self):
        reader = asyncio.StreamReader(limit=1 << 20)
        protocol = asyncio.StreamReaderProtocol(reader)
        await asyncio.get_running_loop().connect_read_pipe(lambda: protocol, self.site.stub.process.stdout)
        while line := await reader.readline():
            said = json.loads(line)
            if "fault" in said:
                self.fault("upstream: " + said["fault"])
            elif "busy" in said:
                self.rest.put_nowait(said)

    async def reload(self):
        """GOAWAY: the old process of nginx sends it on its way out."""
        while True:
            await asyncio.sleep(self.random.uniform(4, 9))
            self.site.nginx.process.send_signal(signal.SIGHUP)

    async def kill(self):
        while True:
            await asyncio.sleep(self.random.uniform(3, 9))
            how = self.random.choice([signal.SIGQUIT, signal.SIGKILL, signal.SIGTERM])
            await asyncio.to_thread(self.site.fragile.end, how)
            self.site.children.remove(self.site.fragile)
            await asyncio.sleep(self.random.uniform(0, 0.5))
            self.site.start_fragile()

    # Looks.

    async def watch_machine(self):
        """A machine that stands still makes time limits pass: whose fault that was cannot be told."""
        while True:
            began = time.monotonic()
            await asyncio.sleep(0.05)
            if (lag := time.monotonic() - began - 0.05) >= STALL_SECONDS:
                self.stalls.append((time.monotonic(), lag))

    async def watch(self):
        shown = 0
        while True:
            await asyncio.sleep(1)
            if not self.site.sluice.is_alive:
                return
            pid, passed = self.site.sluice.pid, time.monotonic() - self.started
            self.samples.append((passed, watch.descriptors(pid), watch.status_kib(pid, "VmRSS")))
            self.log.read()
            if passed - shown >= 10:
                shown = passed
                _, fds, rss = self.samples[-1]
                done = sum(tally.count for tally in self.tallies.values())
                print(f"{passed:5.0f} s  {done:6} calls  {fds:4} descriptors  {rss / 1024:6.1f} MiB  {len(self.faults)} faults",
                      flush=True)

    def tell_reference(self):
        self.site.reference.process.stdin.write(b"\n")
        self.site.reference.process.stdin.flush()

    async def finish_reference(self):
        self.tell_reference()
        line = await asyncio.to_thread(self.site.reference.process.stdout.readline)
        self.reference = json.loads(line or b"{}") or {"faults": ["the reference streams were lost"], "pauses": [], "own_pauses": []}
        for fault in self.reference["faults"]:
            self.fault(fault)
        pauses = self.reference["pauses"]
        limit = DEBUG_PAUSE_SECONDS_MAX if self.options.is_debug else PAUSE_SECONDS_MAX
        if pauses and max(pauses) > limit and max(pauses) > 2 * max(self.reference["own_pauses"]):
            self.fault(f"a steady stream had a pause of {max(pauses):.1f} s")

    async def settle(self):
        """Without callers and upstreams' connections it must be as it was."""
        for reader, writer in self.ways["fastcgi"].idle:
            writer.transport.abort()
        await asyncio.to_thread(self.site.front.end)
        deadline = time.monotonic() + 25
        while time.monotonic() < deadline and self.site.sluice.is_alive:
            self.site.stub.process.stdin.write(b"rest\n")
            self.site.stub.process.stdin.flush()
            busy = (await asyncio.wait_for(self.rest.get(), 20))["busy"]
            await asyncio.sleep(0.5)
            self.last = self.descriptors_at_rest()
            more = self.last - self.first
            if not more and not busy:
                break
        if not self.site.sluice.is_alive:
            return
        if more:
            self.fault(f"descriptors at rest that were not there before: {dict(more)}, besides {dict(self.first)}")
            for name, port in self.site.ports.items():
                if more[f"to {name}"]:
                    self.fault(f"connections to {name}: {watch.tcp_states(port)}")
        if busy:
            self.fault(f"upstreams still answer {len(busy)} requests of nobody: {busy[:10]}")

    def descriptors_at_rest(self):
        """Without warm connections, which come and go: there are no more of them than the settings allow."""
        names = {port: name for name, port in self.site.ports.items()}
        found = watch.descriptor_kinds(self.site.sluice.pid, names)
        for port, limit in stage.WARM.items():
            found[f"to {port}"] = max(0, found[f"to {port}"] - limit * self.options.workers)
        return found

    # The verdict.

    def check_log(self):
        self.log.read()
        for fault in self.log.faults[:20]:
            self.fault(fault)
        twice = [nonce for nonce, count in self.log.answered.items() if count > 1]
        missing = [nonce for nonce in self.kind_of if nonce not in self.log.answered and nonce not in self.unlogged]
        strange = [nonce for nonce in self.log.answered if nonce not in self.kind_of and not nonce.startswith("reference-")]
        for nonces, what in [(twice, "twice"), (missing, "never"), (strange, "though nobody asked so")]:
            if nonces:
                names = collections.Counter(self.kind_of.get(nonce, "?") for nonce in nonces)
                self.fault(f"{len(nonces)} requests are in the log {what}: {dict(names)} {nonces[:5]}")
        for nonce, ending in self.log.endings.items():
            self.endings[self.kind_of.get(nonce, "reference")][ending] += 1
        for nonce in self.unlogged - self.log.answered.keys():
            self.endings[self.kind_of[nonce]]["unseen"] += 1

    def check_memory(self):
        """Flat from the second minute on: what is held in the quieter moments of each half minute, between large bodies that come and go."""
        held = []
        for start in range(0, int(self.options.minutes * 60), 30):
            part = sorted(rss for passed, _, rss in self.samples if start <= passed < start + 30)
            if len(part) >= 10:
                held.append(part[len(part) // 10] / 1024)
        print("RSS, lowest tenth of each 30 s in MiB:", " ".join(f"{rss:.1f}" for rss in held))
        if len(held) < 8:
            return print("  (flat or not shows from four minutes on)")
        first, last = min(held[2:4]), min(held[-2:])
        print(f"  from the second minute to the last: {(last / first - 1) * 100:+.1f} %")
        if last > first * (1 + RSS_PERCENT_MAX / 100):
            self.fault(f"memory grows: {first:.1f} MiB in the second minute, {last:.1f} MiB in the last")

    def show(self):
        print()
        print(f"{'kind':<20}{'count':>8}{'ok':>8}{'slowest':>10}  in the log")
        for name, tally in self.tallies.items():
            endings = ", ".join(f"{ending} {count}" for ending, count in self.endings[name].most_common(6))
            print(f"{name:<20}{tally.count:>8}{tally.ok:>8}{tally.slowest:>8.2f} s  {endings}")
        count, ok = (sum(getattr(tally, field) for tally in self.tallies.values()) for field in ("count", "ok"))
        print(f"{'all':<20}{count:>8}{ok:>8}\n")
        self.check_memory()
        if self.samples:
            most = max(fds for _, fds, _ in self.samples)
            print(f"descriptors but warm connections: {self.first.total()} before, {self.last.total()} at rest; {most} of all at most")
        for name, key in [("pauses of steady streams", "pauses"), ("their upstream's own", "own_pauses")]:
            if pauses := sorted(self.reference[key]):
                p50, p99 = (pauses[int(len(pauses) * share)] * 1000 for share in (0.5, 0.99))
                print(f"{name}, ms: p50 {p50:.1f}, p99 {p99:.1f}, max {pauses[-1] * 1000:.1f} of {len(pauses)}")
        print(f"the machine stood still {len(self.stalls)} times, for {max((lag for _, lag in self.stalls), default=0):.1f} s at most; "
              f"{self.excused} time limits that passed in one are nobody's fault")
        print("the log besides:", "; ".join(f"{text} × {count}" for text, count in self.log.loud.most_common(12)) or "nothing")
        for kind in (name for name, tally in self.tallies.items() if tally.count == 0):
            self.fault(f"nothing of the kind '{kind}' was asked")
        print()
        for fault in self.faults[20:60]:
            print("FAULT:", fault[:1500])
        if not self.site.sluice.is_alive:
            self.faults.append("Sluice has ended")
            print(f"FAULT: Sluice has ended with {self.site.sluice.process.returncode}. It said at last:")
            print(*self.log.unread[-40:], sep="\n")
        print(f"{len(self.faults)} faults" if self.faults else "clean")


def arguments():
    parser = argparse.ArgumentParser()
    parser.add_argument("--minutes", type=float)
    parser.add_argument("--workers", type=int)
    parser.add_argument("--binary")
    parser.add_argument("--seed", type=int)
    parser.add_argument("--keep", action="store_true")
    return parser.parse_args()


def main():
    options = arguments()
    options.is_debug = "/debug/" in str(pathlib.Path(options.binary).resolve())
    print(f"{options.minutes:g} min, {options.workers} workers, seed {options.seed}, {options.binary}", flush=True)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    if options.keep:
        directory = tempfile.mkdtemp(prefix="sluice-soak-")
        print("files:", directory)
        return soak(options, directory)
    with tempfile.TemporaryDirectory(prefix="sluice-soak-") as directory:
        return soak(options, directory)


def soak(options, directory):
    if options.is_debug:
        kinds.large_bytes_max = 2_000_000
    site = stage.Site(directory, str(pathlib.Path(options.binary).resolve()), options.workers, options.seed)
    try:
        site.start()
        load = Soak(options, site)
        asyncio.run(load.run())
        load.show()
    finally:
        site.stop()
    return 1 if load.faults else 0


if __name__ == "__main__":
    sys.exit(main())
