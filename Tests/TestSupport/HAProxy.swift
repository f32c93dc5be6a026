// How HAProxy is configured and started.

import Foundation

/// HAProxy with the files of `deploy/haproxy/`, beside a plain listener with the same rules.
func haproxyConfiguration(_ settings: ServerSettings) throws -> ServerConfiguration {
    let directory = settings.directory
    let listener = "bind :443 ssl"
    let site = [
        Change("/run/sluice/sluice.sock", to: settings.socket),
        Change("/etc/haproxy/sluice/", to: "\(directory.path)/"),
        Change(listener, to: "bind 127.0.0.1:\(settings.plainPort)\n    bind 127.0.0.1:\(settings.securePort) ssl"),
    ]
    try install(["sluice.cfg"], from: "deploy/haproxy", site + settings.changes, in: directory)
    try FileManager.default.copyItem(atPath: "\(repository)/deploy/haproxy/errors", toPath: directory.path("errors"))
    try directory.write(try directory.read("sluice.crt") + directory.read("sluice.key"), to: "sluice.pem")
    try settings.writeTokens()
    let global = try directory.write("global\n    log stderr format raw local0\n    maxconn 4000\n", to: "haproxy.cfg")
    return ServerConfiguration(program: "haproxy", arguments: ["-W", "-f", global, "-f", directory.path("sluice.cfg")])
}
