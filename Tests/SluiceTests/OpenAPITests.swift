import Foundation
import Testing

@testable import Chat
@testable import Settings
@testable import Sluice

/// The document against the code that it describes; the end-to-end tests hold it against the answers.
@Suite struct OpenAPITests {
    private let document: [String: any Sendable]

    init() throws {
        let parsed = try JSONSerialization.jsonObject(with: Data(openAPIDocument)) as? [String: any Sendable]
        document = try #require(parsed)
    }

    private func object(_ path: String...) -> [String: any Sendable] {
        path.reduce(document) { $0[$1] as? [String: any Sendable] ?? [:] }
    }

    @Test func `the document is JSON, by Sluice's own measure`() throws {
        let bytes = openAPIDocument
        let value = try JSONScanner.validate(bytes.span, depthMax: Settings.Limits().jsonDepth)
        #expect(value.kind == .object)
    }

    @Test func `its version is the program's`() {
        #expect(object("info")["version"] as? String == sluiceVersion)
    }

    @Test func `it lists every parameter that Sluice takes from a body, and no other`() {
        let known = Parameter.allCases.filter {
            $0.isKnownToOpenAI || $0.isAddedByVapi || [.user_id, .elevenlabs_extra_body].contains($0)
        }
        let listed = object("components", "schemas", "ChatRequest", "properties")
        #expect(Set(listed.keys) == Set(known.map(\.name)))
    }

    @Test func `it tells where Hume's session is taken from and where it comes back`() {
        let post = object("paths", "/chat/completions", "post")
        let parameters = post["parameters"] as? [[String: any Sendable]] ?? []
        #expect(parameters.contains { $0["name"] as? String == "custom_session_id" && $0["in"] as? String == "query" })
        for schema in ["ChatCompletionChunk", "ChatCompletion"] {
            #expect(!object("components", "schemas", schema, "properties", "system_fingerprint").isEmpty)
        }
    }

    @Test func `it tells the limits that a request has unless they are set`() throws {
        let body = object("paths", "/chat/completions", "post", "requestBody")
        let description = try #require(body["description"] as? String)
        let limits = Settings.Limits()
        #expect(description.contains("\(limits.bodyBytes >> 20) MiB"))
        #expect(description.contains("\(limits.jsonDepth) deep"))
    }

    /// One error for each status of `ChatError`, and those that an upstream's verdict can have.
    private static let errors: [ChatError] =
        [
            .notAnObject, .unknownPath, .methodNotAllowed(allowed: "POST"),
            .bodyTooLarge(bytesMax: 1), .headersTooLarge(bytesMax: 1), .malformedHeaders, .compressedBody(coding: nil),
            .overloaded(retryAfter: .seconds(1)), .memoryFull, .budgetsUnknown, .hookFailed,
            .denied(status: 403, message: nil),
            .shuttingDown, .internalDefect(requestID: "req_1"), .upstreamFailed(.status(500)), .upstreamCutOff,
            .upstreamTimedOut(.idle, after: .seconds(1)), .upstreamRefusedKey(status: 401),
            .upstreamAnswerTooLarge(bytesMax: 1), .upstreamEventTooLarge(bytesMax: 1),
        ]
        + (300..<600).map {
            .upstreamAnswered(status: $0, body: [UInt8]().span, key: UpstreamKey(isFromCaller: true), depthMax: 1)
        }

    @Test func `it lists every status that a chat can be answered with, and no other`() {
        let listed = object("paths", "/chat/completions", "post", "responses")
        #expect(Set(listed.keys) == Set(Self.errors.map { "\($0.status)" } + ["200"]))
    }

    @Test func `it lists every type of error that is Sluice's own`() throws {
        let type = object("components", "schemas", "Error", "properties", "error", "properties", "type")
        let listed = try #require(type["enum"] as? [String])
        #expect(Set(listed) == Set(Self.errors.map(\.type)))
    }

    @Test func `each reference in it leads somewhere`() throws {
        let text = String(decoding: openAPIDocument, as: UTF8.self)
        for match in text.matches(of: /"\$ref": "#\/([^"]+)"/) {
            let path = match.1.split(separator: "/").map(String.init)
            #expect(!path.reduce(document) { $0[$1] as? [String: any Sendable] ?? [:] }.isEmpty, "\(match.1)")
        }
    }
}
