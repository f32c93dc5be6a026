/// lighttpd with the files of `deploy/lighttpd/`.
func lighttpdConfiguration(_ settings: ServerSettings) throws -> ServerConfiguration {
    fatalError("waits for deploy/lighttpd")
}
