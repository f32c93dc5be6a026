// Bodies of calls, settings for one upstream, and the request of a voice platform.

import TestSupport

/// A call with one user message.
///
/// - Parameter members: further members of the body, each with a comma before it.
func chat(_ text: String = "Hello", stream: Bool = true, members: String = "") -> ChatCall {
    ChatCall(#"{"model":"stub-1","messages":[{"role":"user","content":\#(quoted(text))}],"stream":\#(stream)\#(members)}"#)
}

/// The text of a settings file with one upstream, which is asked once.
///
/// - Parameters:
///   - authorities: the file of those that are trusted instead of the system's.
///   - connect: how long a connection with TLS may take.
///   - lines: more of the upstream's table.
func oneUpstream(url: String, authorities: String? = nil, connect: String = "1m", _ lines: String...) -> String {
    let trust = authorities.map { ["authorities_file = \"\($0)\"", "timeouts.connect = \"\(connect)\""] } ?? []
    return (["retries = 0"] + trust + ["[upstreams.stub]", "url = \"\(url)\""] + lines).joined(separator: "\n")
}

/// The request of a voice platform, as the contract has it.
let referenceCall = ChatCall(
    """
    {"model":"gpt-3.5-turbo","messages":[{"role":"user","content":"Tell me a joke"}],"temperature":0.7,"tools":[],"stream":true,\
    "call":{"id":"12345","orgId":"org001","createdAt":"2024-11-29T10:00:00Z","updatedAt":"2024-11-29T10:00:00Z","type":"query",\
    "status":"pending","assistantId":"assist001"},"metadata":{"context":"chat_query"}}
    """)

extension HTTPHead {
    var contentType: String? { self["Content-Type"] }
}
