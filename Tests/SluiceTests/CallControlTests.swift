// What is told of a call's control URL.

import HTTPClient
import Testing

@testable import Sluice

@Suite struct CallControlTests {
    @Test(arguments: [
        HTTPError.tls(reason: "the certificate is for another name than caller-s-secret.vapi.ai"),
        .cannotResolve(host: "caller-s-secret.vapi.ai"), .unreachable(reason: "no route to caller-s-secret.vapi.ai"),
    ])
    func `no host that a caller has chosen is told, whatever goes wrong`(_ error: HTTPError) {
        let words = CallControl.words(error, host: "caller-s-secret.vapi.ai")
        #expect(!words.isEmpty && !words.contains("secret"))
    }

    @Test func `all else is told as it is`() {
        let words = CallControl.words(.tls(reason: "the certificate has expired"), host: "a.vapi.ai")
        #expect(words == "TLS: the certificate has expired")
    }
}
