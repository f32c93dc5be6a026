import Settings
import Testing

@testable import Sluice

@Suite struct `What the process has of the machine` {
    @Test func `code that has run goes out of memory, and runs again`() throws {
        let before = try residentCodeKibibytes()
        releaseCode()
        #expect(try residentCodeKibibytes() < before)
    }

    /// Of all files that are mapped to be executed.
    private func residentCodeKibibytes() throws -> Int {
        var (count, isCode) = (0, false)
        for line in String(decoding: try readFile("/proc/self/smaps"), as: UTF8.self).split(separator: "\n") {
            let columns = line.split(separator: " ")
            if columns.count > 4 { isCode = columns[1] == "r-xp" }
            if isCode, columns.count > 1, columns[0] == "Rss:" { count += Int(columns[1]) ?? 0 }
        }
        return count
    }
}
