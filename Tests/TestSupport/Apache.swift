// How Apache is configured and started.

import Foundation

/// Apache with the files of `deploy/apache/`, beside a plain listener with the same rules.
func apacheConfiguration(_ settings: ServerSettings) throws -> ServerConfiguration {
    let directory = settings.directory
    let site = [
        Change("/run/sluice/sluice.sock", to: settings.socket),
        Change("/etc/apache2/sluice", to: directory.path("sluice")),
        Change("*:443", to: "127.0.0.1:\(settings.securePort)"),
    ]
    try install(
        ["sluice.conf", "sluice-locations.conf", "sluice-errors.conf"], from: "deploy/apache", site + settings.changes,
        in: directory)
    try settings.writeTokens()
    var modules = ["ssl", "http2", "socache_shmcb", "reqtimeout"]
    if let starter = settings.starter {
        modules.append("fcgid")
        try install(
            ["sluice-fcgid.conf"], from: "deploy/apache", [Change("/usr/local/lib/sluice/start", to: directory.path(starter))],
            in: directory)
        let locations = "\n    Include sluice-locations.conf\n"
        let server = try directory.read("sluice.conf")
        try directory.write(server.replacing(locations, with: "\(locations)    Include sluice-fcgid.conf\n"), to: "sluice.conf")
    }
    let plain = try directory.read("sluice.conf").split(separator: "\n", omittingEmptySubsequences: false)
        .filter { !$0.contains("SSL") && !$0.contains("Protocols ") }.joined(separator: "\n")
        .replacing("127.0.0.1:\(settings.securePort)", with: "127.0.0.1:\(settings.plainPort)")
    try directory.write(plain, to: "plain.conf")
    return try apache(
        modules,
        """
        \(settings.starter == nil ? "" : "FcgidIPCDir \(directory.path("fcgid"))\nFcgidProcessTableFile \(directory.path("processes"))")
        Listen 127.0.0.1:\(settings.securePort)
        Listen 127.0.0.1:\(settings.plainPort)
        Include sluice.conf
        Include plain.conf
        """, in: directory)
}

/// Apache with a top level of the tests' own, which keeps every file that it writes in the test's directory.
func apache(_ modules: [String], _ content: String, in directory: TemporaryDirectory) throws -> ServerConfiguration {
    let all =
        ["mpm_event", "authz_core", "authz_host", "env", "setenvif", "rewrite", "headers", "proxy", "proxy_fcgi"] + modules
    // Its workers cannot be root; by their group they may connect to Sluice.
    let user = getuid() == 0 ? "User nobody\nGroup root" : ""
    let file = try directory.write(
        """
        ServerRoot \(directory.path)
        DefaultRuntimeDir \(directory.path)
        PidFile httpd.pid
        Define APACHE_LOG_DIR \(directory.path)
        ErrorLog /dev/stderr
        ServerName localhost
        \(user)
        \(all.map { "LoadModule \($0)_module /usr/lib/apache2/modules/mod_\($0).so" }.joined(separator: "\n"))
        Mutex pthread
        StartServers 1
        ServerLimit 20
        ThreadsPerChild 64
        MinSpareThreads 1
        MaxSpareThreads 1280
        MaxRequestWorkers 1280
        \(content)

        """, to: "httpd.conf")
    return ServerConfiguration(program: "apache2", arguments: ["-DFOREGROUND", "-f", file])
}
