// Which metrics there are. `docs/operating.md` has a row for each, and a test compares them.

import Settings

/// A family of metrics, with a series for each set of its labels' values.
enum Metric: Int, CaseIterable, Sendable {
    case operationDuration, timeToFirstChunk, timePerOutputChunk, tokenUsage
    case requests, clientRequests, clientTokens, callersLeft, fillers, fillersFailed, firstTokenAdded
    case attempts, retries, hedges, rests, queueWait
    case connectionsAccepted, connectionsRefused, logLinesDropped, traceSpans, processStarts, startTime
    case activeRequests, openStreams, upstreamOpen, upstreamQueued, targetsResting
    case memoryUsed, memoryLimit, residentMemory, openDescriptors, descriptorsLimit
    case info
    /// No metrics: who has answered for each model that is asked for, and the clients that have a series of their own.
    case knownModels, knownClients

    enum Kind: Equatable, Sendable {
        case counter, gauge
        case histogram(MetricBuckets)
    }

    /// What there is to know of it, but for its values.
    struct Description: Sendable {
        /// Without the `_total` of a counter.
        let name: String
        let kind: Kind
        /// Those that have a value in each series.
        let labels: [String]
        /// How many series there may be, whatever others have: what is beyond is counted as `(others)`.
        let seriesMax: Int
        let help: String

        fileprivate init(_ name: String, _ kind: Kind, _ labels: [String], atMost seriesMax: Int = 1, _ help: String) {
            (self.name, self.kind, self.labels, self.seriesMax, self.help) = (name, kind, labels, seriesMax, help)
        }

        /// As its samples have it.
        var sampleName: String { kind == .counter ? name + "_total" : name }
    }

    /// Those that are told of.
    static let shown = allCases.filter { $0 != .knownModels && $0 != .knownClients }

    /// What stands ahead of the labels in each series.
    var constantLabels: String { Self.ofOperations.contains(self) ? #"gen_ai_operation_name="chat""# : "" }

    private static let ofOperations: [Metric] = [.operationDuration, .timeToFirstChunk, .timePerOutputChunk, .tokenUsage]

    var description: Description { Self.descriptions[rawValue] }

    private static let descriptions = allCases.map(\.made)

    private static let operation = ["gen_ai_provider_name", "gen_ai_request_model", "gen_ai_response_model"]
    private static let target = ["route", "upstream", "model"]
    /// As many as settings may have, and each has a series for good: its place is its label.
    private static let processesMax = Settings.processesRange.upperBound
    /// Settings may have more, which have a sum.
    private static let upstreamsMax = 100

    /// OpenTelemetry's names of what a client of models measures, as Prometheus writes them, and Sluice's own.
    private var made: Description {
        switch self {
        case .operationDuration:
            Description(
                "gen_ai_client_operation_duration_seconds", .histogram(.seconds), Self.operation + ["error_type"], atMost: 300,
                "How long attempts at upstreams took, to the end of the answer.")
        case .timeToFirstChunk:
            Description(
                "gen_ai_client_operation_time_to_first_chunk_seconds", .histogram(.seconds), Self.operation, atMost: 150,
                "From the start of the attempt that answered to its first useful token, of streams.")
        case .timePerOutputChunk:
            Description(
                "gen_ai_client_operation_time_per_output_chunk_seconds", .histogram(.seconds), Self.operation, atMost: 150,
                "From one event of a stream to the next, counted when the stream ends.")
        case .tokenUsage:
            Description(
                "gen_ai_client_token_usage", .histogram(.tokens), Self.operation + ["gen_ai_token_type"], atMost: 300,
                "Tokens of requests and answers, as upstreams tell them.")
        case .requests:
            // More than there are words for it.
            Description("sluice_requests", .counter, ["ending"], atMost: 150, "Requests that are over, by how they ended.")
        case .clientRequests:
            Description(
                "sluice_client_requests", .counter, ["client"], atMost: 100, "The same by clients, where metrics.clients is set.")
        case .clientTokens:
            Description(
                "sluice_client_tokens", .counter, ["client", "gen_ai_token_type"], atMost: 200,
                "Tokens of clients, where metrics.clients is set.")
        case .callersLeft:
            Description("sluice_callers_left", .counter, ["phase"], atMost: 20, "Callers who hung up, by what was going on.")
        case .fillers:
            Description(
                "sluice_fillers", .counter, ["speaker"], atMost: 10,
                "Sentences for callers while the model was silent, by who said them: the stream, or the call's platform (control)."
            )
        case .fillersFailed:
            Description(
                "sluice_fillers_failed", .counter, [], "Sentences that the call's platform was asked to say and did not take.")
        case .firstTokenAdded:
            Description(
                "sluice_first_token_added_seconds", .histogram(.seconds), [],
                "What Sluice itself added to the first token: neither the upstream's time nor its queue.")
        case .attempts:
            Description(
                "sluice_upstream_attempts", .counter, Self.target + ["outcome"], atMost: 1000,
                "Attempts at targets, by what came of them until the first token.")
        case .retries:
            Description(
                "sluice_retries", .counter, ["upstream", "reason"], atMost: 2 * Self.upstreamsMax,
                "Attempts after the first one of a request, on the same target or on another.")
        case .hedges:
            Description("sluice_hedges", .counter, ["outcome"], atMost: 20, "Attempts beside another one that was late.")
        case .rests: Description("sluice_target_rests", .counter, Self.target, atMost: 100, "How often targets went to rest.")
        case .queueWait:
            Description(
                "sluice_queue_wait_seconds", .histogram(.seconds), ["upstream"], atMost: Self.upstreamsMax,
                "How long requests waited for a place at an upstream, of those that waited.")
        case .connectionsAccepted: Description("sluice_connections_accepted", .counter, [], "FastCGI connections of web servers.")
        case .connectionsRefused:
            Description(
                "sluice_connections_refused", .counter, [], "FastCGI connections that were closed as not permitted or broken.")
        case .logLinesDropped: Description("sluice_log_lines_dropped", .counter, [], "Log lines for which the queue had no room.")
        case .traceSpans:
            Description(
                "sluice_trace_spans", .counter, ["outcome"], atMost: 2,
                "Spans of traces, by whether the collector has taken them (sent) or not (dropped).")
        case .processStarts: Description("sluice_process_starts", .counter, [], "Processes that were started to serve.")
        case .startTime: Description("sluice_start_time_seconds", .gauge, [], "When Sluice was started, in seconds since 1970.")
        case .activeRequests:
            Description(
                "sluice_active_requests", .gauge, ["process"], atMost: Self.processesMax, "Requests that are being answered.")
        case .openStreams:
            Description(
                "sluice_open_streams", .gauge, ["process"], atMost: Self.processesMax, "Streams whose first token has come.")
        case .upstreamOpen:
            Description(
                "sluice_upstream_open_requests", .gauge, ["upstream"], atMost: Self.upstreamsMax,
                "Attempts and answers with a place.")
        case .upstreamQueued:
            Description(
                "sluice_upstream_queued_requests", .gauge, ["upstream"], atMost: Self.upstreamsMax,
                "Requests that wait for a place.")
        case .targetsResting:
            Description("sluice_targets_resting", .gauge, ["process"], atMost: Self.processesMax, "Targets that rest.")
        case .memoryUsed:
            Description(
                "sluice_memory_used_bytes", .gauge, ["process"], atMost: Self.processesMax, "What is taken of limits.memory.")
        case .memoryLimit:
            Description("sluice_memory_limit_bytes", .gauge, ["process"], atMost: Self.processesMax, "What limits.memory allows.")
        case .residentMemory:
            Description(
                "sluice_resident_memory_bytes", .gauge, ["process"], atMost: Self.processesMax, "The memory of the process.")
        case .openDescriptors:
            Description("sluice_open_descriptors", .gauge, ["process"], atMost: Self.processesMax, "Descriptors that are open.")
        case .descriptorsLimit:
            Description(
                "sluice_descriptors_limit", .gauge, ["process"], atMost: Self.processesMax, "How many descriptors may be open.")
        case .info: Description("sluice_build_info", .gauge, ["version"], atMost: 10, "1, and the version as a label.")
        case .knownModels: Description("", .counter, ["gen_ai_provider_name", "gen_ai_request_model"], atMost: 100, "")
        case .knownClients: Description("", .counter, ["client"], atMost: 100, "")
        }
    }
}

/// The bounds of a histogram's buckets.
enum MetricBuckets: Equatable, Sendable {
    /// From 5 ms to a minute, close to each other where a caller on the phone begins to wonder. Values are nanoseconds.
    case seconds
    /// Those that OpenTelemetry wants.
    case tokens

    /// What a row has room for, with the one without a bound.
    static let countMax = 18

    private static let milliseconds: [UInt64] = [
        5, 10, 25, 50, 100, 200, 300, 500, 750, 1_000, 1_500, 2_500, 5_000, 10_000, 20_000, 30_000, 60_000,
    ]
    private static let nanoseconds = milliseconds.map { $0 * 1_000_000 }
    private static let tokenCounts: [UInt64] = (0..<14).map { 1 << (2 * $0) }

    /// But for the last one, which has none.
    var bounds: [UInt64] {
        switch self {
        case .seconds: Self.nanoseconds
        case .tokens: Self.tokenCounts
        }
    }

    /// The bucket that a value belongs to: the first whose bound it is not above.
    func index(of value: UInt64) -> Int {
        let bounds = bounds
        return bounds.firstIndex { value <= $0 } ?? bounds.count
    }
}
