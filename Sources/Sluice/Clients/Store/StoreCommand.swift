// What Redis is asked: scripts that each are one step for it, and the keys that they count in.

import Clock
import Settings

/// Where a client's tokens of a day are counted.
struct StoreKey: Hashable {
    /// The name.
    let client: [UInt8]
    /// Since 1970.
    let day: Int

    /// `sluice:{NAME}:2026-11-29`. What stands behind the name has one length, so that no name's key is another's.
    var bytes: [UInt8] { Self.key(client, second: day * 24 * 3600, digits: "2026-11-29".utf8.count) }

    /// `sluice:{NAME}:2026-11-29T08:30`, where the requests of a minute are counted.
    static func requests(of client: [UInt8], in time: CountedTime) -> [UInt8] {
        key(client, second: time.second, digits: "2026-11-29T08:30".utf8.count)
    }

    private static func key(_ client: [UInt8], second: Int, digits: Int) -> [UInt8] {
        var key = Array("sluice:{".utf8)
        key += client
        key += "}:".utf8
        key += timestamp(ofSecond: second).utf8.prefix(digits)
        return key
    }
}

/// What a request is to take of its client's limits, of those that several machines can have in common.
struct StoreRequest {
    let client: ClientName
    let tokensPerDay: Int?
    let requestsPerMinute: Int?
    /// None where there is no limit of them.
    let tokens: Int
    let time: CountedTime

    /// - Returns: nil for a client without such limits.
    init?(_ client: ClientName, _ limits: ClientSettings, _ estimate: TokenEstimate, at time: CountedTime) {
        guard limits.tokensPerDay != nil || limits.requestsPerMinute != nil else { return nil }
        (self.client, self.time) = (client, time)
        (tokensPerDay, requestsPerMinute) = (limits.tokensPerDay, limits.requestsPerMinute)
        tokens = limits.tokensPerDay == nil ? 0 : estimate.total
    }

    var key: StoreKey { StoreKey(client: client.bytes, day: time.day) }

    /// Takes all, or nothing. The answer is the tokens that are taken of the day then, times four, and below that why nothing is taken:
    /// 1 for the requests, 2 for the tokens.
    private static let script = """
        local used, asked = count(KEYS[1]), count(KEYS[2])
        local tokens, tokensMax, requestsMax = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
        if requestsMax >= 0 and asked >= requestsMax then return used * 4 + 1 end
        if tokensMax >= 0 and used + tokens > tokensMax then return used * 4 + 2 end
        if requestsMax >= 0 then set(KEYS[2], asked + 1, 120) end
        if tokensMax >= 0 then set(KEYS[1], used + tokens, 172800) end
        return (used + tokens) * 4
        """

    /// For one that was taken as a request of its minute, and is not answered.
    private static let withdrawal = """
        local asked = count(KEYS[1])
        if asked > 0 then set(KEYS[1], asked - 1, 120) end
        return asked
        """

    var command: [UInt8] {
        StoreCommand.script(Self.script, keys: [key.bytes, minuteKey], [tokens, tokensPerDay ?? -1, requestsPerMinute ?? -1])
    }

    /// Has it be none of its minute's requests; nil where these are not counted.
    var withdrawalCommand: [UInt8]? {
        requestsPerMinute == nil ? nil : StoreCommand.script(Self.withdrawal, keys: [minuteKey], [])
    }

    private var minuteKey: [UInt8] { StoreKey.requests(of: client.bytes, in: time) }

    /// What an answer to it says; nil for one that cannot be.
    func answer(_ number: Int) -> StoreAnswer? {
        switch number & 3 {
        case 0: .taken(used: number >> 2)
        case 1: .refused(.requests, used: number >> 2)
        case 2: .refused(.tokens, used: number >> 2)
        default: nil
        }
    }
}

/// What has become of a request's question.
enum StoreAnswer: Equatable {
    /// - Parameter used: tokens of the day, with these.
    case taken(used: Int)
    case refused(ClientRefusal, used: Int)
    /// The store is away, or too slow.
    case failed
}

/// What a request, or several of one client and day, came to.
struct StoreDebt: Equatable {
    /// What the store has counted for them.
    var reserved: Int
    /// What it is to count in the place of that.
    var spent: Int

    /// A store that has forgotten the day has forgotten what was reserved too. Below zero there is nothing.
    private static let script = """
        local change = ARGV[1]
        if not redis.call('GET', KEYS[1]) then change = ARGV[2] end
        local used = math.max(count(KEYS[1]) + change, 0)
        set(KEYS[1], used, 172800)
        return used
        """

    func command(_ key: StoreKey) -> [UInt8] {
        StoreCommand.script(Self.script, keys: [key.bytes], [spent - reserved, spent])
    }
}

/// Commands as Redis takes them: an array of byte strings.
enum StoreCommand {
    /// Those by whose names it may call them: nothing that was sent to it.
    static let names = ["auth", "eval", "get", "select", "set"]

    /// What all of its scripts begin with. What is no number there, as somebody else has written it, is none, and becomes one: nothing that
    /// is written can fail behind something that was.
    private static let counting = """
        local function count(key)
            local digits = string.match(redis.call('GET', key) or '', '^%d+$')
            return math.min(tonumber(digits or 0), 1125899906842624)
        end
        local function set(key, count, seconds)
            redis.call('SET', key, string.format('%.0f', count), 'EX', seconds)
        end

        """

    /// Does all that the others do, with a key of its own: who may not do that, or cannot at present, is known by it.
    static let trial = script(
        """
        set(KEYS[1], count(KEYS[1]), 60)
        return 0
        """, keys: [Array("sluice:trial".utf8)], [])

    /// - Parameter user: nil for the default one.
    static func authentication(_ user: String?, _ password: String) -> [UInt8] {
        bytes(["AUTH"] + (user.map { [$0] } ?? []) + [password])
    }

    static func selection(database: Int) -> [UInt8] { bytes(["SELECT", "\(database)"]) }

    /// A script with each question: Redis knows it from the second time on, and one that has been restarted is asked no other way.
    static func script(_ script: String, keys: [[UInt8]], _ numbers: [Int]) -> [UInt8] {
        var arguments = ["EVAL", counting + script, "\(keys.count)"].map { Array($0.utf8) }
        arguments += keys
        arguments += numbers.map { Array("\($0)".utf8) }
        return bytes(arguments)
    }

    private static func bytes(_ texts: [String]) -> [UInt8] { bytes(texts.map { Array($0.utf8) }) }

    private static func bytes(_ arguments: [[UInt8]]) -> [UInt8] {
        var bytes = Array("*\(arguments.count)\r\n".utf8)
        for argument in arguments {
            bytes += "$\(argument.count)\r\n".utf8
            bytes += argument
            bytes += "\r\n".utf8
        }
        return bytes
    }
}
