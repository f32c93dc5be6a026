// Whom traces are sent to, and of how many requests: `traces`.

/// A collector of OpenTelemetry's, which is sent what requests have come to.
package struct TraceSettings: Equatable, Sendable {
    /// `http`, `https` or `unix`, whole.
    package var endpoint = ""
    /// Who sends them: `service.name`.
    package var service = "sluice"
    /// Of the requests for which no caller has decided it.
    package var sample = SampledShare.all
    /// Further header fields of what is sent.
    package var headers: [UpstreamSettings.Header] = []

    package init() {}
}

/// A share of requests, to the millionth.
package struct SampledShare: Equatable, Sendable {
    private static let whole = 1_000_000
    package static let all = SampledShare(millionths: whole)

    private let millionths: Int

    private init(millionths: Int) { self.millionths = millionths }

    /// A percentage, with up to four digits behind its point: `1%`, `0.5%`.
    package init?(setting text: String) {
        guard text.hasSuffix("%") else { return nil }
        let parts = text.dropLast().split(separator: ".", maxSplits: 1, omittingEmptySubsequences: false)
        let fraction = parts.count > 1 ? parts[1] : "0"
        guard (1...3).contains(parts[0].utf8.count), (1...4).contains(fraction.utf8.count),
            (parts[0] + fraction).utf8.allSatisfy({ $0 &- UInt8(ascii: "0") < 10 }), let percent = Int(parts[0]),
            let rest = Int(fraction + String(repeating: "0", count: 4 - fraction.utf8.count))
        else { return nil }
        let millionths = 10_000 * percent + rest
        guard millionths <= Self.whole else { return nil }
        self.millionths = millionths
    }

    /// - Parameter number: from 0 to 1. One that is not 0, and less than a millionth, would be none.
    package init?(_ number: Double) {
        guard (0...1).contains(number) else { return nil }
        millionths = Int((number * Double(Self.whole)).rounded())
        guard millionths > 0 || number == 0 else { return nil }
    }

    /// As settings write it.
    package var setting: String {
        var fraction = String(millionths % 10_000 + 10_000).dropFirst()
        while fraction.last == "0" { fraction.removeLast() }
        return "\(millionths / 10_000)\(fraction.isEmpty ? "" : ".")\(fraction)%"
    }

    /// Whether the request that has drawn this number is one of them.
    ///
    /// - Parameter random: any of 64 bits.
    package func takes(_ random: UInt64) -> Bool { random % UInt64(Self.whole) < UInt64(millionths) }
}

extension TraceSettings {
    static var fields: [Field<TraceSettings>] {
        [
            Field(
                "endpoint", \.endpoint, .traceURL,
                """
                Where a collector takes traces by OTLP over HTTP, as JSON: its whole URL, http, https or a unix socket, mostly with \
                /v1/traces at its end. Connections are kept, and made as to an upstream, with authorities_file and the environment's \
                proxies.
                """,
                default: .required, examples: [#""http://127.0.0.1:4318/v1/traces""#]),
            Field(
                "service", \.service, .serviceName,
                "The name by which the collector knows this server, service.name: at most 255 bytes.",
                default: .value(TOMLText.string(TraceSettings().service))),
            Field(
                "sample", \.sample, .sampledShare,
                """
                How many of the requests get a trace whose caller has not decided it: a percentage with up to four digits behind its point, \
                or a number from 0 to 1. A traceparent that says sampled is followed in any case, and one that does not gets no trace.
                """,
                default: .value(TOMLText.string(TraceSettings().sample.setting))),
            Field(
                "headers", .other("a table of text"),
                "Further headers of what is sent there, within the limits of an upstream's.",
                default: .nothing, examples: [#"{X-Tenant = "north"}"#],
                read: { reader, node, traces in traces.headers = reader.headers(node, of: nil) },
                write: { TOMLText.table($0.headers.map { ($0.name, TOMLText.mask) }) }),
        ]
    }
}

extension Settings {
    static var tracesField: Field<Settings> {
        let fields = TraceSettings.fields
        return Field(
            "traces", .table,
            """
            A collector of OpenTelemetry's that gets a trace of requests: a span for each request and for each attempt at an upstream, \
            without a word of what is said. Nobody waits for it; what it does not take in time is dropped and counted.
            """,
            default: .nothing, examples: [#"{endpoint = "http://127.0.0.1:4318/v1/traces", sample = "1%"}"#],
            members: fields.map(\.description),
            read: { reader, node, settings in
                guard let table = reader.table(node, keys: fields.map(\.key)) else { return }
                var traces = TraceSettings()
                table.take(fields, into: &traces)
                if table.node("endpoint") == nil { table.problem("needs endpoint: where traces go") }
                // An address that is none has its problem by now.
                if !traces.endpoint.isEmpty { settings.traces = traces }
            },
            write: { settings in settings.traces.map { TOMLText.table(fields.members(of: $0)) } })
    }

    /// Whether connections to the collector are encrypted.
    package var tracesUseTLS: Bool { traces?.endpoint.hasPrefix("https://") ?? false }
}

extension FieldKind<String> {
    /// Whole, as it is; without its path where it is shown.
    fileprivate static var traceURL: Self {
        FieldKind(
            form: .other("a URL"), read: { reader, node throws(SettingsProblem) in try reader.traceURL(node) },
            write: { TOMLText.string(UpstreamSettings.withoutPath($0)) })
    }

    fileprivate static var serviceName: Self {
        FieldKind(
            form: .text,
            read: { reader, node throws(SettingsProblem) in
                let name = try reader.text(node)
                guard name.utf8.count <= 255, name.utf8.allSatisfy({ $0 >= 0x20 && $0 != 0x7F }) else {
                    throw SettingsProblem(node, "must be a name of at most 255 bytes, without control characters")
                }
                return name
            }, write: TOMLText.string)
    }
}

extension FieldKind<SampledShare> {
    fileprivate static var sampledShare: Self {
        FieldKind(
            form: .other(#"a percentage from "0%" to "100%", or a number from 0 to 1"#),
            read: { reader, node throws(SettingsProblem) in
                let share: SampledShare? =
                    switch node.value {
                    case .integer(let number): SampledShare(Double(number))
                    case .number(let number): SampledShare(number)
                    case .string: SampledShare(setting: try reader.text(node))
                    default: nil
                    }
                guard let share else {
                    throw SettingsProblem(node, #"must be a percentage, as "1%" or "0.5%", or a number from 0 to 1"#)
                }
                return share
            }, write: { TOMLText.string($0.setting) })
    }
}

extension SettingsReader {
    fileprivate func traceURL(_ node: SettingsNode) throws(SettingsProblem) -> String {
        let text = try text(node)
        let url: String
        do throws(UpstreamURLError) { url = try UpstreamSettings.checkedURL(text, isBase: false) } catch {
            switch error {
            case .notHTTP:
                throw SettingsProblem(
                    node, "must be a URL like http://127.0.0.1:4318/v1/traces or unix:/run/otel.sock:/v1/traces")
            case .userinfo: throw SettingsProblem(node, "must not hold a user name or password; headers may say who sends")
            default: throw SettingsProblem(node, error.description)
            }
        }
        // A collector takes other things too, each at a path of its own.
        let path =
            url.hasPrefix(UpstreamSettings.socketScheme)
            ? url.dropFirst(UpstreamSettings.socketScheme.count).drop { $0 != ":" }.dropFirst()
            : url.drop { $0 != "/" }.dropFirst(2).drop { $0 != "/" }
        guard path.count > 1 else {
            throw SettingsProblem(node, "must be whole, with its path, as http://127.0.0.1:4318/v1/traces")
        }
        return url
    }
}
