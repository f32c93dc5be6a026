// How much memory there is for this process, by the kernel's files.

import EventLoop

/// The memory of the machine, or of the control group that the process is in.
struct MachineMemory {
    /// What requests and answers may hold where nothing is known.
    static let unknownLimit = 1 << 30

    /// In bytes; nil when the kernel does not tell.
    let available: Int?

    /// A quarter of what there is, in whole MiB.
    var limit: Int { available.map { max(($0 / 4) >> 20, 1) << 20 } ?? Self.unknownLimit }

    /// - Parameter readFile: reads proc(5) and cgroups(7). What is not there says nothing.
    init(_ readFile: FileReader) {
        func text(_ path: String) -> String? {
            do throws(SystemError) { return String(decoding: try readFile(path), as: UTF8.self) } catch { return nil }
        }
        let machine = text("/proc/meminfo").flatMap(Self.machineBytes)
        let groups = Self.groupFiles(text("/proc/self/cgroup") ?? "0::/").compactMap { text($0).flatMap(Self.groupBytes) }
        available = (groups + (machine.map { [$0] } ?? [])).min()
    }

    /// `MemTotal:       24684464 kB`
    private static func machineBytes(_ text: String) -> Int? {
        let line = text.split(separator: "\n").first { $0.utf8.starts(with: "MemTotal:".utf8) }
        guard let number = line?.split(separator: " ").dropFirst().first.flatMap({ Int($0) }) else { return nil }
        return positive(number.multipliedReportingOverflow(by: 1024))
    }

    /// A number of bytes, or `max`. Version 1 writes "no limit" as a number near 2⁶³, which is no smaller than any machine.
    private static func groupBytes(_ text: String) -> Int? {
        let word = text.split { $0 == "\n" || $0 == " " }.first.map(String.init) ?? ""
        return Int(word).flatMap { $0 > 0 ? $0 : nil }
    }

    private static func positive(_ product: (partialValue: Int, overflow: Bool)) -> Int? {
        product.overflow || product.partialValue <= 0 ? nil : product.partialValue
    }

    /// The files of the process's group and of those above it, each of which limits it too, in both versions of control groups. In a
    /// container the path may be one of the host's, which is not there; the container's own is the root then.
    private static func groupFiles(_ text: String) -> [String] {
        var files: [String] = []
        for line in text.split(separator: "\n") {
            let fields = line.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false)
            guard fields.count == 3 else { continue }
            let controllers = fields[1].split(separator: ",")
            let isMemory = controllers.contains { $0.utf8.elementsEqual("memory".utf8) }
            guard controllers.isEmpty || isMemory else { continue }
            let (root, name) =
                isMemory ? ("/sys/fs/cgroup/memory", "memory.limit_in_bytes") : ("/sys/fs/cgroup", "memory.max")
            var path = fields[2].split(separator: "/").map(String.init)
            while true {
                files.append(([root] + path + [name]).joined(separator: "/"))
                if path.popLast() == nil { break }
            }
        }
        return files
    }
}
