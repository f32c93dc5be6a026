// Where several machines count together what clients use: `budget_store`.

package import HTTPClient

/// A server of Redis' protocol.
package struct BudgetStoreSettings: Equatable, Sendable {
    /// With what it lets one in.
    package enum Password: Equatable, Sendable {
        case none
        /// It stands in no log, and `check --show` masks it.
        case secret(String)
        /// A credential of another process, by its name as the settings have it: for `check`, which cannot look at it.
        case credential(String)

        /// Nil where there is none to send.
        package var text: String? { if case .secret(let text) = self { text } else { nil } }
    }

    package let place: PlainPlace
    /// Nil for the server's default user.
    package let user: String?
    package var password: Password
    package let database: Int

    static let defaultPort: UInt16 = 6379
    /// More than anybody has.
    static let databaseMax = 9999
    /// As many as a key may have.
    fileprivate static let textBytesMax = 4096
    private static let (scheme, socketScheme) = ("redis://", "redis+unix://")

    /// Whether the counts there are the same, whoever logs in.
    package func isSamePlace(as other: BudgetStoreSettings) -> Bool { place == other.place && database == other.database }

    /// - Parameter text: `redis://[USER:PASSWORD@]HOST[:PORT][/DATABASE]`, or `redis+unix://[USER:PASSWORD@]/PATH[?db=DATABASE]`; what is
    ///   no letter, digit or one of `-._~` in user and password is percent-encoded.
    /// - Throws: `BudgetStoreURLError`, which does not quote it: a password may stand in it.
    init(_ text: String) throws(BudgetStoreURLError) {
        guard text.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F }), text.utf8.count <= 3 * Self.textBytesMax else {
            throw .notPlain
        }
        let isSocket = text.hasPrefix(Self.socketScheme)
        guard isSocket || text.hasPrefix(Self.scheme) else { throw .noScheme }
        let rest = text.dropFirst((isSocket ? Self.socketScheme : Self.scheme).count)
        let authority = rest.prefix { !"/?#".contains($0) }
        let tail = rest[authority.endIndex...]
        let at = authority.lastIndex(of: "@")
        // A socket's path may have one.
        if at == nil, tail.contains("@"), !isSocket || !authority.isEmpty { throw .notEncoded }
        (user, password) = try Self.userAndPassword(at.map { authority[..<$0] })
        let host = at.map { authority[authority.index(after: $0)...] } ?? authority
        if isSocket {
            let parts = tail.split(separator: "?", maxSplits: 1, omittingEmptySubsequences: false)
            guard host.isEmpty, let path = parts.first, path.count > 1, !path.contains("#") else { throw .noPath }
            do throws(HTTPError) { try PlainPlace.validate(path: String(path)) } catch { throw .noPath }
            place = .unix(path: String(path))
            database = try Self.database(parts.count > 1 ? parts[1] : nil, behind: "db=")
        } else {
            do throws(HTTPError) { place = try PlainPlace(hostAndPort: String(host), defaultPort: Self.defaultPort) } catch {
                throw .noPlace
            }
            database = try Self.database(tail == "/" || tail.isEmpty ? nil : tail, behind: "/")
        }
    }

    private static func database(_ text: Substring?, behind prefix: String) throws(BudgetStoreURLError) -> Int {
        guard let text else { return 0 }
        let digits = text.dropFirst(prefix.count)
        guard text.hasPrefix(prefix), digits.utf8.allSatisfy({ $0 &- UInt8(ascii: "0") < 10 }), let number = Int(digits),
            (0...databaseMax).contains(number)
        else { throw .noDatabase }
        return number
    }

    private static func userAndPassword(_ text: Substring?) throws(BudgetStoreURLError) -> (String?, Password) {
        guard let text else { return (nil, .none) }
        let parts = text.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
        guard let user = percentDecoded(parts[0]), let password = percentDecoded(parts.count > 1 ? parts[1] : ""),
            !user.isEmpty || !password.isEmpty
        else { throw .noUser }
        return (user.isEmpty ? nil : user, password.isEmpty ? .none : .secret(password))
    }

    /// RFC 3986 §2.1; nil for what is no text then.
    private static func percentDecoded(_ text: Substring) -> String? {
        var (bytes, rest) = ([UInt8](), text.utf8[...])
        while let byte = rest.popFirst() {
            guard byte == UInt8(ascii: "%") else {
                bytes.append(byte)
                continue
            }
            guard let high = rest.popFirst().flatMap(hexDigit), let low = rest.popFirst().flatMap(hexDigit) else { return nil }
            bytes.append(high << 4 | low)
        }
        return bytes.count <= textBytesMax ? String(validating: bytes, as: UTF8.self) : nil
    }

    private static func hexDigit(_ byte: UInt8) -> UInt8? {
        if byte &- UInt8(ascii: "0") < 10 { return byte - UInt8(ascii: "0") }
        let letter = (byte | 0x20) &- UInt8(ascii: "a")
        return letter < 6 ? letter + 10 : nil
    }
}

extension BudgetStoreSettings: CustomStringConvertible {
    /// Its URL, with nothing of the password.
    package var description: String {
        let name = user.map(Self.percentEncoded) ?? ""
        return switch password {
        case .secret: url("\(name):***@")
        case .none, .credential: url(name.isEmpty ? "" : "\(name)@")
        }
    }

    /// Its URL, with nothing of who logs in.
    package var address: String { url("") }

    private func url(_ userPart: String) -> String {
        switch place {
        case .host(let host, let port):
            let bracketed = host.utf8.contains(UInt8(ascii: ":")) ? "[\(host)]" : host
            return "\(Self.scheme)\(userPart)\(bracketed):\(port)/\(database)"
        case .unix(let path): return "\(Self.socketScheme)\(userPart)\(path)\(database == 0 ? "" : "?db=\(database)")"
        }
    }

    private static func percentEncoded(_ text: String) -> String {
        text.utf8.reduce(into: "") { encoded, byte in
            let isPlain = (byte | 0x20) &- UInt8(ascii: "a") < 26 || byte &- UInt8(ascii: "0") < 10 || "-._~".utf8.contains(byte)
            if isPlain {
                encoded.unicodeScalars.append(UnicodeScalar(byte))
            } else {
                encoded += byte < 16 ? "%0" : "%"
                encoded += String(byte, radix: 16)
            }
        }
    }
}

/// Why a URL cannot be the store's.
enum BudgetStoreURLError: Error, CustomStringConvertible {
    case noScheme, notPlain, notEncoded, noUser, noPlace, noPath, noDatabase

    private static let encoding =
        "in a password %2F stands for '/', %25 for '%' and %20 for a space, or budget_store_password_file has it as it is"

    /// A phrase that follows the setting's name.
    var description: String {
        switch self {
        case .noScheme:
            """
            must be a URL like redis://10.0.0.7:6379/0 or redis+unix:///run/redis/redis.sock; there is no TLS to it ("rediss"), and no \
            cluster or sentinel
            """
        case .notPlain: "must be a plain URL of ASCII without spaces; \(Self.encoding)"
        case .notEncoded: "has a '/', '?' or '#' ahead of its '@'; \(Self.encoding)"
        case .noUser: "must have USER:PASSWORD or :PASSWORD ahead of its '@'; \(Self.encoding)"
        case .noPlace: "must name a host, and as its port, if it has one, a number from 1 to 65535"
        case .noPath: "must name a socket by its absolute path, as redis+unix:///run/redis/redis.sock"
        case .noDatabase:
            """
            must end with the number of a database from 0 to \(BudgetStoreSettings.databaseMax), as redis://HOST/1 or \
            redis+unix:///PATH?db=1, or without one
            """
        }
    }
}

extension Settings {
    /// What is done while the store is away.
    package enum StoreFailure: String, CaseIterable, Sendable {
        /// This machine's own counts decide.
        case local
        /// Clients that have limits in the store get an error.
        case deny
    }

    static var storeFields: [Field<Settings>] {
        [
            Field(
                "budget_store", optional: \.budgetStore, .store,
                """
                Where several machines count together what clients use: a server of Redis 6 or later, or of its protocol, as \
                "redis://USER:PASSWORD@HOST:PORT/DATABASE", of which all but the host may be left out, or \
                "redis+unix:///PATH?db=DATABASE". tokens_per_day and requests_per_minute of [clients.NAME] hold for all machines with \
                the same store then; concurrent stays each machine's own. A password may come from the environment, \
                "${REDIS_PASSWORD}", percent-encoded.
                """,
                default: .words("none: each machine counts for itself"), examples: [#""redis://10.0.0.7:6379/0""#]),
            Field(
                "budget_store_password_file", .file,
                """
                A file whose first line is the store's password, as it is, instead of one in budget_store, which may name the user, as \
                "redis://USER@HOST". A relative path begins at the directory of this file; "credential:redis" is a credential of systemd, \
                LoadCredential= in its service.
                """,
                default: .nothing, examples: [#""redis.password""#],
                read: { reader, node, settings throws(SettingsProblem) in
                    guard let store = settings.budgetStore else {
                        if reader.node("budget_store") != nil { return }
                        throw SettingsProblem(node, "has no meaning without budget_store", needsWhole: true)
                    }
                    guard store.password == .none else {
                        throw SettingsProblem(node, "and a password in budget_store cannot both be set")
                    }
                    settings.budgetStore?.password = try reader.passwordInFile(node)
                },
                write: { settings in
                    if case .credential(let name)? = settings.budgetStore?.password { TOMLText.file(name) } else { nil }
                }),
            Field(
                "on_store_failure", \.onStoreFailure, .choice,
                """
                What is done while budget_store does not answer within 250 ms: "local" lets this machine's own counts decide, so that \
                several machines together may give more; "deny" answers 503 with the code budget_store_unavailable.
                """,
                shownIf: { $0.budgetStore != nil }),
        ]
    }
}

extension SettingsReader {
    /// The first line of a file, as it is.
    fileprivate func passwordInFile(_ node: SettingsNode) throws(SettingsProblem) -> BudgetStoreSettings.Password {
        let file = try file(node)
        if Self.isCredential(file) { return .credential(file) }
        var line = try contents(of: file, for: node).prefix { $0 != UInt8(ascii: "\n") }
        if line.last == UInt8(ascii: "\r") { line.removeLast() }
        guard !line.isEmpty else { throw SettingsProblem(node, "names a file whose first line is empty") }
        guard line.count <= BudgetStoreSettings.textBytesMax else {
            throw SettingsProblem(
                node, "gives a password of \(line.count) bytes; it may have \(BudgetStoreSettings.textBytesMax)")
        }
        guard let text = String(validating: line, as: UTF8.self) else {
            throw SettingsProblem(node, "gives a password that is no UTF-8")
        }
        return .secret(text)
    }

    /// Whether what the settings say of the store goes together, and with its clients.
    func checkStore(of settings: Settings) {
        let (node, failureNode) = (node("budget_store"), node("on_store_failure"))
        if let node, let store = settings.budgetStore, store.user != nil, store.password == .none,
            self.node("budget_store_password_file") == nil
        {
            problems.add(
                SettingsProblem(node, "names a user without a password: add it, or budget_store_password_file", needsWhole: true))
        }
        // What else is wrong may be why.
        guard problems.error == nil else { return }
        if let node, !settings.clients.contains(where: { $0.tokensPerDay != nil || $0.requestsPerMinute != nil }) {
            warn(of: "has nothing to count: none of [clients.NAME] has tokens_per_day or requests_per_minute", node)
        }
        if node == nil, let failureNode { warn(of: "has no meaning without budget_store", failureNode) }
    }
}

extension FieldKind<BudgetStoreSettings> {
    fileprivate static var store: Self {
        FieldKind(
            form: .other("a URL"),
            read: { reader, node throws(SettingsProblem) in
                let text = try reader.text(node)
                do throws(BudgetStoreURLError) { return try BudgetStoreSettings(text) } catch {
                    throw SettingsProblem(node, error.description)
                }
            }, write: { TOMLText.string($0.description) })
    }
}
