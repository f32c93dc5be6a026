"""Parts of Sluice alone: Tests/Benchmarks/Generator/Part.swift does their work."""

from harness import load

from .budget import Count

# Name in the budget, name of the part, unit, units of the part's in one of these, repetitions in the shorter of two runs.
PARTS = [
    ("record", "records", "FastCGI record of a request", 1, 200),
    ("json-kib", "json", "KiB of a long chat that is validated", 1024, 50),
    ("json-kib-russian", "json-russian", "KiB of the same in Russian", 1024, 25),
    ("event-read", "events", "event whose text alone differs, cut out and looked at", 1, 20),
    ("event-read-varied", "events-varied", "event whose id and obfuscation differ too, the same", 1, 20),
    ("request-assembly", "request", "long chat that is read and written for an upstream", 1, 50),
]


def counts(callgrind):
    """The start drops out of the difference of two runs."""
    generator = load.Generator(callgrind.command)

    def run(part, repetitions):
        units = generator.alone("part", name=part, repetitions=repetitions)["units"]
        return callgrind.ended(), units

    for name, part, unit, size, repetitions in PARTS:
        (short, few), (long, many) = run(part, repetitions), run(part, 3 * repetitions)
        yield Count(name, unit, long.minus(short), (many - few) / size)
