// How Caddy is configured and started.

/// Caddy with the file of `deploy/caddy/`, beside a plain listener with the same rules.
func caddyConfiguration(_ settings: ServerSettings) throws -> ServerConfiguration {
    let directory = settings.directory
    let site = [
        Change("/run/sluice/sluice.sock", to: settings.socket),
        Change("/var/log/caddy/sluice.log", to: directory.path("access.log")),
        Change("sluice.example.com {", to: "https://localhost:\(settings.securePort) {\n\tbind 127.0.0.1"),
        Change(
            "# tls /etc/caddy/sluice.crt /etc/caddy/sluice.key",
            to: "tls \(directory.path("sluice.crt")) \(directory.path("sluice.key")) #"),
    ]
    try install(["sluice.caddy", "sluice-options.caddy"], from: "deploy/caddy", site + settings.changes, in: directory)
    try settings.writeTokens()
    let file = try directory.write(
        """
        {
        \tadmin unix/\(directory.path("admin.sock"))
        \tauto_https disable_redirects
        \tskip_install_trust
        \timport sluice-options.caddy
        }
        import sluice.caddy
        http://:\(settings.plainPort) {
        \tbind 127.0.0.1
        \timport sluice
        }

        """, to: "Caddyfile")
    return ServerConfiguration(
        program: "caddy", arguments: ["run", "--config", file],
        environment: ["XDG_DATA_HOME": directory.path("data"), "XDG_CONFIG_HOME": directory.path("config")])
}

/// Has Caddy read its configuration again.
func reloadCaddy(in directory: TemporaryDirectory) async throws {
    let address = "unix/\(directory.path("admin.sock"))"
    try await ChildProcess.run(
        "caddy", ["reload", "--force", "--config", directory.path("Caddyfile"), "--address", address], in: directory)
}
