// Where something stands in the files of the settings.

/// One of the files that the settings come from.
struct SettingsFile: Equatable, Sendable {
    let path: String
    /// Zero for the one that includes the others, which follow in the order in which they are read.
    var index = 0

    /// What a path that stands in it names: a relative one begins at its directory.
    func resolved(_ path: String) -> String { path.hasPrefix("/") ? path : directory + path }

    /// The same of a pattern of paths, in which the directory's own name is no pattern.
    func resolved(pattern: String) -> String {
        if pattern.hasPrefix("/") { return pattern }
        return directory.reduce(into: "") { $0 += #"*?[\"#.contains($1) ? "\\\($1)" : "\($1)" } + pattern
    }

    /// With the slash at its end; empty for the one that the process is in.
    private var directory: Substring { path.lastIndex(of: "/").map { path[...$0] } ?? "" }
}

/// A place in a file, as messages name it: `sluice.toml:7`.
struct SettingsPlace: Equatable, Sendable, CustomStringConvertible {
    let file: SettingsFile
    /// From 1; nil when it is not known.
    var line: Int?

    var description: String { line.map { "\(file.path):\($0)" } ?? file.path }
}
