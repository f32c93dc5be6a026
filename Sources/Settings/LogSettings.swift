// What is logged, in which form, and where it goes.

package import Logging

extension Settings {
    /// Of the process. What each means, its field says, behind the values.
    package struct Log: Equatable, Sendable {
        /// How a line is written.
        package enum Format: String, CaseIterable, Sendable {
            case json, text, logfmt
        }

        /// Where lines go.
        package enum Destination: Equatable, Sendable {
            case standardError
            /// systemd's.
            case journal
            /// The daemon of syslog(3).
            case syslog
            /// A file's path.
            case file(String)
        }

        /// Of the least important lines that are written.
        package var level = Logger.Level.info
        /// Nil for what suits the destination.
        package var format: Format?
        /// Where lines go.
        package var destination = Destination.standardError
        /// How large a file gets before another one takes its place; zero for as large as it will.
        package var fileBytesMax = 0
        /// How many files from before are kept.
        package var filesCount = 3
        /// From when on a first token is late; zero for never.
        package var slow = Duration.zero

        /// The defaults, but for what is named.
        package init(
            level: Logger.Level = .info, format: Format? = nil, destination: Destination = .standardError,
            fileBytesMax: Int = 0, filesCount: Int = 3, slow: Duration = .zero
        ) {
            (self.level, self.format, self.destination, self.slow) = (level, format, destination, slow)
            (self.fileBytesMax, self.filesCount) = (fileBytesMax, filesCount)
        }
    }
}

extension Settings.Log {
    /// What levels are called.
    package static var levels: [String] { Logger.Level.allCases.map(\.rawValue) }

    /// Whether what is said of a file holds for one.
    func check(_ file: SettingsReader) {
        if case .file = destination { return }
        guard fileBytesMax > 0, let node = file.node("log")?.member("file_size") else { return }
        file.problems.add(SettingsProblem(node, "is for a log that goes to a file: set log.to = \"file:PATH\"", needsWhole: true))
    }

    static var fields: [Field<Self>] {
        [
            Field("level", \.level, .choice, "What is logged: all that is as important as this.", option: "--log-level"),
            Field(
                "format", optional: \.format, .choice,
                """
                How a line is written: "json" and "logfmt" for programs, "text" for people, in colours on a terminal where the \
                environment has no NO_COLOR.
                """,
                default: .words(#""text" on a terminal and for "journal" and "syslog", else "json""#), examples: [#""json""#],
                option: "--log-format"),
            Field(
                "to", \.destination, .destination,
                """
                Where lines go: "stderr"; "journal" for systemd's, with a field for each thing that a line tells; "syslog" for the \
                daemon at /dev/log; or "file:PATH". A file is made with mode 0640 where there is none, and opened again on SIGUSR1; a \
                relative path begins at the directory of this file.
                """),
            Field(
                "file_size", \.fileBytesMax, .size(in: 0...1 << 40),
                """
                How large the file of "file:PATH" gets: one that would get larger is called PATH.1 from then on, what was called so \
                PATH.2, and lines go to a new one. A line has up to 4 KiB, and so has a file. "0B" lets it grow, for logrotate or whoever \
                else to move it: one of the two, since each would take away what the other has kept.
                """),
            Field(
                "files", \.filesCount, .number(in: 1...100),
                "How many of these are kept beside the one that is written to: PATH.1, the newest, PATH.2 and so on."),
            Field(
                "slow", \.slow, .duration(in: .upToADay),
                """
                A warning tells where the time went when the first token of a stream takes longer than this. "0s" is for never: \
                how long is too long depends on the models, and the line of each request tells its first_token anyway.
                """),
        ]
    }
}

extension FieldKind<Settings.Log.Destination> {
    fileprivate static var destination: Self {
        FieldKind(
            form: .other(#""stderr", "journal", "syslog" or "file:PATH""#),
            read: { reader, node throws(SettingsProblem) in
                guard let destination = Settings.Log.Destination(text: try reader.text(node)) else {
                    throw SettingsProblem(node, #"must be "stderr", "journal", "syslog" or "file:" and the path of a file"#)
                }
                if case .file(let path) = destination { return .file(reader.file(path, of: node)) }
                return destination
            },
            write: { TOMLText.string($0.text) })
    }
}

extension Settings.Log.Destination {
    /// - Returns: nil for what names none.
    package init?(text: String) {
        switch text {
        case "stderr": self = .standardError
        case "journal": self = .journal
        case "syslog": self = .syslog
        default:
            let prefix = "file:"
            let path = text.dropFirst(prefix.count)
            guard text.hasPrefix(prefix), !path.isEmpty, path.last != "/" else { return nil }
            self = .file(String(path))
        }
    }

    /// As settings write it.
    package var text: String {
        switch self {
        case .standardError: "stderr"
        case .journal: "journal"
        case .syslog: "syslog"
        case .file(let path): "file:\(path)"
        }
    }
}
