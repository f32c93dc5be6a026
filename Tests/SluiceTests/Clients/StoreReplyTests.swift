import TestSupport
import Testing

@testable import Settings
@testable import Sluice

@Suite struct `What the budgets' store answers` {
    /// What of some bytes is an answer each, and whether nonsense follows.
    private func read(_ text: String, parts: Int = .max) -> (replies: [StoreReply], isNonsense: Bool) {
        var (replies, parser) = ([StoreReply](), StoreReplies())
        let bytes = Array(text.utf8)
        for start in stride(from: 0, to: bytes.count, by: min(parts, max(bytes.count, 1))) {
            var rest = bytes[start...].prefix(parts)
            do throws(StoreNonsense) {
                while let reply = try parser.next(in: &rest) { replies.append(reply) }
            } catch {
                return (replies, true)
            }
        }
        return (replies, false)
    }

    @Test(arguments: [1, 2, 7, .max]) func `is read however it comes`(parts: Int) {
        let text = "+OK\r\n:0\r\n:123456789012345678\r\n-WRONGPASS invalid username-password pair or user is disabled.\r\n:7"
        let error = StoreError(line: Array("WRONGPASS invalid username-password pair or user is disabled.".utf8)[...])
        let (replies, isNonsense) = read(text, parts: parts)
        #expect(replies == [.done, .number(0), .number(123_456_789_012_345_678), .error(error)])
        #expect(!isNonsense)
        #expect(error.words(hiding: nil, nil) == "WRONGPASS invalid username-password pair or user is disabled")
    }

    @Test(arguments: [
        "$5\r\nhello\r\n", "*1\r\n:1\r\n", "*2147483647\r\n", "$9223372036854775807\r\n", "%1\r\n", "\r\n", "\n", "OK\r\n",
        ":\r\n", ":-1\r\n",
        ":1 \r\n", ":+1\r\n", ":1234567890123456789\r\n", ":1\n", ":0x1\r\n", "+\n", "\0",
    ]) func `is nonsense unless it is a line of a kind that is asked for`(text: String) {
        #expect(read(text).isNonsense)
        #expect(read("+OK\r\n" + text).replies == [.done])
    }

    @Test(arguments: ["+", "-", ":"]) func `is nonsense when its line has no end`(kind: String) {
        #expect(read(kind + String(repeating: "1", count: 1_000_000)).isNonsense)
    }

    /// An error's line, and what of it is told.
    @Test(arguments: [
        ("ERR unknown command 'EVAL', with args beginning with: 'secret'", "ERR unknown command 'EVAL'", true),
        ("ERR unknown command `EVAL`, with args beginning with: `secret`, ", "ERR unknown command `EVAL`", true),
        ("ERR unknown command 'secret', with args beginning with: 'secret'", "ERR unknown command", true),
        ("ERR DB index is out of range", "ERR DB index is out of range", true), ("MOVED 3999 127.0.0.1:6381", "MOVED", false),
        (
            "WRONGTYPE Operation against a key holding the wrong kind of value script: e732921f9bfabca9, on @user_script:2.",
            "WRONGTYPE Operation against a key holding the wrong kind of value", true
        ),
        ("NOAUTH Authentication required.", "NOAUTH Authentication required", false), ("", "an error", false),
        ("\u{1B}[2J", "an error", false),
        (
            "OOM command not allowed when used memory > 'maxmemory'. script: c531cc, on @user_script:6.",
            "OOM command not allowed when used memory", false
        ),
        (
            "NOPERM this user has no permissions to run the 'eval' command",
            "NOPERM this user has no permissions to run the 'eval' command", false
        ),
        (
            "NOPERM User bob has no permissions to run the 'get' command",
            "NOPERM User has no permissions to run the 'get' command", false
        ),
        (
            "NOPERM ACL failure in script: User bob has no permissions to run the 'set' command script: c5, on @user_script:2.",
            "NOPERM ACL failure in script: User has no permissions to run the 'set' command", false
        ),
        (
            "ERR Error running script (call to f_1): @user_script:6: -READONLY You can't write against a read only replica.",
            "READONLY You can't write against a read only replica", false
        ),
        (
            "ERR Error running script (call to f_1): @user_script:6: value is not an integer", "ERR Error running script", true
        ), ("ERR no hunter2 here", "ERR", true), ("hunter2", "an error", false), ("ERR 'hunter2' ", "ERR", true),
        (String(repeating: "A", count: 900), "an error", false),
        (String(repeating: "A ", count: 400), String(repeating: " A", count: 60).dropFirst().description, false),
    ]) func `is told by its plain words, without who logs in`(line: String, words: String, isAboutQuestion: Bool) {
        let error = StoreError(line: Array(line.utf8)[...])
        #expect(error.words(hiding: "bob", "hunter2") == words)
        #expect(error.isAboutQuestion == isAboutQuestion)
    }

    /// What is said of a password may have it in it, whole or cut, and is told where it is a sentence of Redis's.
    @Test(arguments: [
        (
            "ERR AUTH <password> called without any password configured for the default user. Are you sure your configuration is correct?",
            "ERR AUTH <password> called without any password configured for the default user"
        ),
        (
            "WRONGPASS invalid username-password pair or user is disabled.",
            "WRONGPASS invalid username-password pair or user is disabled"
        ), ("WRONGPASS hunter", "WRONGPASS"), ("ERR unknown command 'AUTH', with args beginning with: 'hunt' ", "ERR"),
        ("ERR hunter", "ERR"), ("hunter", "an error"), ("", "an error"),
        ("ERR max number of clients reached", "ERR max number of clients reached"),
    ]) func `is told of a password by known words alone`(line: String, words: String) {
        #expect(StoreError(line: Array(line.utf8)[...]).wordsOfLogin == words)
    }

    @Test func `is never more than it may be, whatever comes`() {
        var generator = SeededGenerator(seed: 7)
        for _ in 0..<2000 {
            let alphabet = Array("+-:$*0123456789\r\n AZ\0".utf8)
            let text = (0..<64).map { _ in alphabet.randomElement(using: &generator) ?? 0 }
            for reply in read(String(decoding: text, as: UTF8.self)).replies {
                if case .number(let number) = reply { #expect(number >= 0) }
            }
        }
    }

    private func request(_ name: String, tokensPerDay: Int? = 100, requestsPerMinute: Int? = nil) -> StoreRequest? {
        var limits = ClientSettings(match: ModelPattern("*"))
        (limits.tokensPerDay, limits.requestsPerMinute) = (tokensPerDay, requestsPerMinute)
        return StoreRequest(
            ClientName(name), limits, TokenEstimate(promptBytes: 40, answerMax: 5, choicesCount: 1),
            at: CountedTime(second: 1_796_000_000))
    }

    @Test(
        arguments: [
            (0, StoreAnswer.taken(used: 0)), (60, .taken(used: 15)), (61, .refused(.requests, used: 15)),
            (62, .refused(.tokens, used: 15)), (63, nil),
        ] as [(Int, StoreAnswer?)])
    func `is one number for a request`(number: Int, answer: StoreAnswer?) throws {
        #expect(try #require(request("shop")).answer(number) == answer)
    }

    @Test func `is asked in keys of the name, the day and the minute, in UTC`() throws {
        let name = "a}:\r\n{b"
        let sane = try #require(request("shop", requestsPerMinute: 7))
        let command = String(decoding: sane.command, as: UTF8.self)
        #expect(command.hasPrefix("*8\r\n$4\r\nEVAL\r\n$"))
        #expect(
            command.hasSuffix(
                "$1\r\n2\r\n$24\r\nsluice:{shop}:2026-11-30\r\n$30\r\nsluice:{shop}:2026-11-30T00:53\r\n$2\r\n15\r\n$3\r\n100\r\n$1\r\n7\r\n"
            ))
        let withdrawal = String(decoding: try #require(sane.withdrawalCommand), as: UTF8.self)
        #expect(withdrawal.hasSuffix("$1\r\n1\r\n$30\r\nsluice:{shop}:2026-11-30T00:53\r\n"))
        let odd = try #require(request(name))
        #expect(odd.withdrawalCommand == nil)
        #expect(odd.key.bytes == Array("sluice:{\(name)}:2026-11-30".utf8))
        #expect(request("shop", tokensPerDay: nil) == nil)
        let debt = StoreDebt(reserved: 15, spent: 4)
        #expect(
            String(decoding: debt.command(sane.key), as: UTF8.self)
                .hasSuffix("$1\r\n1\r\n$24\r\nsluice:{shop}:2026-11-30\r\n$3\r\n-11\r\n$1\r\n4\r\n"))
    }

    @Test func `is not owed for more clients than there is room for`() {
        var debts = StoreDebts()
        let owe = { (name: String, debts: inout StoreDebts) in
            debts.add(StoreDebt(reserved: 1, spent: 2), of: StoreKey(client: Array(name.utf8), day: 1))
        }
        let added = (0..<StoreDebts.countMax).count { owe("\($0)", &debts) }
        #expect(added == StoreDebts.countMax)
        let (beyond, again) = (owe("x", &debts), owe("7", &debts))
        #expect(!beyond)
        #expect(again)
        var sum = 0
        while let (_, debt) = debts.popLast() { sum += debt.reserved }
        #expect(sum == StoreDebts.countMax + 1)
        #expect(debts.isEmpty)
        let anew = owe("x", &debts)
        #expect(anew)
    }
}
