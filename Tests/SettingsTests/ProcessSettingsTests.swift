import EventLoop
import Testing

@testable import Settings

@Suite struct `Several processes` {
    private func settings(_ text: String, processes: Int? = nil) throws -> Settings {
        try SettingsCase(text: text, options: SettingsOptions(processes: processes)).load()
    }

    @Test func `are one without a master, unless told otherwise`() throws {
        #expect(try settings("").processes == 1)
        #expect(try !settings("").hasMaster)
        #expect(try settings("supervise = true").hasMaster)
        #expect(try settings("processes = 4").hasMaster)
        #expect(try settings("processes = 4", processes: 1).hasMaster == false)
        #expect(try settings("", processes: 2).processes == 2)
    }

    @Test func `divide the cores, where workers says no number`() throws {
        for text in ["", "workers = \"auto\"\n"] {
            #expect(try settings(text).workers == processorCount())
            #expect(try settings(text, processes: 64).workers == max(1, processorCount() / 64))
            #expect(try settings(text + "processes = 2").workers == max(1, processorCount() / 2))
        }
        #expect(try settings("workers = 3\nprocesses = 8").workers == 3)
    }

    @Test func `share memory and places, and not the number of requests`() throws {
        let text = """
            processes = 4
            limits = {memory = "1GiB", requests = 100}
            upstreams.a = {url = "http://a", concurrent = 11}
            upstreams.b = {url = "http://b"}
            models = [{match = "*", targets = ["a", "b"]}]
            """
        let own = try settings(text).ofOneProcess
        #expect(own.limits.memoryBytes == 256 << 20)
        #expect(own.limits.requests == 100)
        #expect(own.upstreams.map(\.concurrentMax) == [2, nil])
        let only = try settings(text, processes: 1)
        #expect(only.ofOneProcess == only)
    }

    @Test func `need a share for each, and are a whole number`() {
        let upstream = "upstreams.a = {url = \"http://a\", concurrent = 3}\n"
        #expect(
            SettingsCase(text: upstream + "processes = 4").problems
                == ["dir/sluice.toml:1: upstreams.a.concurrent is shared out among the processes: at least 4"])
        #expect(SettingsCase(text: upstream + "processes = 3").problems == [])
        #expect(
            SettingsCase(text: "limits = {memory = \"16MiB\", body = \"8MiB\"}\nprocesses = 2").problems
                == [
                    "dir/sluice.toml:1: limits.memory must be at least twice limits.body, which is 8MiB for each of the 2 processes"
                ])
        #expect(SettingsCase(text: "processes = 65").problems.map { $0.contains("from 1 to 64") } == [true])
        #expect(
            SettingsCase(text: "", options: SettingsOptions(processes: 0)).problems
                == ["--processes takes a number from 1 to 64, not 0"])
    }

    @Test func `have room for a body each by default`() throws {
        let own = try settings("limits.body = \"1GiB\"\nprocesses = 8").ofOneProcess
        #expect(own.limits.memoryBytes >= 2 << 30)
    }
}
