import EventLoop
import Glibc
import TestSupport
import Testing

@testable import Settings

@Suite struct ListFilesTests {
    private let directory: TemporaryDirectory

    init() throws {
        directory = try TemporaryDirectory()
        for name in ["b.toml", "a.toml", "B.toml", "a.toml~", ".#a.toml", ".c.toml", "#a.toml#", "a.toml.dpkg-new"] {
            _ = try directory.write([], to: name)
        }
    }

    private func listed(_ pattern: String) throws -> [String] {
        let start = directory.path("")
        return try listFiles(start + pattern).map { String($0.dropFirst(start.count)) }.sorted {
            $0.utf8.lexicographicallyPrecedes($1.utf8)
        }
    }

    @Test(arguments: [
        ("*.toml", ["B.toml", "a.toml", "b.toml"]), ("[ab].toml", ["a.toml", "b.toml"]),
        ("?.toml", ["B.toml", "a.toml", "b.toml"]),
        (".*.toml", [".#a.toml", ".c.toml"]), ("*.conf", []), ("nothing.d/*.toml", []), ("a.toml/*.toml", []),
    ])
    func `a pattern matches neither hidden files nor backups by chance`(pattern: String, names: [String]) throws {
        #expect(try listed(pattern) == names)
    }

    @Test func `a directory with the signs of a pattern in its name is one`() throws {
        let odd = directory.path(#"[a]*\?"#)
        #expect(unsafe mkdir(odd, 0o700) == 0)
        _ = try directory.write([], to: #"[a]*\?/x.toml"#)
        let file = SettingsFile(path: "\(odd)/sluice.toml")
        #expect(try listFiles(file.resolved(pattern: "*.toml")) == ["\(odd)/x.toml"])
    }

    @Test func `a link that leads nowhere is listed, so that it is told`() throws {
        #expect(unsafe symlink("nowhere", directory.path("z.toml")) == 0)
        #expect(try listed("z*") == ["z.toml"])
    }

    @Test func `a directory that cannot be read is an error`() throws {
        let path = directory.path("loop")
        #expect(unsafe symlink("loop", path) == 0)
        var code: Int32?
        do { _ = try listFiles("\(path)/*.toml") } catch { code = error.code }
        #expect(code == ELOOP)
    }
}
