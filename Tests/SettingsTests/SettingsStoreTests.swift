import HTTPClient
import Testing

@testable import Settings

/// Where several machines count budgets together: `budget_store`.
@Suite struct SettingsStoreTests {
    private static let demo = "\n[upstreams.demo]\nkind = \"demo\"\n"

    @Test(
        arguments: [
            ("redis://h", .host("h", port: 6379), nil, nil, 0),
            ("redis://10.0.0.7:7000/3", .host("10.0.0.7", port: 7000), nil, nil, 3),
            ("redis://[::1]:7000/", .host("::1", port: 7000), nil, nil, 0),
            ("redis://:p@h:80", .host("h", port: 80), nil, "p", 0),
            ("redis://u:p%40%2f@h", .host("h", port: 6379), "u", "p@/", 0),
            ("redis://:a:b@h", .host("h", port: 6379), nil, "a:b", 0),
            ("redis://:a+b%2F%c3%A4=@h", .host("h", port: 6379), nil, "a+b/ä=", 0),
            ("redis+unix:///run/r.sock", .unix(path: "/run/r.sock"), nil, nil, 0),
            ("redis+unix:///run/r@1.sock", .unix(path: "/run/r@1.sock"), nil, nil, 0),
            ("redis+unix://u:p@/run/r.sock?db=2", .unix(path: "/run/r.sock"), "u", "p", 2),
        ] as [(String, PlainPlace, String?, String?, Int)])
    func `is a URL`(url: String, place: PlainPlace, user: String?, password: String?, database: Int) throws {
        let settings = try settings("budget_store = '\(url)'" + Self.demo)
        let store = try #require(settings.budgetStore)
        #expect(store.place == place)
        #expect((store.user, store.password.text) == (user, password))
        #expect(store.database == database)
        #expect(settings.onStoreFailure == .local)
        // As it is shown it is the same again, but for the password.
        let shown = try #require(try SettingsCase(text: settings.text).load().budgetStore)
        #expect((shown.place, shown.user, shown.database) == (place, user, database))
        #expect(shown.password == (password == nil ? .none : .secret("***")))
    }

    private static let noScheme = """
        1: budget_store must be a URL like redis://10.0.0.7:6379/0 or redis+unix:///run/redis/redis.sock; there is no TLS to it ("rediss"), \
        and no cluster or sentinel
        """
    private static let encoding =
        "in a password %2F stands for '/', %25 for '%' and %20 for a space, or budget_store_password_file has it as it is"
    private static let noUser = "1: budget_store must have USER:PASSWORD or :PASSWORD ahead of its '@'; \(encoding)"
    private static let notEncoded = "1: budget_store has a '/', '?' or '#' ahead of its '@'; \(encoding)"
    private static let notPlain = "1: budget_store must be a plain URL of ASCII without spaces; \(encoding)"
    private static let noDatabase = """
        1: budget_store must end with the number of a database from 0 to 9999, as redis://HOST/1 or redis+unix:///PATH?db=1, or without one
        """
    private static let noPlace = "1: budget_store must name a host, and as its port, if it has one, a number from 1 to 65535"
    private static let noPath = "1: budget_store must name a socket by its absolute path, as redis+unix:///run/redis/redis.sock"

    private static let mistakes = [
        Mistake("budget_store = 'rediss://:secret@h'", noScheme), Mistake("budget_store = 'h:6379'", noScheme),
        Mistake("budget_store = 'redis://:secret%@h'", noUser), Mistake("budget_store = 'redis://@h'", noUser),
        Mistake("budget_store = 'redis://:secret%ff@h'", noUser),
        Mistake("budget_store = 'redis://:secret%-0@h'", noUser), Mistake("budget_store = 'redis://:secret%+1@h'", noUser),
        Mistake("budget_store = 'redis://:secret%0@h'", noUser), Mistake("budget_store = 'redis://:secret%0g@h'", noUser),
        Mistake("budget_store = 'redis://:secret/pa:ss@10.0.0.7:6379'", notEncoded),
        Mistake("budget_store = 'redis://u:secret?x@h'", notEncoded),
        Mistake("budget_store = 'redis://:secret#x@h/1'", notEncoded),
        Mistake("budget_store = 'redis+unix://:secret/x@/run/r.sock'", notEncoded),
        Mistake("budget_store = 'redis://:secret@'", noPlace), Mistake("budget_store = 'redis://h:0'", noPlace),
        Mistake("budget_store = 'redis://h/x'", noDatabase), Mistake("budget_store = 'redis://h/-1'", noDatabase),
        Mistake("budget_store = 'redis://h/+1'", noDatabase), Mistake("budget_store = 'redis://h/-0'", noDatabase),
        Mistake("budget_store = 'redis+unix:///x?db='", noDatabase), Mistake("budget_store = 'redis://h?db=1'", noDatabase),
        Mistake("budget_store = 'redis+unix://h/x'", noPath), Mistake("budget_store = 'redis+unix://'", noPath),
        Mistake("budget_store = 'redis+unix:///x?1'", noDatabase),
        Mistake("budget_store = 'redis://h h'", notPlain), Mistake("budget_store = 'redis://:secret x@h'", notPlain),
        Mistake("budget_store = ''", "1: budget_store must not be empty"),
        Mistake(
            "budget_store = 'redis://u@h'",
            "1: budget_store names a user without a password: add it, or budget_store_password_file"),
        Mistake("budget_store_password_file = 'good'", "1: budget_store_password_file has no meaning without budget_store"),
        Mistake(
            "budget_store = 'redis://:secret@h'\nbudget_store_password_file = 'good'",
            "2: budget_store_password_file and a password in budget_store cannot both be set"),
        Mistake(
            "budget_store = 'redis://h'\nbudget_store_password_file = 'empty'",
            "2: budget_store_password_file names a file whose first line is empty"),
        Mistake(
            "budget_store = 'redis://u@h'\nbudget_store_password_file = 'none'",
            "2: budget_store_password_file names a file that cannot be read: No such file or directory"),
        Mistake("on_store_failure = 'wait'", "1: on_store_failure must be \"local\" or \"deny\""),
    ]

    @Test(arguments: mistakes) func `tells what is wrong with it, and no password`(mistake: Mistake) {
        Mistake(mistake.text + Self.demo, mistake.problems).check()
    }

    @Test func `has its password from a file, or the environment`() throws {
        let text = "budget_store = 'redis://u@h'\nbudget_store_password_file = 'good'" + Self.demo
        let store = try #require(try settings(text, files: ["dir/good": "secret\n"]).budgetStore)
        #expect((store.user, store.password.text) == ("u", "secret"))
        let other = try settings("budget_store = 'redis://:${P}@h'" + Self.demo, environment: ["P": "secret"])
        #expect(other.budgetStore?.password.text == "secret")
        #expect(!other.text.contains("secret"))
    }

    @Test(arguments: [
        ("p w/1\n", "p w/1"), ("pässword\r\nsecond", "pässword"), (" p \n", " p "), ("p", "p"),
    ]) func `has a password as its file has it`(content: String, password: String) throws {
        let text = "budget_store = 'redis://h'\nbudget_store_password_file = 'good'" + Self.demo
        #expect(try settings(text, files: ["dir/good": content]).budgetStore?.password.text == password)
    }

    @Test(arguments: [
        ("budget_store = 'redis://h'", true), ("on_store_failure = 'deny'", false),
        ("budget_store = 'redis://h'\nclients.shop.concurrent = 2", true),
        ("budget_store = 'redis://h'\nclients.shop.tokens_per_day = 2000", nil),
        ("budget_store = 'redis://h'\nclients.shop.requests_per_minute = 2", nil), ("", nil),
    ]) func `is warned of where it comes to nothing`(text: String, isOfStore: Bool?) throws {
        let warnings = try SettingsCase(text: text + Self.demo).loaded().warnings
        let expected = isOfStore.map { isOfStore in
            isOfStore
                ? "budget_store has nothing to count: none of [clients.NAME] has tokens_per_day or requests_per_minute"
                : "on_store_failure has no meaning without budget_store"
        }
        #expect(warnings == (expected.map { ["dir/sluice.toml:1: \($0)"] } ?? []))
    }

    @Test func `is changed by a reload`() throws {
        var next = try settings("budget_store = 'redis://h'" + Self.demo)
        #expect(next.restoreStartOnlySettings(of: try settings(Self.demo)).isEmpty)
        #expect(next.budgetStore != nil)
        #expect(!next.startOnlyText.contains("redis"))
    }
}
