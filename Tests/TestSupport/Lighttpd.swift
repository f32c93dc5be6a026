// How lighttpd is configured and started.

import Foundation

/// lighttpd with the files of `deploy/lighttpd/`, beside a plain listener with the same conditions.
func lighttpdConfiguration(_ settings: ServerSettings) throws -> ServerConfiguration {
    let directory = settings.directory
    let site = [
        Change("/etc/lighttpd/sluice", to: directory.path),
        Change("/run/sluice/sluice.sock", to: settings.socket),
        Change("/var/log/lighttpd/sluice.log", to: directory.path("access.log")),
        Change("/dev/shm", to: directory.path),
        Change("\":443\"", to: "\"127.0.0.1:\(settings.securePort)\""),
    ]
    try install(["sluice.conf", "tokens.awk"], from: "deploy/lighttpd", site + settings.changes, in: directory)
    try FileManager.default.copyItem(atPath: "\(repository)/deploy/lighttpd/errors", toPath: directory.path("errors"))
    try settings.writeTokens()
    let file = try directory.write(
        """
        server.document-root = "\(directory.path)"
        server.bind = "127.0.0.1"
        server.port = \(settings.plainPort)
        server.max-keep-alive-idle = 300
        include "sluice.conf"

        """, to: "lighttpd.conf")
    // By its whole path, as Debian's service starts it: a reload starts it by that again.
    return ServerConfiguration(program: "/usr/sbin/lighttpd", arguments: ["-D", "-f", file])
}
