import Foundation
import Glibc
import TestSupport
import Testing

/// What clients have used, in a file: `budgets_file`.
@Suite(.timeLimit(.minutes(20))) struct `What clients have used` {
    private let settings = "budgets_file = \"budgets\""
    private let clients = "[clients.shop]\ntokens_per_day = 1000"
    /// 5 tokens, by the upstream's word.
    private let whole = Reply.json(Chunks.completion("Hello"))

    private func ask(_ site: ProcessSite, _ client: String = "shop") async throws -> BudgetAnswer {
        let body = String(decoding: chat(stream: false, members: #","max_tokens":10"#).body, as: UTF8.self)
        return try await BudgetAnswer(
            DirectCall(
                to: site.sluice.socket, "POST", "/v1/chat/completions", [(name: "SLUICE_CLIENT", value: client)], body: body
            ).response())
    }

    /// Waits until the file's last record says that so many tokens are used.
    private func keeps(_ tokens: Int, _ site: ProcessSite) async throws {
        try await eventually("\(tokens) tokens in the file") {
            guard let file = site.directory.bytes("budgets"), file.count >= 320 else { return false }
            let word = file.suffix(160).dropFirst(8).prefix(5).reversed().reduce(0) { $0 << 8 | Int($1) }
            return word & (1 << 36 - 1) == tokens
        }
    }

    /// A Sluice that is ended so, and what the next one with the same file knows.
    @Test(arguments: [SIGTERM, SIGKILL], [1, 3]) func `outlives its end`(signal: Int32, processes: Int) async throws {
        let directory = try TemporaryDirectory()
        let options = ["--processes", "\(processes)"]
        for round in 0..<2 {
            let upstream = try StubUpstream(whole)
            try await ProcessSite.with(
                settings, upstream: upstream, upstreamLines: clients, options: options, in: directory
            ) { site in
                for number in 1...3 { #expect(try await ask(site).tokensLeft == 1000 - 5 * (3 * round + number)) }
                if signal == SIGKILL { try await keeps(15 * (round + 1), site) }
                let all =
                    [site.sluice.process.identifier] + (processes > 1 ? try await site.status().processes.map(\.process) : [])
                for process in signal == SIGKILL ? all : [all[0]] { kill(process, signal) }
                _ = try await site.sluice.process.exited()
                // Processes die in an order of their own: a call that the last one has not accepted would be reset.
                try await site.sluice.refuses()
            }
        }
    }

    @Test func `is kept on by another process when the one that wrote it is killed`() async throws {
        let upstream = try StubUpstream(whole)
        try await ProcessSite.with(settings, upstream: upstream, upstreamLines: clients) { site in
            try await site.served(4)
            for round in 1...3 {
                #expect(try await ask(site).tokensLeft == 1000 - 5 * round)
                try await keeps(5 * round, site)
                let processes = try await site.status().processes.map(\.process)
                kill(try #require(processes.first { hasOpen("budgets", $0) }), SIGKILL)
                try await site.served(4 + round)
            }
        }
    }

    /// What somebody does to the file while it is kept.
    enum Loss: String, CaseIterable, CustomTestStringConvertible {
        case removed, replaced, emptied
        var testDescription: String { rawValue }
    }

    @Test(arguments: Loss.allCases) func `is written anew when its file is`(loss: Loss) async throws {
        let directory = try TemporaryDirectory()
        for round in 0..<2 {
            let upstream = try StubUpstream(whole)
            try await ProcessSite.with(settings, upstream: upstream, upstreamLines: clients, options: [], in: directory) { site in
                #expect(try await ask(site).tokensLeft == 995 - 10 * round)
                try await keeps(5 + 10 * round, site)
                let path = directory.path("budgets")
                switch loss {
                case .removed: try FileManager.default.removeItem(atPath: path)
                case .replaced:
                    try directory.write([UInt8](site.directory.bytes("budgets")?.prefix(160) ?? []), to: "other")
                    #expect(unsafe rename(directory.path("other"), path) == 0)
                case .emptied: #expect(unsafe truncate(path, 0) == 0)
                }
                #expect(try await ask(site).tokensLeft == 990 - 10 * round)
                try await keeps(10 + 10 * round, site)
                kill(site.sluice.process.identifier, SIGKILL)
                _ = try await site.sluice.process.exited()
            }
        }
    }

    @Test func `counts for the next Sluice while the former one has not come to its end`() async throws {
        let directory = try TemporaryDirectory()
        let file = "budgets_file = \"\(directory.path("budgets"))\""
        let (upstream, other) = (try StubUpstream(whole), try StubUpstream(whole))
        try await ProcessSite.with(file, upstream: upstream, upstreamLines: clients, options: [], in: directory) { site in
            #expect(try await ask(site).tokensLeft == 995)
            try await keeps(5, site)
            try await ProcessSite.with(file, upstream: other, upstreamLines: clients, options: []) { next in
                #expect(try await ask(next).tokensLeft == 990)
                // What the former one uses from then on comes to it with the file.
                #expect(try await ask(site).tokensLeft == 990)
                site.sluice.process.signal(SIGTERM)
                _ = try await site.sluice.process.exited()
                try await eventually("all that was used") { try await ask(next).tokensLeft ?? 0 < 985 }
            }
        }
    }

    /// From some time on nothing that is written comes onto the disk.
    @Test(.enabled(if: geteuid() == 0, "ptrace needs root")) func `holds nobody's end up when its disk hangs`() async throws {
        let upstream = try StubUpstream(whole)
        try await ProcessSite.with(settings, upstream: upstream, upstreamLines: clients, options: []) { site in
            #expect(try await ask(site).tokensLeft == 995)
            try await keeps(5, site)
            let disk = try ChildProcess(
                "/usr/bin/strace",
                [
                    "-f", "-p", "\(site.sluice.process.identifier)", "-e", "trace=fdatasync", "-e",
                    "inject=fdatasync:delay_enter=3600000000",
                ], in: site.directory)
            _ = try await ChildProcess.line(containing: "attached", in: disk.errors)
            #expect(try await ask(site).tokensLeft == 990)
            try await disk.errors.wait(for: "the disk to hang") { $0.text.contains("fdatasync(") }
            site.sluice.process.signal(SIGTERM)
            try await site.logs(1, #""message":"stopped""#)
            // A process is there as long as one of its threads is held.
            try await disk.end()
            #expect(try await site.sluice.process.exited() == .code(0))
        }
    }

    /// What stands in the file at the start, whether it is left alone, and what is told of it.
    struct Oddity: Sendable, CustomTestStringConvertible {
        let testDescription: String
        let file: [UInt8]
        var isLeftAlone = false
        let told: String

        init(_ name: String, _ file: [UInt8], isLeftAlone: Bool = false, told: String) {
            (testDescription, self.file, self.isLeftAlone, self.told) = (name, file, isLeftAlone, told)
        }
    }

    private static let head = Array("sluice budgets 1\n".utf8) + [UInt8](repeating: 0, count: 143)

    @Test(arguments: [
        Oddity("cut", head + [UInt8](repeating: 7, count: 100), told: "a part of what clients have used cannot be read"),
        Oddity("damaged", head + [UInt8](repeating: 7, count: 480), told: "a part of what clients have used cannot be read"),
        Oddity("foreign", Array("#!/bin/sh\n".utf8), isLeftAlone: true, told: "something else's, and is left alone"),
        Oddity("newer", Array("sluice budgets 2\n".utf8), isLeftAlone: true, told: "something else's, and is left alone"),
    ])
    func `begins with what of a file can be read`(oddity: Oddity) async throws {
        let upstream = try StubUpstream(whole)
        let directory = try TemporaryDirectory()
        try directory.write(oddity.file, to: "budgets")
        try await ProcessSite.with(settings, upstream: upstream, upstreamLines: clients, options: [], in: directory) { site in
            try await site.logs(1, oddity.told)
            #expect(try await ask(site).tokensLeft == 995)
            if oddity.isLeftAlone {
                #expect(try await ask(site).tokensLeft == 990)
                #expect(site.directory.bytes("budgets") == oddity.file)
            } else {
                try await keeps(5, site)
            }
        }
    }

    /// A folder that is not there, one in its place, what is no file.
    @Test(arguments: ["budgets_file = \"none/budgets\"", "budgets_file = \"/dev\"", "budgets_file = \"/dev/full\""])
    func `is in memory where it cannot be written, and that is told`(line: String) async throws {
        let upstream = try StubUpstream(whole)
        try await ProcessSite.with(
            line, upstream: upstream, upstreamLines: clients, options: []
        ) { site in
            for number in 1...3 { #expect(try await ask(site).tokensLeft == 1000 - 5 * number) }
            try await site.logs(1, "what clients have used cannot be written (budgets_file)")
        }
    }

    @Test func `is in the folder that systemd has made for the service`() async throws {
        let upstream = try StubUpstream(whole)
        let directory = try TemporaryDirectory()
        try await ProcessSite.with(
            upstream: upstream, upstreamLines: clients, options: [],
            environment: ["STATE_DIRECTORY": "\(directory.path(".")):/elsewhere"], in: directory
        ) { site in
            #expect(try await ask(site).tokensLeft == 995)
            try await keeps(5, site)
        }
    }

    @Test func `is one Sluice's alone: another one says so, and takes it up when the first has ended`() async throws {
        let directory = try TemporaryDirectory()
        let file = "budgets_file = \"\(directory.path("budgets"))\""
        let clients = clients.replacing("shop", with: "\"*\"")
        let (upstream, other) = (try StubUpstream(whole), try StubUpstream(whole))
        try await ProcessSite.with(file, upstream: upstream, upstreamLines: clients, options: [], in: directory) { site in
            #expect(try await ask(site, "one").tokensLeft == 995)
            try await ProcessSite.with(file, upstream: other, upstreamLines: clients, options: []) { next in
                try await next.logs(1, "another Sluice keeps what its clients have used in the same file")
                #expect(try await ask(next, "two").tokensLeft == 995)
                site.sluice.process.signal(SIGTERM)
                _ = try await site.sluice.process.exited()
                // At first it knew what stood in the file when it started, which may be what was reserved.
                try await eventually("what the first one has left") {
                    try await next.ask("clients", "--json").output.contains(#""name":"one","tokens":5,"#)
                }
                #expect(try await ask(next, "one").tokensLeft == 990)
                #expect(try await ask(next, "two").tokensLeft == 990)
            }
        }
    }
}

extension TemporaryDirectory {
    /// What a file holds; nil where there is none.
    fileprivate func bytes(_ name: String) -> [UInt8]? { FileManager.default.contents(atPath: path(name)).map { Array($0) } }
}
