// Lines out of input that comes in pieces.

import Glibc

/// Cuts lines off the input and bounds their sum. Holds no memory while lines come whole.
struct LineScanner {
    enum Line {
        /// The input ends before the line does; its beginning is held.
        case unfinished
        /// Whole and within the input, without its end.
        case whole(Range<Int>)
        /// Whole, but begun in earlier input: see `takeHeld()`.
        case held
        /// Beyond the bytes allowed.
        case tooLong
    }

    private var beginning: [UInt8] = []
    /// What the lines until the next `allow(bytes:)` may have together, their ends included.
    private var bytesLeft: Int

    init(allowing bytes: Int) { bytesLeft = bytes }

    /// Whether nothing of a line has come.
    var isAtStart: Bool { beginning.isEmpty }

    /// Starts counting anew.
    mutating func allow(bytes: Int) { bytesLeft = bytes }

    /// The next line, which ends with LF or CRLF (RFC 9112 §2.2).
    @inline(__always)
    mutating func next(in input: Span<UInt8>, from cursor: inout Int) -> Line {
        let start = cursor
        guard start < input.count else { return .unfinished }
        let allowed = start &+ min(bytesLeft, input.count &- start)
        guard let lineFeed = input.firstLineFeed(from: start, to: allowed) else {
            guard allowed == input.count else { return .tooLong }
            hold(input.extracting(start...), &cursor)
            return .unfinished
        }
        bytesLeft &-= lineFeed &+ 1 &- start
        cursor = lineFeed &+ 1
        if beginning.isEmpty { return .whole(input.withoutCarriageReturn(start..<lineFeed)) }
        input.extracting(start..<lineFeed).append(to: &beginning)
        return .held
    }

    private mutating func hold(_ bytes: Span<UInt8>, _ cursor: inout Int) {
        bytesLeft -= bytes.count
        cursor += bytes.count
        bytes.append(to: &beginning)
    }

    /// The line that `held` spoke of, without its end. Its memory goes with it.
    mutating func takeHeld() -> [UInt8] {
        var line = exchange(&beginning, with: [])
        if line.last == 0x0D { line.removeLast() }
        return line
    }
}

extension Span<UInt8> {
    fileprivate func firstLineFeed(from start: Int, to end: Int) -> Int? {
        unsafe withUnsafeBytes { bytes in
            guard let base = bytes.baseAddress, let found = unsafe memchr(base + start, 0x0A, end &- start) else { return nil }
            return unsafe UnsafeRawPointer(found) - base
        }
    }

    fileprivate func withoutCarriageReturn(_ line: Range<Int>) -> Range<Int> {
        guard !line.isEmpty, self[line.upperBound - 1] == 0x0D else { return line }
        return line.lowerBound..<line.upperBound &- 1
    }

    fileprivate func append(to array: inout [UInt8]) {
        unsafe withUnsafeBufferPointer { unsafe array.append(contentsOf: $0) }
    }
}
