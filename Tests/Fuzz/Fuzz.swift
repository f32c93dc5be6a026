// What libFuzzer calls with each input, and which of the targets it goes to.

import Glibc

/// One thing that is fed: see `run`, which lists them.
private struct Target: Sendable {
    let name: String
    let feed: @Sendable ([UInt8]) -> Void
}

private let targets: [Target] = [
    Target(name: "response", feed: feedResponse),
    Target(name: "records", feed: feedRecords),
    Target(name: "events", feed: feedEvents),
    Target(name: "request", feed: feedRequest),
    Target(name: "completion", feed: feedCompletion),
    Target(name: "error", feed: feedError),
    Target(name: "hook", feed: feedHook),
    Target(name: "settings", feed: feedSettings),
    Target(name: "fields", feed: feedFields),
    Target(name: "addresses", feed: feedAddresses),
]

private let target: Target = {
    let name = unsafe getenv("SLUICE_FUZZ_TARGET").map { unsafe String(cString: $0) } ?? ""
    guard let target = targets.first(where: { $0.name == name }) else { fatalError("SLUICE_FUZZ_TARGET names no target") }
    startClock()
    return target
}()

@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzOneInput(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    unsafe inputsCount &+= 1
    target.feed(unsafe Array(UnsafeBufferPointer(start: start, count: count)))
    return 0
}

/// As `precondition`, which tells nothing in an optimized build.
func require(_ condition: Bool, _ message: @autoclosure () -> String) {
    if !condition { fatalError(message()) }
}

// MARK: Time

nonisolated(unsafe) private var inputsCount = 0
nonisolated(unsafe) private var inputsCountBefore = -1
nonisolated(unsafe) private var ticksCount = 0

/// How many seconds of this process's own time an input may take; libFuzzer's own limit counts those too in which it was stopped.
private let secondsMax = 3

/// Ends the process, by a signal of which libFuzzer makes a finding, when one input takes too long.
private func startClock() {
    signal(SIGVTALRM) { _ in
        unsafe ticksCount = unsafe inputsCount == inputsCountBefore ? ticksCount + 1 : 0
        unsafe inputsCountBefore = unsafe inputsCount
        guard unsafe ticksCount == secondsMax else { return }
        let words: StaticString = "an input takes too long\n"
        _ = unsafe write(STDERR_FILENO, words.utf8Start, words.utf8CodeUnitCount)
        abort()
    }
    var period = itimerval(it_interval: timeval(tv_sec: 1, tv_usec: 0), it_value: timeval(tv_sec: 1, tv_usec: 0))
    guard unsafe setitimer(__itimer_which_t(ITIMER_VIRTUAL.rawValue), &period, nil) == 0 else { fatalError("setitimer") }
}

// MARK: Cutting

/// How an input is cut on its way in.
struct Cuts {
    /// The lengths of the pieces, again and again; all in one where that is empty.
    let lengths: [Int]

    static let none = Cuts(lengths: [])
    static let each = Cuts(lengths: [1])

    /// As two bytes of the input say.
    init(_ first: UInt8, _ second: UInt8) {
        lengths = [1 + Int(first & 0x0F), 1 + Int(first >> 4), 1 + Int(second)]
    }

    private init(lengths: [Int]) { self.lengths = lengths }

    func pieces(of bytes: ArraySlice<UInt8>) -> [[UInt8]] {
        var (pieces, rest): ([[UInt8]], ArraySlice<UInt8>) = ([], bytes)
        while !rest.isEmpty {
            let length = lengths.isEmpty ? rest.count : lengths[pieces.count % lengths.count]
            pieces.append(Array(rest.prefix(length)))
            rest = rest.dropFirst(length)
        }
        return pieces
    }
}

/// Whether an input is fed over and over as well: few are, for it takes long.
func isLong(_ input: [UInt8]) -> Bool { input[0] & 0xE0 == 0xE0 && input[input.count / 2] & 0x0F == 0x0E }

/// The bytes over and over, up to 64 KiB: what takes the square of its length shows.
func repeated(_ bytes: ArraySlice<UInt8>) -> ArraySlice<UInt8> {
    guard !bytes.isEmpty else { return bytes }
    var long: [UInt8] = []
    long.reserveCapacity(1 << 16)
    while long.count + bytes.count <= 1 << 16 { long += bytes }
    return long[...]
}

func text(_ bytes: some Sequence<UInt8>) -> String { String(decoding: Array(bytes), as: UTF8.self) }
