// Lines that wait for room.

/// Lines in their order, of which the first may have gone in part.
struct LineQueue {
    /// How long each is, and of how many lines it tells that they are lost; 0 for one that tells of something else.
    private var lines: [(length: Int, lostCount: Int)] = []
    private var first = 0
    private var bytes: [UInt8] = []
    /// How much memory stays where there are no lines: of some of them, which come soon after those that have just gone.
    private static let keptBytesMax = 16 << 10
    /// Where the first line begins, or what is left of it.
    private var start = 0
    /// Whether a part of the first line has gone.
    private(set) var isFirstBegun = false

    var isEmpty: Bool { first == lines.count }
    var bytesCount: Int { bytes.count - start }

    /// Appends a line.
    ///
    /// - Parameters:
    ///   - lostCount: of how many lines it tells that they are lost.
    ///   - isBegun: whether the line is what is left of one.
    mutating func append(_ line: some Collection<UInt8>, tellingOfLost lostCount: Int = 0, isBegun: Bool = false) {
        guard !line.isEmpty else { return }
        if isEmpty { isFirstBegun = isBegun }
        lines.append((line.count, lostCount))
        bytes.append(contentsOf: line)
    }

    /// The first line, and those behind it that fit too.
    func front(bytesMax: Int) -> [UInt8] {
        guard !isEmpty else { return [] }
        var (count, index) = (lines[first].length, first + 1)
        while index < lines.count, count + lines[index].length <= bytesMax {
            count += lines[index].length
            index += 1
        }
        return Array(bytes[start..<(start + count)])
    }

    /// Takes bytes away from the front.
    mutating func drop(_ count: Int) {
        guard count > 0 else { return }
        start += count
        var left = count
        while first < lines.count, lines[first].length <= left {
            left -= lines[first].length
            first += 1
        }
        if left > 0 { lines[first].length -= left }
        isFirstBegun = left > 0
        if isEmpty {
            removeAll()
        } else if start > bytes.count / 2 {
            bytes.removeFirst(start)
            lines.removeFirst(first)
            (start, first) = (0, 0)
        }
    }

    private mutating func removeAll() {
        guard bytes.capacity <= Self.keptBytesMax else { return self = LineQueue() }
        bytes.removeAll(keepingCapacity: true)
        lines.removeAll(keepingCapacity: true)
        (start, first, isFirstBegun) = (0, 0, false)
    }

    /// Takes the first line away, or what is left of it.
    ///
    /// - Returns: how many lines are lost that nobody is told of, and how many of them were lost before.
    mutating func dropFirst() -> (lost: Int, before: Int) {
        guard !isEmpty else { return (0, 0) }
        let lostCount = lines[first].lostCount
        drop(lines[first].length)
        return lostCount > 0 ? (lostCount, lostCount) : (1, 0)
    }
}
