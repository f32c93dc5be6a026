// What the page of the metrics has at a moment.

import Foundation
import TestSupport
import Testing

/// The samples of a page in Prometheus' text format.
struct Scrape {
    private let samples: [(name: String, labels: String, value: Double)]
    let text: String

    init(_ text: String) throws {
        self.text = text
        samples = try text.split(separator: "\n").filter { !$0.hasPrefix("#") }.map { line in
            let match = try #require(line.wholeMatch(of: /(\w+)(?:\{(.*)\})? ([0-9.]+)/), "no sample: \(line)")
            let (_, name, labels, value) = match.output
            return (String(name), labels.map(String.init) ?? "", try #require(Double(value)))
        }
    }

    /// By the web server.
    init(of site: Site, accept: String? = nil) async throws {
        var call = ChatCall("", token: nil, path: "/sluice/metrics", method: "GET")
        if let accept { call.fields = [("Accept", accept)] }
        let answer = try await site.call(call).ended()
        #expect(answer.status == 200)
        try self.init(answer.text)
    }

    /// By FastCGI.
    init(at socket: String) async throws {
        let answer = try await DirectCall(to: socket, "GET", "/sluice/metrics", [("SLUICE_STATUS", "on")]).response()
        try self.init(String(try #require(answer.components(separatedBy: "\r\n\r\n").dropFirst().first)))
    }

    /// Of all samples of a name that have each of these labels.
    func sum(_ name: String, _ labels: [String] = []) -> Double {
        samples.filter { sample in sample.name == name && labels.allSatisfy(sample.labels.contains) }.reduce(0) { $0 + $1.value }
    }

    /// The values that a label has.
    func values(of label: String) -> Set<String> {
        let found = samples.compactMap { sample in
            sample.labels.firstRange(of: "\(label)=\"").map { sample.labels[$0.upperBound...] }
        }
        return Set(found.map { value in String(value.prefix { $0 != "\"" }) })
    }

    /// What metrics there are.
    var names: Set<String> {
        Set(text.split(separator: "\n").filter { $0.hasPrefix("# TYPE ") }.map { String($0.split(separator: " ")[2]) })
    }
}
