// What can be wrong with a deployment, and where each is changed.

/// What is wrong, as `--json` calls it.
enum ProbeFinding: String, CaseIterable, Sendable {
    case unreachable, redirected
    case nothingBehind = "nothing_behind"
    /// A certificate that is not taken.
    case insecure
    /// A handshake that fails for another reason.
    case handshake
    /// This machine trusts nobody.
    case noAuthorities = "no_authorities"
    /// A certificate that is over soon.
    case certificate
    case plain
    case wrongScheme = "wrong_scheme"
    case unguarded
    /// Strangers are refused, but not by 401.
    case forbidden
    case tokenRefused = "token_refused"
    /// The token is known, and its caller refused nevertheless.
    case denied
    case path
    /// Requests are handed on without what Sluice knows them by.
    case parameters
    case buffered, compressed, oldHTTP = "http_1_0", closes = "closes_connections", broken = "broken_stream"
    case slow
    /// Several of the calls that are to show the time of the first token.
    case failedCalls = "failed_calls"
    case noHeartbeat = "no_heartbeat", cutInSilence = "cut_in_silence"
    case callerNotNoticed = "caller_not_noticed"
    case limits
    case body
    /// One that Sluice itself does not take.
    case ownBody = "body_limit"
    case errors
    case versions
    case noHTTP2 = "no_http_2"
    case vapiURL = "vapi_url", vapiStream = "vapi_stream", vapiTimeout = "vapi_timeout"
}

/// What may stand between Sluice and its callers, or is Sluice itself.
enum ProbeServer: String, CaseIterable, Sendable {
    case nginx, lighttpd
    case apache = "Apache"
    case caddy = "Caddy"
    case haproxy = "HAProxy"
    case cloudflare = "Cloudflare"
    case sluice = "Sluice"
}

/// A line of a server's configuration that mends a finding.
struct ProbeDirective: Equatable, Sendable {
    let server: ProbeServer
    let text: String
}

extension ProbeFinding {
    /// Where it is changed, in each server that can have it.
    ///
    /// - Parameter answering: the server that seems to answer, which comes first.
    func directives(_ answering: ProbeServer? = nil) -> [ProbeDirective] {
        let all = table.map { ProbeDirective(server: $0.0, text: $0.1) }
        return all.filter { $0.server == answering } + all.filter { $0.server != answering }
    }

    private var table: [(ProbeServer, String)] {
        switch self {
        case .unreachable, .redirected, .wrongScheme, .noAuthorities, .broken, .slow, .failedCalls, .callerNotNoticed,
            .noHeartbeat:
            behaviour
        case .nothingBehind: sluiceAddress
        case .insecure, .handshake, .certificate, .plain, .noHTTP2: security
        case .unguarded, .forbidden, .tokenRefused, .denied, .path, .parameters, .errors, .versions, .limits, .body: requests
        case .buffered, .compressed, .oldHTTP, .closes, .cutInSilence: streams
        case .ownBody: [(.sluice, #"limits.body = "8MiB""#)]
        case .vapiURL: [(.sluice, "https://HOST/v1, or https://HOST/v/TOKEN without a credential, as Vapi's model.url")]
        case .vapiStream: [(.sluice, #"errors = "json", and an upstream that streams chunks with choices"#)]
        case .vapiTimeout: [(.sluice, #"timeouts.first_token = "5s", and a second target"#)]
        }
    }

    private var behaviour: [(ProbeServer, String)] {
        switch self {
        case .slow: [(.sluice, #"timing = true tells where the time goes; warm = 2 and hedge_after = "800ms" shorten it"#)]
        case .failedCalls: [(.sluice, "its log, and sluice status, tell what fails; a second target takes over from an upstream")]
        case .noHeartbeat: [(.sluice, #"heartbeat = "10s""#)]
        case .callerNotNoticed:
            [
                (.nginx, "fastcgi_ignore_client_abort off;  ahead of it: proxy_ignore_client_abort off;"),
                (.haproxy, "option abortonclose"),
                (.sluice, #"on_disconnect = "cancel", and heartbeat = "10s" for servers that find out when they write"#),
            ]
        default: []
        }
    }

    /// Where each finds Sluice.
    private var sluiceAddress: [(ProbeServer, String)] {
        [
            (.sluice, #"systemctl status sluice, or sluice status; listen = "unix:/run/sluice/sluice.sock""#),
            (.nginx, "fastcgi_pass sluice; server unix:/run/sluice/sluice.sock;  nginx in the socket's group"),
            (.lighttpd, #"var.sluice_socket = "/run/sluice/sluice.sock"  lighttpd in the socket's group"#),
            (.apache, #"SetHandler "proxy:unix:/run/sluice/sluice.sock|fcgi://sluice/"  Apache in the socket's group"#),
            (.caddy, "reverse_proxy unix//run/sluice/sluice.sock { transport fastcgi }  Caddy in the socket's group"),
            (.haproxy, "server sluice unix@/run/sluice/sluice.sock proto fcgi  HAProxy in the socket's group"),
            (.cloudflare, "DNS → Records: the address of the machine with the web server"),
        ]
    }

    private var security: [(ProbeServer, String)] {
        switch self {
        case .insecure, .certificate:
            [
                (.nginx, "ssl_certificate FULLCHAIN.pem; ssl_certificate_key KEY.pem;  at the server_name, and nginx -s reload"),
                (.lighttpd, #"ssl.pemfile = "FULLCHAIN.pem", ssl.privkey = "KEY.pem"  and a reload"#),
                (.apache, "SSLCertificateFile FULLCHAIN.pem, SSLCertificateKeyFile KEY.pem  at the ServerName, and a reload"),
                (.caddy, "the site's name alone as its address: Caddy gets a certificate by itself"),
                (.haproxy, "crt FULLCHAIN-AND-KEY.pem  behind bind, and a reload"),
                (.cloudflare, "SSL/TLS → Edge Certificates"),
            ]
        case .handshake:
            [
                (.nginx, "ssl_protocols TLSv1.2 TLSv1.3; ssl_verify_client off;"),
                (.lighttpd, #"ssl.openssl.ssl-conf-cmd = ("MinProtocol" => "TLSv1.2"), ssl.verifyclient.activate = "disable""#),
                (.apache, "SSLProtocol -all +TLSv1.2 +TLSv1.3, SSLVerifyClient none"),
                (.caddy, "tls { protocols tls1.2 tls1.3 }  without client_auth"),
                (.haproxy, "ssl-min-ver TLSv1.2  behind bind, without verify required"),
                (.cloudflare, "SSL/TLS → Edge Certificates → Minimum TLS Version: 1.2"),
            ]
        case .noHTTP2:
            [
                (.nginx, "listen 443 ssl http2;  from 1.25.1 on: http2 on;"),
                (.lighttpd, #"server.feature-flags += ("server.h2proto" => "enable")"#), (.apache, "Protocols h2 http/1.1"),
                (.caddy, "protocols h1 h2, in servers { … }"), (.haproxy, "bind :443 ssl … alpn h2,http/1.1"),
                (.cloudflare, "Speed → Settings → Protocol optimization → HTTP/2"),
            ]
        default:
            [
                (.nginx, "listen 443 ssl; ssl_certificate FULLCHAIN.pem; ssl_certificate_key KEY.pem;"),
                (.lighttpd, #"ssl.engine = "enable", ssl.pemfile = "FULLCHAIN.pem", ssl.privkey = "KEY.pem""#),
                (.apache, "SSLEngine on, SSLCertificateFile FULLCHAIN.pem, SSLCertificateKeyFile KEY.pem"),
                (.caddy, "the site's name alone as its address: Caddy gets a certificate by itself"),
                (.haproxy, "bind :443 ssl crt FULLCHAIN-AND-KEY.pem"), (.cloudflare, "SSL/TLS → Overview → Full (strict)"),
            ]
        }
    }

    private var requests: [(ProbeServer, String)] {
        switch self {
        case .tokenRefused:
            [
                (
                    .nginx,
                    "TOKEN NAME;  in sluice.tokens, and nginx -s reload;  in one ahead of it: proxy_set_header Authorization "
                        + "$http_authorization;"
                ),
                (.lighttpd, "TOKEN NAME;  in sluice.tokens, and systemctl reload lighttpd"),
                (.apache, "TOKEN NAME;  in sluice.tokens"),
                (.caddy, "TOKEN NAME;  in sluice.tokens, and systemctl reload caddy"),
                (.haproxy, "TOKEN NAME;  in sluice.tokens, and systemctl reload haproxy"),
            ]
        case .unguarded:
            [
                (.nginx, #"if ($sluice_client = "") { return 401; }  and TOKEN NAME; in sluice.tokens"#),
                (.lighttpd, #"auth.require = ("/" => ("method" => "extern", …))  and TOKEN NAME in sluice.tokens"#),
                (.apache, "RewriteRule ^ - [R=401,L]  where SLUICE_CLIENT is empty"),
                (.caddy, "error @sluice_unknown 401"), (.haproxy, "http-request return status 401 … unless known"),
            ]
        case .forbidden:
            [
                (.nginx, #"if ($sluice_client = "") { return 401; }  in the place of deny or return 403"#),
                (.lighttpd, #"auth.require = ("/" => ("method" => "extern", …))  in the place of url.access-deny"#),
                (.apache, "RewriteRule ^ - [R=401,L]  in the place of [F] or Require"),
                (.caddy, "error @sluice_unknown 401  in the place of 403"),
                (.haproxy, "http-request return status 401 … unless known  in the place of http-request deny"),
            ]
        case .denied:
            [
                (.nginx, "allow ADDRESS;  ahead of deny all;  and no rule of a WAF (ModSecurity) for these paths"),
                (.lighttpd, #"no url.access-deny in the block of $HTTP["remoteip"] that ADDRESS is in"#),
                (.apache, "Require ip ADDRESS  besides others;  where mod_security is loaded: SecRuleRemoveById"),
                (.caddy, "not remote_ip ADDRESS  in the matcher of what responds with 403"),
                (.haproxy, "http-request deny unless { src ADDRESS }"),
                (.cloudflare, "Security → WAF: a rule that skips these paths"),
                (.sluice, "hook: it refuses with 403, unless it says otherwise"),
            ]
        case .path:
            [
                (.nginx, #"location ~ ^/v/|/(chat/completions|models|openapi\.json)/?$ { … }  ahead of other regex locations"#),
                (.lighttpd, #"$HTTP["url"] =~ "^/v/|/(chat/completions|models|openapi\.json)/?$" { … }"#),
                (.apache, #"<LocationMatch "^/v/|/(chat/completions|models|openapi\.json)/?$">"#),
                (.caddy, #"path_regexp ^/v/|/(chat/completions|models|openapi\.json)/?$"#),
                (.haproxy, #"path -m reg '^/v/|/(chat/completions|models|openapi\.json)/?$'"#),
            ]
        case .parameters:
            [
                (.nginx, "include fastcgi_params;  or the lines fastcgi_param of sluice-locations.conf"),
                (.lighttpd, #"include "sluice.conf"  with its fastcgi.server"#), (.apache, "Include sluice-locations.conf"),
                (.caddy, "import sluice_calls"), (.haproxy, "use-fcgi-app sluice  with sluice.cfg's fcgi-app"),
            ]
        case .limits:
            [
                (
                    .nginx,
                    "limit_req zone=sluice_requests burst=500 nodelay; limit_req_status 429; limit_conn_status 429;  and "
                        + "rate=100r/s in limit_req_zone"
                ),
                (.lighttpd, "server.max-connections = 4096  and no evasive.max-conns-per-ip"),
                (.apache, "ServerLimit 16, ThreadsPerChild 64, MaxRequestWorkers 1024  and no mod_evasive or mod_qos"),
                (.caddy, "rate_limit { … }: more events in its window, where there is one"),
                (.haproxy, "acl too_often sc_http_req_rate(0) gt 500  and http-request return status 429"),
                (.cloudflare, "Security → WAF → Rate limiting rules: leave these paths out"),
            ]
        case .errors:
            [
                (.nginx, "error_page 400 401 403 405 413 429 500 503 @sluice_error; error_page 502 504 =503 @sluice_error;"),
                (.lighttpd, #"server.errorfile-prefix = "/etc/lighttpd/sluice/errors/""#),
                (.apache, "Include sluice-errors.conf"), (.caddy, "handle_errors { import sluice_errors }"),
                (.haproxy, "errorfile 503 /etc/haproxy/sluice/errors/503.http"),
                (.cloudflare, "Rules → Custom errors: leave the origin's errors as they are"),
            ]
        case .versions:
            [
                (.nginx, "server_tokens off;  and fastcgi_hide_header X-Powered-By;"), (.lighttpd, #"server.tag := "lighttpd""#),
                (.apache, "ServerTokens Prod"), (.caddy, "header -X-Powered-By"),
                (.haproxy, "http-response del-header X-Powered-By"), (.cloudflare, "Transform rule: remove X-Powered-By"),
            ]
        default:
            [
                (.nginx, "client_max_body_size 8m; client_body_buffer_size 9m;"), (.lighttpd, "server.max-request-size = 8192"),
                (.apache, "LimitRequestBody 8388608"), (.caddy, "request_body { max_size 8MiB }"),
                (.haproxy, "http-request return status 413 … if { req.body_size gt 8388608 }"),
                (.sluice, #"limits.body = "8MiB""#),
            ]
        }
    }

    private var streams: [(ProbeServer, String)] {
        switch self {
        case .buffered:
            [
                (.nginx, "fastcgi_buffering off;  in one ahead of it: proxy_buffering off;"),
                (.lighttpd, "server.stream-response-body = 2"), (.apache, "ProxySet flushpackets=on"),
                (.caddy, "flush_interval -1"), (.haproxy, "option http-no-delay"),
                (.cloudflare, "Response Buffering off (Configuration rule), or DNS only for this name"),
            ]
        case .compressed:
            [
                (.nginx, "gzip off;  where its module is loaded: brotli off;"), (.lighttpd, "deflate.mimetypes = ()"),
                (.apache, "SetEnv no-gzip, SetEnv no-brotli"),
                (.caddy, "request_header @sluice -Accept-Encoding"), (.haproxy, "http-request del-header Accept-Encoding"),
                (.cloudflare, "Compression rule for these paths: disable compression"),
            ]
        case .oldHTTP:
            [
                (.nginx, "proxy_http_version 1.1;  where another nginx asks it"),
                (.lighttpd, #"server.protocol-http11 = "enable""#),
                (.apache, "no SetEnv force-response-1.0 or downgrade-1.0"),
            ]
        case .closes:
            [
                (.nginx, "keepalive_timeout 5m;"), (.lighttpd, "server.max-keep-alive-idle = 300"),
                (.apache, "KeepAlive On, KeepAliveTimeout 300"), (.caddy, "keepalive, and idle 5m in servers { timeouts { … } }"),
                (.haproxy, "option http-keep-alive, timeout http-keep-alive 5m"),
            ]
        default:
            [
                (.nginx, "fastcgi_read_timeout 11m;  in one ahead of it: proxy_read_timeout 11m;"),
                (.lighttpd, #""read-timeout" => 660, server.max-write-idle = 660"#), (.apache, "ProxySet timeout=660"),
                (.caddy, "transport fastcgi { read_timeout 11m }"), (.haproxy, "timeout server 11m, timeout client 11m"),
                (.cloudflare, #"it waits for 100 s: heartbeat = "10s" in Sluice"#), (.sluice, #"heartbeat = "10s""#),
            ]
        }
    }
}
