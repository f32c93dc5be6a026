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
        local function count(key)
            return math.min(math.max(tonumber(redis.call('GET', key)) or 0, 0), 1125899906842624)
        end
        local used, asked = count(KEYS[1]), count(KEYS[2])
        local tokens, tokensMax, requestsMax = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
        if requestsMax >= 0 and asked >= requestsMax then return used * 4 + 1 end
        if tokensMax >= 0 and used + tokens > tokensMax then return used * 4 + 2 end
        if requestsMax >= 0 then
            redis.call('INCR', KEYS[2])
            redis.call('EXPIRE', KEYS[2], 120)
        end
        if tokensMax >= 0 then
            redis.call('INCRBY', KEYS[1], ARGV[1])
            redis.call('EXPIRE', KEYS[1], 172800)
        end
        return (used + tokens) * 4
        """

    var command: [UInt8] {
        StoreCommand.script(
            Self.script, keys: [key.bytes, StoreKey.requests(of: client.bytes, in: time)],
            [tokens, tokensPerDay ?? -1, requestsPerMinute ?? -1])
    }

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
        if redis.call('EXISTS', KEYS[1]) == 0 then change = ARGV[2] end
        local used = redis.call('INCRBY', KEYS[1], change)
        if used < 0 then
            redis.call('SET', KEYS[1], 0)
            used = 0
        end
        redis.call('EXPIRE', KEYS[1], 172800)
        return used
        """

    func command(_ key: StoreKey) -> [UInt8] {
        StoreCommand.script(Self.script, keys: [key.bytes], [spent - reserved, spent])
    }
}

/// Commands as Redis takes them: an array of byte strings.
enum StoreCommand {
    static let ping = bytes(["PING"])

    /// - Parameter user: nil for the default one.
    static func authentication(_ user: String?, _ password: String) -> [UInt8] {
        bytes(["AUTH"] + (user.map { [$0] } ?? []) + [password])
    }

    static func selection(database: Int) -> [UInt8] { bytes(["SELECT", "\(database)"]) }

    /// A script with each question: Redis knows it from the second time on, and one that has been restarted is asked no other way.
    static func script(_ script: String, keys: [[UInt8]], _ numbers: [Int]) -> [UInt8] {
        var arguments = ["EVAL", script, "\(keys.count)"].map { Array($0.utf8) }
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
