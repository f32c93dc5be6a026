// The load generator: one loop, thousands of callers, every byte checked, one line of figures at the end.

import Clock
import EventLoop
import Glibc

@main
struct Benchmarks {
    static let usage = """
        usage: Benchmarks MODE --to ADDRESS [--OPTION VALUE]...

        Modes
          stream    each caller takes its streams one after the other   --callers --streams-each
          requests  the same until the time is over                     --callers --seconds
          rate      requests at fixed moments, whatever is unanswered   --callers --per-second --seconds
          open      holds silent streams until standard input ends      --callers
          leave     callers that leave in mid-stream, with the moments  --callers --leaves --after --pause
          turns     callers one after the other, with their first tokens  --callers --pause --practice
          scan      reads a body and makes the upstream's, alone        --body --batches, and no --to
          choose    chooses targets, alone                              --batches, and no --to
          part      does one part's work, the same each time, alone     --name --repetitions, and no --to

        ADDRESS is unix:PATH or IPV4:PORT. Options, with what they are without saying:
          --callers 100       connections at once          --events 50        events of each stream
          --streams-each 1    streams of each caller       --interval 20      milliseconds between two events
          --seconds 5         duration of `requests`       --delay 0          milliseconds before the first event
          --leaves 1000       how often a caller leaves    --spread INTERVAL  milliseconds over which callers start
          --after 1           1: leaves after the first event, 0: before      --first-number 1   number of the first stream
          --pause 0           milliseconds from that event, or from the request, until it leaves; or before each turn
          --form text         text, varied: the text of events differs alone, or their id and `obfuscation` too
          --body usual        short, usual, long, russian: what each request says (`scan`: long)
          --batches 500       batches that are timed: of 100 requests each (`scan`), or of 1000 (`choose`)
          --name NAME         the part: \(Part.names)
          --repetitions 100   how often it does its work
          --practice ADDRESS  where five turns go first that count for nothing
          --check bytes       bytes: each as it was sent; contents: what the events say, each once and in order
          --per-second 50     requests that are due each second (`rate`), on at most so many connections as there are callers
          --limit 120         seconds after which what is unfinished counts as lost

        Delays are counted from when a request was due: for the first stream of a caller and those of `rate` a moment fixed ahead,
        for a further stream the end of the one before.
        Prints each distribution on a line, `histogram=NAME NANOSECONDS:COUNT…`, and key=value pairs on the last.
        Status 0: all streams complete and right. 1: not so. 2: it could not be measured.
        """

    static func main() {
        do {
            exit(try run(Array(CommandLine.arguments.dropFirst())) ? 0 : 1)
        } catch {
            print(error, "", usage, separator: "\n")
            exit(2)
        }
    }

    /// Returns whether nothing was lost or wrong.
    private static func run(_ arguments: [String]) throws -> Bool {
        var options = Options(arguments.dropFirst())
        if arguments.first == "scan" { return try scan(&options) }
        if arguments.first == "choose" { return try choose(&options) }
        if arguments.first == "part" { return try part(&options) }
        let loop = try EventLoop()
        let bench = try Bench(&options, loop: loop)
        let load = try load(arguments.first ?? "", &options, bench)
        let limit = Duration.seconds(try options.number("limit", default: 120))
        try options.finish()
        return run(load, on: bench, limit: limit)
    }

    private static func scan(_ options: inout Options) throws -> Bool {
        let scan = try Scan(&options)
        try options.finish()
        print(try scan.run())
        return true
    }

    private static func choose(_ options: inout Options) throws -> Bool {
        let times = try ChoosingTimes(&options)
        try options.finish()
        print(times.run())
        return true
    }

    private static func part(_ options: inout Options) throws -> Bool {
        let work = try PartWork(&options)
        try options.finish()
        print(try work.run())
        return true
    }

    private static func load(_ mode: String, _ options: inout Options, _ bench: Bench) throws -> any Load {
        switch mode {
        case "stream": try StreamLoad(streamsEach: &options, bench: bench)
        case "requests": try StreamLoad(seconds: &options, bench: bench)
        case "rate": try RateLoad(&options, bench: bench)
        case "open": try OpenLoad(&options, bench: bench)
        case "leave": try LeaveLoad(&options, bench: bench)
        case "turns": try TurnLoad(&options, bench: bench)
        default: throw UsageError("unknown mode '\(mode)'")
        }
    }

    private static func run(_ load: any Load, on bench: Bench, limit: Duration) -> Bool {
        let deadline = Timer(on: bench.loop) { bench.loop.stop() }
        deadline.set(at: .current + limit)
        let start = Instant.current
        load.start()
        bench.loop.run()
        bench.tally.seconds = Instant.current - start
        bench.tally.unfinished = load.unfinished
        print(bench.tally.histogramLines, terminator: "")
        print(bench.tally.line)
        return bench.tally.isFlawless
    }
}
