// A report for people, and for machines. What a server said itself reaches no terminal as it is.

import Chat
import Settings

extension ProbeReport {
    /// What is shown on a terminal, or piped.
    ///
    /// - Parameter isColoured: whether verdicts have colours, as on a terminal.
    func text(isColoured: Bool) -> String {
        var lines = [visible(model.map { "\(url), by the model \($0.clipped)" } ?? url), ""]
        let width = checks.map(\.name.rawValue.utf8.count).max() ?? 0
        var summedUp: Set<ProbeCheck.Name> = []
        for check in checks where !summedUp.contains(check.name) {
            let word = check.verdict.word
            let colour = isColoured ? check.verdict.colour : nil
            let shown = colour.map { "\u{1B}[\($0)m\(word)\u{1B}[0m" } ?? word
            let alike = unknownLike(check)
            summedUp.formUnion(alike)
            let name = alike.count > 1 ? "\(alike.count) checks" : check.name.rawValue
            let evidence =
                alike.count > 1 ? "\(alike.map(\.rawValue).joined(separator: ", ")): \(check.evidence)" : check.evidence
            lines.append(shown + spaces(9 - word.utf8.count) + name + spaces(width + 2 - name.utf8.count) + visible(evidence))
            for directive in directives(of: check) {
                let server = directive.server.rawValue
                lines.append(spaces(width + 11) + server + spaces(12 - server.utf8.count) + directive.text)
            }
        }
        return (lines + ["", summary]).joined(separator: "\n")
    }

    /// The checks that are not known for the same reason, this one among them; none where it is known.
    private func unknownLike(_ check: ProbeCheck) -> [ProbeCheck.Name] {
        guard check.verdict == .unknown else { return [] }
        return checks.filter { $0.verdict == .unknown && $0.evidence.hasSameBytes(as: check.evidence) }.map(\.name)
    }

    private func directives(of check: ProbeCheck) -> [ProbeDirective] {
        if case .finding(let finding) = check.verdict { finding.directives(answering) } else { [] }
    }

    private var summary: String {
        let findings = checks.count { $0.verdict.severity == .finding }
        let passed = checks.count { $0.verdict == .pass }
        let unknown = checks.count - findings - passed
        let sum = "\(passed) passed, \(findings) \(findings == 1 ? "finding" : "findings"), \(unknown) not known"
        guard model?.hasSameBytes(as: Settings.probeModel) ?? false else { return sum }
        return sum + "\nNo model of your own was asked, and no upstream: --model NAME asks one"
    }

    private func spaces(_ count: Int) -> String { String(repeating: " ", count: max(1, count)) }

    private func visible(_ text: String) -> String { Self.visible(text, without: secrets) }

    /// Without what moves a terminal, and without a token that a server has said again.
    static func visible(_ text: String, without secrets: [[UInt8]]) -> String {
        var bytes: [UInt8] = []
        bytes.appendVisible(ProbeTarget.masking(secrets, in: text))
        return String(decoding: bytes, as: UTF8.self)
    }

    /// One object in one line.
    var json: String {
        var writer = StatusWriter()
        writer.object {
            $0.member("url", visible(url))
            $0.member("model", model.map { visible($0.clipped) })
            $0.member("obstacle", obstacle?.rawValue)
            $0.array("checks", checks) { writer, check in
                writer.object {
                    $0.member("check", check.name.rawValue)
                    $0.member("verdict", check.verdict.key)
                    $0.member("finding", check.verdict.finding?.rawValue)
                    $0.member("evidence", visible(check.evidence))
                    $0.array("directives", directives(of: check)) { writer, directive in
                        writer.object {
                            $0.member("server", directive.server.rawValue)
                            $0.member("directive", directive.text)
                        }
                    }
                }
            }
        }
        return String(decoding: writer.bytes, as: UTF8.self)
    }
}

extension ProbeCheck.Verdict {
    var finding: ProbeFinding? { if case .finding(let finding) = self { finding } else { nil } }

    fileprivate var word: String {
        switch self {
        case .pass: "PASS"
        case .finding: "FINDING"
        case .unknown: "?"
        }
    }

    fileprivate var key: String {
        switch self {
        case .pass: "pass"
        case .finding: "finding"
        case .unknown: "unknown"
        }
    }

    /// As terminals number them.
    fileprivate var colour: Int {
        switch self {
        case .pass: 32
        case .finding: 31
        case .unknown: 33
        }
    }
}
