import EventLoop
import Glibc
import Testing

@testable import Settings

@Suite struct MachineMemoryTests {
    private func memory(_ files: [String: String]) -> MachineMemory {
        MachineMemory { path throws(SystemError) in
            guard let text = files[path] else { throw SystemError(path, code: ENOENT) }
            return [UInt8](text.utf8)
        }
    }

    private static let machine = "MemTotal:       16777216 kB\nMemFree:         1000000 kB\n"

    struct Case: Sendable, CustomTestStringConvertible {
        let testDescription: String
        let files: [String: String]
        let available: Int?

        init(_ description: String, _ files: [String: String], _ available: Int?) {
            (testDescription, self.files, self.available) = (description, files, available)
        }
    }

    private static let cases = [
        Case("nothing is known", [:], nil),
        Case("the machine alone", ["/proc/meminfo": machine], 16 << 30),
        Case(
            "a group of version 2 without a limit",
            ["/proc/meminfo": machine, "/proc/self/cgroup": "0::/a.slice\n", "/sys/fs/cgroup/a.slice/memory.max": "max\n"],
            16 << 30),
        Case(
            "a limit of version 2",
            [
                "/proc/meminfo": machine, "/proc/self/cgroup": "0::/a.slice/b.service\n",
                "/sys/fs/cgroup/a.slice/b.service/memory.max": "1073741824\n", "/sys/fs/cgroup/a.slice/memory.max": "max\n",
            ], 1 << 30),
        Case(
            "a smaller limit of the group above",
            [
                "/proc/meminfo": machine, "/proc/self/cgroup": "0::/a.slice/b.service\n",
                "/sys/fs/cgroup/a.slice/b.service/memory.max": "1073741824\n", "/sys/fs/cgroup/a.slice/memory.max": "536870912\n",
            ],
            512 << 20),
        Case(
            "a container, whose root is the host's group",
            ["/proc/meminfo": machine, "/proc/self/cgroup": "0::/\n", "/sys/fs/cgroup/memory.max": "268435456\n"], 256 << 20),
        Case(
            "a limit above what the machine has",
            ["/proc/meminfo": machine, "/proc/self/cgroup": "0::/\n", "/sys/fs/cgroup/memory.max": "1099511627776\n"], 16 << 30),
        Case(
            "version 1, whose number for none is near 2⁶³",
            [
                "/proc/meminfo": machine, "/proc/self/cgroup": "5:cpu,cpuacct:/x\n4:memory:/x\n",
                "/sys/fs/cgroup/memory/x/memory.limit_in_bytes": "9223372036854771712\n",
            ], 16 << 30),
        Case(
            "version 1 in a container, which does not see the host's path",
            [
                "/proc/meminfo": machine, "/proc/self/cgroup": "5:cpu,cpuacct:/docker/x\n4:memory:/docker/x\n0::/docker/x\n",
                "/sys/fs/cgroup/memory/memory.limit_in_bytes": "134217728\n",
            ], 128 << 20),
        Case(
            "a group's limit, and a machine that says nothing",
            ["/proc/self/cgroup": "0::/\n", "/sys/fs/cgroup/memory.max": "268435456\n"], 256 << 20),
        Case(
            "files that make no sense",
            ["/proc/meminfo": "MemTotal: lots\n", "/proc/self/cgroup": "::\nx\n0::/\n", "/sys/fs/cgroup/memory.max": "-1\n"], nil),
        Case(
            "numbers that are too large",
            ["/proc/meminfo": "MemTotal: 9223372036854775807 kB\n", "/sys/fs/cgroup/memory.max": "99999999999999999999\n"], nil),
    ]

    @Test(arguments: cases)
    func `what there is, is the least that the machine or a group allows`(_ case: Case) {
        #expect(memory(`case`.files).available == `case`.available)
    }

    @Test func `the limit is a quarter of it, in whole mebibytes`() {
        #expect(memory(["/proc/meminfo": Self.machine]).limit == 4 << 30)
        #expect(memory(["/proc/meminfo": "MemTotal: 2099999 kB"]).limit == 512 << 20)
        #expect(memory(["/proc/meminfo": "MemTotal: 1 kB"]).limit == 1 << 20)
        #expect(memory([:]).limit == 1 << 30)
    }

    @Test func `this machine's is known`() {
        let known = MachineMemory { path throws(SystemError) in try readFile(path) }.available
        #expect(known.map { $0 > 64 << 20 } == true)
    }
}

@Suite struct MemorySettingsTests {
    private func limit(_ text: String, files: [String: String] = [:]) throws -> Int {
        try settings(text, environment: ["OPENAI_API_KEY": "k"], files: files).limits.memoryBytes
    }

    private let files = ["/proc/meminfo": "MemTotal: 4194304 kB"]

    @Test func `without a setting it is what the machine suggests, and room for two bodies at least`() throws {
        #expect(try limit("", files: files) == 1 << 30)
        #expect(try limit("limits.requests = 1", files: files) == 1 << 30)
        #expect(try limit("limits.body = '1GiB'", files: files) == 2 << 30)
        #expect(try limit("", files: ["/proc/meminfo": "MemTotal: 1024 kB"]) == 16 << 20)
    }

    @Test func `with one it is that, whatever the machine has`() throws {
        #expect(try limit("limits.memory = '16MiB'", files: files) == 16 << 20)
        #expect(try limit("limits = {body = '1MiB', memory = '2MiB'}", files: files) == 2 << 20)
        #expect(try limit("limits.memory = '1024GiB'", files: files) == 1 << 40)
    }
}
