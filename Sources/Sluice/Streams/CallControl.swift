// The platform's own way to say something in a call (`filler.by = "control"`).

import Chat
import HTTPClient
import Logging
import Settings

/// Has a call's platform say sentences: Vapi says what is posted to the URL that its requests bring as `call.monitor.controlUrl`.
///
/// Nobody waits for that, and what becomes of it changes nothing but the log. The URL comes from outside and is a secret: it is asked only
/// where the settings allow its host, and nothing is told of it but by what they do.
final class CallControl {
    /// How many may be asked at once by one worker: each takes a connection, or a part of one.
    static let atOnceMax = 64
    /// Connections to more hosts are kept only as long as they are in use.
    private static let hostsMax = 16
    private static let paths = RequestPaths([RequestPath("call.monitor.controlUrl")].compactMap(\.self))
    private static let fields = CommonFields([("Content-Type", "application/json"), ("Accept", "application/json")])

    private let connections: UpstreamConnections
    private let logger: Logger
    /// How many are being asked.
    private var count = 0

    init(_ connections: UpstreamConnections, _ logger: Logger) { (self.connections, self.logger) = (connections, logger) }

    /// Whether its connections are of this session, and made by these options.
    func isOf(_ session: Session, _ options: ConnectionOptions) -> Bool {
        connections.session === session && connections.options === options
    }

    /// Asks the call's platform to say a text. It outlives the request that it is for.
    ///
    /// - Parameter posts: counts that, and its failure.
    /// - Returns: whether it is asked. It is not where the request has no URL for that, nor one that is allowed.
    func say(_ text: String, in question: Question, by settings: FillerSettings, _ posts: FillerPosts) -> Bool {
        guard let url = Self.paths.texts(in: question.chat).first ?? nil else { return false }
        let (id, route) = (question.caller.id, question.route.label)
        let (host, name): (AllowedHost, String)
        do throws(HTTPRequest.URLRefusal) {
            (host, name) = try HTTPRequest.allowedHost(ofForeign: url, among: settings.hosts)
        } catch {
            logger.fillerNotPosted("\(error)", id, route: route, host: nil)
            return false
        }
        guard count < Self.atOnceMax else {
            logger.fillerNotPosted("\(Self.atOnceMax) are being asked already", id, route: route, host: host)
            return false
        }
        connections.session.forgetUnused(of: connections.options, above: Self.hostsMax)
        let request = HTTPRequest(
            .post, url, common: Self.fields, body: Self.body(saying: text), connectTimeout: settings.timeout,
            totalTimeout: settings.timeout, options: connections.options)
        count += 1
        do throws(HTTPError) {
            _ = try connections.session.start(request) { [self] result in
                count -= 1
                guard let reason = Self.reason(of: result, host: name) else { return }
                posts.hasFailed()
                logger.fillerNotPosted(reason, id, route: route, host: host)
            }
        } catch {
            count -= 1
            logger.fillerNotPosted(Self.words(error, host: name), id, route: route, host: host)
            return false
        }
        posts.hasAsked()
        return true
    }

    private static func body(saying text: String) -> [UInt8] {
        var body = Array(#"{"type":"say","content":"#.utf8)
        body.appendJSONString(text)
        body.append(UInt8(ascii: "}"))
        return body
    }

    /// Why it was not said, as far as anybody has to know. A redirect is not followed.
    private static func reason(of result: Result<Int, HTTPError>, host: String) -> String? {
        switch result {
        case .success(let status): (200..<300).contains(status) ? nil : "status \(status)"
        // The process ends.
        case .failure(.cancelled): nil
        case .failure(let error): words(error, host: host)
        }
    }

    /// Without the host, which is the caller's own word below a name that is allowed.
    static func words(_ error: HTTPError, host: String) -> String {
        let words = "\(error)"
        guard words.utf8.contains(host.utf8) else { return words }
        return switch error {
        case .cannotResolve: "cannot resolve the host's name"
        case .tls: "TLS: the certificate is for another name than the host's"
        default: "no connection to the host"
        }
    }
}
