import Testing

@testable import Settings

@Suite struct `The end of an idle process` {
    private static let line = "idle_exit = '10m'\n"

    @Test(arguments: ["'fd:0'", "'systemd'", "['systemd:web', 'fd:3']"])
    func `is for sockets that are passed on`(listen: String) throws {
        let settings = try settings("listen = \(listen)\n" + Self.line)
        #expect(settings.idleExit == .seconds(600))
        #expect(settings.text.contains("\nidle_exit = \"10m\"\n"))
    }

    @Test func `is never, unless somebody says so`() throws { #expect(try settings("").idleExit == .zero) }

    @Test(arguments: [
        ("", "unix:/run/sluice/sluice.sock"), ("listen = 'unix:/s'\n", "unix:/s"),
        ("listen = ['systemd', 'tcp:127.0.0.1:9000']\n", "tcp:127.0.0.1:9000"),
    ])
    func `is refused where nobody would start it again`(listen: String, own: String) {
        let line = listen.isEmpty ? 1 : 2
        #expect(
            SettingsCase(text: listen + Self.line).problems == [
                "dir/sluice.toml:\(line): idle_exit is for sockets that are passed on, as listen = \"systemd\" or \"fd:0\": nobody would "
                    + "start Sluice again when somebody calls at \(own)"
            ])
    }

    @Test(arguments: ["processes = 2", "supervise = true"])
    func `is refused where a master would stay`(master: String) {
        #expect(
            SettingsCase(text: "listen = 'fd:0'\n\(Self.line)\(master)").problems == [
                "dir/sluice.toml:2: idle_exit is for a process without a master, which would stay: leave out processes and supervise, or "
                    + "this"
            ])
    }

    @Test func `takes a restart to change`() throws {
        let former = try settings("listen = 'fd:0'")
        var other = try settings("listen = 'fd:0'\n" + Self.line)
        #expect(other.restoreStartOnlySettings(of: former) == ["idle_exit"])
        #expect(other.idleExit == .zero)
    }
}

@Suite struct `The size of a log's file` {
    @Test func `is a setting beside the number of files that are kept`() throws {
        let log = try settings("log = {to = 'file:/l', file_size = '10MiB', files = 5}").log
        #expect((log.fileBytesMax, log.filesCount) == (10 << 20, 5))
        #expect(try settings("log.to = 'file:/l'").log == Settings.Log(destination: .file("/l")))
        #expect(try settings(settings("log = {to = 'file:/l', file_size = '4KiB', files = 1}").text).log.fileBytesMax == 4096)
    }

    @Test(arguments: ["file_size = '-1B'", "file_size = 10", "files = 0", "files = 101"])
    func `has bounds`(text: String) {
        #expect(SettingsCase(text: "log = {to = 'file:/l', \(text)}").problems.count == 1)
    }

    @Test func `is for a log that goes to a file`() throws {
        #expect(
            SettingsCase(text: "log.file_size = '1MiB'").problems
                == ["dir/sluice.toml:1: log.file_size is for a log that goes to a file: set log.to = \"file:PATH\""])
        #expect(try settings("log = {file_size = '0B', files = 3}").log == Settings.Log())
    }
}
