// The table of conditions: which requests fit which `when`.

import TestSupport
import Testing

/// A condition, and what a request has.
struct WhenRow: Sendable, CustomTestStringConvertible {
    let name: String
    /// TOML.
    let when: String
    /// JSON: members of the request besides its model and its messages.
    let members: String
    var token = RunningServer.token
    let fits: Bool

    var testDescription: String { name }

    fileprivate init(_ name: String, _ when: String, _ members: String = "", token: String = RunningServer.token, fits: Bool) {
        (self.name, self.when, self.members, self.token, self.fits) = (name, when, members, token, fits)
    }

    /// Of a condition for Vapi's `call.assistantId`.
    fileprivate init(_ name: String, id pattern: String, _ members: String, fits: Bool) {
        self.init(name, "{'call.assistantId' = '\(pattern)'}", members, fits: fits)
    }

    /// The same, with JSON in its place.
    fileprivate init(_ name: String, id pattern: String, is json: String, fits: Bool) {
        self.init(name, id: pattern, #""call":{"id":"c-1","assistantId":\#(json)}"#, fits: fits)
    }

    static let all = clients + texts + others + places + duplicates + several + large
}

private let clients = [
    WhenRow("a client by its name", "{client = 'first'}", fits: true),
    WhenRow("another client", "{client = 'first'}", token: RunningServer.otherToken, fits: false),
    WhenRow("a client by a pattern", "{client = 'f*t'}", fits: true),
    WhenRow("a client, with capitals", "{client = 'First'}", fits: false),
    WhenRow("a client is nobody's own word", "{client = 'acme'}", #""client":"acme""#, fits: false),
    WhenRow("a client by user is the body's", "{user = 'first'}", #""user":"second""#, fits: false),
]

private let texts = [
    WhenRow("the same text", id: "a-1", is: #""a-1""#, fits: true),
    WhenRow("another text", id: "a-1", is: #""a-2""#, fits: false),
    WhenRow("a text with more behind it", id: "a-1", is: #""a-1 ""#, fits: false),
    WhenRow("a text with capitals", id: "a-1", is: #""A-1""#, fits: false),
    WhenRow("a pattern with a star at its end", id: "a-*", is: #""a-1""#, fits: true),
    WhenRow("a pattern with a star at its beginning", id: "*-1", is: #""a-1""#, fits: true),
    WhenRow("a pattern with a star inside", id: "a*1", is: #""a-1""#, fits: true),
    WhenRow("a pattern with ? and [ab]", id: "[ab]?1", is: #""a-1""#, fits: true),
    WhenRow("a star that takes slashes and dots", id: "a*", is: #""a/.b/c""#, fits: true),
    WhenRow("a pattern that is none", id: "a-[!1]", is: #""a-1""#, fits: false),
    WhenRow("an empty text fits a star", id: "*", is: #""""#, fits: true),
    WhenRow("escapes", id: "a-1", is: #""\u0061\u002d1""#, fits: true),
    WhenRow("escaped slashes and quotes", id: #"a/"\b"#, is: #""a\/\"\\b""#, fits: true),
    WhenRow("a backslash in a pattern is itself", id: #"a\*"#, is: #""a\\b""#, fits: true),
    WhenRow("letters of other alphabets", id: "größ*", is: #""größe""#, fits: true),
    WhenRow("the same letters of other bytes", id: "größ*", is: #""gro\u0308ße""#, fits: false),
    WhenRow("a pair of escapes", id: "😀", is: #""\ud83d\ude00""#, fits: true),
    WhenRow("a NUL behind the text", id: "a-1", is: #""a-1\u0000""#, fits: false),
    WhenRow("a NUL behind what fits a pattern", id: "a-?", is: #""a-1\u0000x""#, fits: false),
    WhenRow("a NUL, and a pattern for all", id: "*", is: #""\u0000""#, fits: false),
    WhenRow("1,024 bytes", id: "a*", is: "\"\(String(repeating: "a", count: 1024))\"", fits: true),
    WhenRow("1,025 bytes", id: "a*", is: "\"\(String(repeating: "a", count: 1025))\"", fits: false),
    WhenRow("many stars", id: "*a*a*a*a*a*a*a*b", is: "\"\(String(repeating: "a", count: 1024))\"", fits: false),
]

private let others = [
    WhenRow("a number", id: "5", is: "5", fits: true), WhenRow("a number as text", id: "5", is: #""5""#, fits: true),
    WhenRow("a number, written otherwise", id: "5", is: "5.0", fits: false),
    WhenRow("a number by a pattern", id: "-1*", is: "-1.5e3", fits: true),
    WhenRow("true", id: "true", is: "true", fits: true), WhenRow("false", id: "true", is: "false", fits: false),
    WhenRow("null", id: "null", is: "null", fits: false),
    WhenRow("null, and a pattern for all", id: "*", is: "null", fits: false),
    WhenRow("an object", id: "*", is: #"{"a-1":"a-1"}"#, fits: false), WhenRow("an array", id: "*", is: #"["a-1"]"#, fits: false),
    WhenRow("a number of a thousand digits", id: "1*", is: String(repeating: "1", count: 2000), fits: false),
]

private let places = [
    WhenRow("a member that is missing", id: "*", #""call":{"id":"c"}"#, fits: false),
    WhenRow("an object that is missing", id: "*", #""n":1"#, fits: false),
    WhenRow("an object that is null", id: "*", #""call":null"#, fits: false),
    WhenRow("an array on the way", id: "*", #""call":[{"assistantId":"a"}]"#, fits: false),
    WhenRow("a text on the way", id: "*", #""call":"{\"assistantId\":\"a\"}""#, fits: false),
    WhenRow("the path as a name", id: "*", #""call.assistantId":"a""#, fits: false),
    WhenRow("the name elsewhere", id: "*", #""assistantId":"a","x":{"call":{"assistantId":"a"}}"#, fits: false),
    WhenRow("a name with capitals", id: "*", #""call":{"assistantID":"a"}"#, fits: false),
    WhenRow("names with escapes", id: "a", #""c\u0061ll":{"assistant\u0049d":"a"}"#, fits: true),
    WhenRow("a name with a NUL", id: "*", #""call":{"assistantId\u0000":"a"}"#, fits: false),
    WhenRow("white space", id: "a", "\"call\" :\n{ \"id\" : [ ] ,\t\"assistantId\" : \"a\" } ", fits: true),
    WhenRow("a member of the request itself", "{user = 'u-*'}", #""user":"u-1""#, fits: true),
    WhenRow("a member of any name", "{x-tenant_2 = 'a'}", #""x-tenant_2":"a""#, fits: true),
    WhenRow("stream", "{stream = 'false'}", fits: true),
    WhenRow("eight names", "{'a.b.c.d.e.f.g.h' = 'x'}", #""a":{"b":{"c":{"d":{"e":{"f":{"g":{"h":"x"}}}}}}}"#, fits: true),
    WhenRow("a path without quotes", "{metadata.tenant = 'north'}", #""metadata":{"tenant":"north"}"#, fits: true),
    WhenRow(
        "a deep value beside it", "{metadata.tenant = 'north'}",
        #""metadata":{"x":\#(String(repeating: "[", count: 60))\#(String(repeating: "]", count: 60)),"tenant":"north"}"#,
        fits: true),
]

private let duplicates = [
    WhenRow("the last of two fits", id: "a", #""call":{"assistantId":"b","assistantId":"a"}"#, fits: true),
    WhenRow("the first of two fits", id: "a", #""call":{"assistantId":"a","assistantId":"b"}"#, fits: false),
    WhenRow(
        "the first of two fits, the last has escapes", id: "a", #""call":{"assistantId":"a","\u0061ssistantId":"b"}"#, fits: false
    ),
    WhenRow("the last object fits", id: "a", #""call":{"assistantId":"b"},"call":{"assistantId":"a"}"#, fits: true),
    WhenRow("the first object fits", id: "a", #""call":{"assistantId":"a"},"call":{}"#, fits: false),
    WhenRow("the first object fits, the last is null", id: "a", #""call":{"assistantId":"a"},"call":null"#, fits: false),
    WhenRow(
        "the first inner object fits", "{m.a.b = 'x'}", #""m":{"a":{"b":"x"},"a":{"c":"x"}}"#, fits: false),
    WhenRow(
        "the last inner object fits", "{m.a.b = 'x'}", #""m":{"a":{"c":"x"},"a":{"b":"x"}}"#, fits: true),
]

private let vapi =
    #""call":{"id":"c","assistantId":"7d0f1e","type":"webCall"},"metadata":{"tenant":"north"},"customer":{"number":"NUMBER"}"#
private let four =
    "{client = 'f*', 'call.assistantId' = '7d0f*', 'metadata.tenant' = 'north', 'customer.number' = '+49*'}"

private let several = [
    WhenRow("four conditions", four, vapi.replacing("NUMBER", with: "+4930123456"), fits: true),
    WhenRow("four conditions, the last of which fails", four, vapi.replacing("NUMBER", with: "+4330123456"), fits: false),
    WhenRow(
        "four conditions, of another client", four, vapi.replacing("NUMBER", with: "+4930123456"),
        token: RunningServer.otherToken,
        fits: false),
    WhenRow("a path and the beginning of it", "{'m.a' = '*', 'm.a.b' = '*'}", #""m":{"a":{"b":"x"}}"#, fits: false),
]

private let large = [
    WhenRow(
        "8 MiB ahead of it", "{metadata.tenant = 'north'}",
        #""metadata":{"x":"\#(String(repeating: "x", count: 8_380_000))","tenant":"north"}"#, fits: true),
    WhenRow(
        "8 MiB of small members around it", "{metadata.tenant = 'north'}",
        #""metadata":{\#(String(repeating: #""a":1,"#, count: 1_300_000))"tenant":"north"}"#, fits: false),
    WhenRow(
        "8 MiB of escapes", "{metadata.tenant = 'n*'}",
        #""metadata":{"tenant":"n\#(String(repeating: #"\u006e"#, count: 1_300_000))"}"#, fits: false),
]
