// Makes `docs/settings.md`.

@testable import Settings

/// `docs/settings.md`: what each key takes, what holds without it, and what it means.
struct SettingsReference {
    private(set) var text = #"""
        # Settings

        This page and [`deploy/sluice.toml`](../deploy/sluice.toml), the same as a file to begin with, are made of the fields in
        `Sources/Settings`. A test fails when they differ, and says how they are made anew.

        CONTENTS

        ## Where settings come from

        The command line goes over the settings file, the file over the environment, and all of them over the defaults. The file is
        the one that `--config FILE` names; without that `/etc/sluice/sluice.toml`, and where there is none `sluice.toml` beside the program.
        Without a file the environment is enough. It is [TOML](https://toml.io), at most 1 MiB of it, and read at the start and at each reload.
        It may [include](#included-files) others.

            sluice check                tells all that is wrong, each with its line, or that the settings are good
            sluice check --show         prints what is in force, defaults included, as a settings file without secrets

        | environment | command line | sets |
        |---|---|---|

        """#

    private static let values = #"""

        `OPENAI_API_KEY` and `OPENAI_BASE_URL` count where the file has no upstream; `--upstream` goes before all upstreams and models of
        the file, and takes its key from `OPENAI_API_KEY`. Without a key, a URL and an upstream, `demo` answers. `HTTPS_PROXY` and its kin
        tell the proxy of each upstream that names none.

        ## How values are written

        A key belongs to the table that stands last above it. What holds for all stands before the first [table]; the same key below
        `[[models]]` or `[upstreams.NAME]` holds for that one alone, or is unknown there.

        | | |
        |---|---|
        | text | `"…"`, not empty. `"${NAME}"` takes a variable of the environment, which must be set and not empty; `$${` stands for `${` |
        | a duration | a whole number with a unit, `ms`, `s`, `m` or `h`: `"800ms"`, `"10m"` |
        | a size | a whole number with a unit, `B`, `KiB`, `MiB` or `GiB`: `"64KiB"` |
        | a share | a whole percentage: `"20%"` |
        | the path of a file | text; a relative path begins at the directory of the settings file that it stands in. `"credential:NAME"` is a [credential of systemd](operating.md#keys) |
        | a pattern | a path with `*`, `?` or `[…]`, as in a shell: `"conf.d/*.toml"` |
        | an address | text: `"unix:/run/sluice/sluice.sock"`, `"tcp:127.0.0.1:9000"`, `"fd:3"`, `"systemd"` or `"systemd:NAME"` |
        | a URL | text: `"https://HOST/PATH"`, `"http://HOST:PORT/PATH"` or `"unix:/PATH/OF/SOCKET:/PATH"`, without `?` and `#` |
        | octal digits | text, as chmod takes it: `"0660"` |
        | an array of text | `["…", "…"]` |
        | an array of statuses | numbers without quotes: `[404, 422]` |
        | a table of text, or of names | `{NAME = "…", OTHER = "…"}` |
        | a table of patterns | `{client = "acme*", "call.assistantId" = "7d0f*"}` |
        | a table of values | any TOML but dates, which goes out as JSON: `{top_k = 40, stop = ["</s>"]}` |

        """#

    /// The keys of `timeouts`.
    private let timeouts: [String]

    /// What clients are.
    static let clients = """
        Each table [clients.NAME] tells what a client may use. A client is whom the web server calls by a name (SLUICE_CLIENT, of its \
        table of tokens); its name has at most 128 characters, of ASCII. NAME may be a pattern, in quotes, as in match of [[models]]: \
        then each client that matches may use that much. A table of its own name counts before patterns, of patterns the first that \
        matches, and "*" after all. A client that no table fits has no limits. A request without such a name is \
        of a client without a name, which "*" alone fits.
        """

    private static let proxies = #"""

        ## Proxies of the environment

        [operating.md](operating.md#proxies) says which variables `proxy = "environment"` asks, and what goes through a proxy.

        """#

    init(_ entries: DocumentEntries) {
        timeouts = Settings.Timeouts.fields.map(\.key)
        let sections = entries.sections.map { ($0.title ?? "The process", $0.introduction, $0.entries) }
        let upstream = entries.upstream.map { (path: "upstreams.NAME.", entry: $0) }
        for section in sections { for entry in section.2 { appendRow(entry) } }
        for (path, entry) in upstream { appendRow(entry, path) }
        text += Self.values
        for (title, introduction, entries) in sections {
            begin(title, introduction)
            append(entries)
        }
        begin(
            "Upstreams",
            """
            Each table [upstreams.NAME] is an API that answers. Its name is one of 1 to 64 letters, digits, "-" and "_". Those of kind "demo" have \
            no other keys.
            """)
        append(entries.upstream, "upstreams.NAME.")
        begin(
            "Models",
            """
            Each table [[models]] tells where requests for some models go. Of those with the request's name, or without one where it has \
            none, the first counts whose match and conditions all fit. With one upstream and no [[models]] everything goes there.
            """)
        append(entries.model, "models[].")
        begin("Clients", Self.clients)
        append(entries.client, "clients.NAME.")
        text += Self.proxies
        text.replace("CONTENTS", with: contents)
    }

    /// A link to each section, one a line, with its anchor as GitHub makes it.
    private var contents: String {
        text.split(separator: "\n").filter { $0.hasPrefix("## ") }.map { line in
            let title = line.dropFirst(3)
            let anchor = title.lowercased().filter { $0.isLetter || $0.isNumber || " -_".contains($0) }
            return "[\(title)](#\(anchor.replacing(" ", with: "-")))"
        }.joined(separator: " ·\n")
    }

    private mutating func append(_ paragraph: String) { text += "\n\(paragraph)\n" }

    private mutating func appendRow(_ entry: DocumentEntry, _ path: String = "") {
        for member in entry.members { appendRow(member, "\(path)\(entry.key).") }
        let (environment, option) = (entry.description.environment, entry.description.option)
        guard environment != nil || option != nil else { return }
        let cells = [environment, option, path + entry.key].map { $0.map { "`\($0)`" } ?? "" }
        text += "| \(cells.joined(separator: " | ")) |\n"
    }

    private mutating func begin(_ title: String, _ introduction: String) {
        append("## \(title)")
        if !introduction.isEmpty { append(Self.marked(introduction)) }
    }

    private mutating func append(_ entries: [DocumentEntry], _ path: String = "") {
        var rest = entries[...]
        while let entry = rest.popFirst() {
            var paths = ["\(path)\(entry.key)"]
            var sample = ownSample(entry, path)
            // What several have in common is said once.
            while let next = rest.first, next.isOwn, entry.isOwn {
                paths.append("\(path)\(next.key)")
                sample = sample ?? ownSample(next, path)
                rest.removeFirst()
            }
            append(entry, paths, sample)
        }
    }

    /// What one of those looks like that some have of their own.
    private func ownSample(_ entry: DocumentEntry, _ path: String) -> String? {
        guard let value = entry.description.examples.first(where: { $0.place == nil })?.value else { return nil }
        let member = "\(Self.written(path + entry.key)) = \(value)"
        return path.contains("targets") ? #"{upstream = "local", \#(member)}"# : member
    }

    private mutating func append(_ entry: DocumentEntry, _ paths: [String], _ ownSample: String? = nil) {
        if entry.isTable {
            appendTable(entry, paths[0])
            return
        }
        append("### \(paths.map { "`\($0)`" }.joined(separator: ", "))")
        if entry.isOwn {
            let example = ownSample.map { " Example: `\($0)`." } ?? ""
            append("In place of what holds for all: \(paths.map(link).joined(separator: ", ")).\(example)")
            return
        }
        append(facts(entry, Self.written(paths[0])))
        append(Self.marked(entry.description.meaning))
        for example in entry.description.examples {
            guard let note = example.note else { continue }
            append("\(Self.marked(note)) For example `\(Self.written(paths[0])) = \(example.value)`.")
        }
        append(entry.members, "\(paths[0])[].")
    }

    /// A table, of which some have a meaning besides their members'.
    private mutating func appendTable(_ entry: DocumentEntry, _ path: String) {
        if !entry.description.meaning.isEmpty, entry.description.meaning != FieldDescription.own {
            append("### `\(path)`")
            append(facts(entry, Self.written(path)))
            append(Self.marked(entry.description.meaning))
        }
        append(entry.members, "\(path).")
    }

    /// Where the same key is described for all.
    private func link(_ path: String) -> String {
        let key = path.split(separator: ".").last.map(String.init) ?? path
        let name = timeouts.contains(key) ? "timeouts.\(key)" : key
        return "[`\(name)`](#\(name.replacing(".", with: "")))"
    }

    private func facts(_ entry: DocumentEntry, _ path: String) -> String {
        var facts = ["Takes \(Self.marked(entry.takes))."]
        switch entry.description.standard {
        case .required: facts.append("It is needed.")
        case .words(let words): facts.append("Default: \(Self.marked(words)).")
        case .nothing, .inherited: break
        case .value(let value): facts.append("Default: `\(value)`.")
        case nil: if let value = entry.standard { facts.append("Default: `\(value)`.") }
        }
        let sample = entry.description.examples.first { $0.note == nil }
        if entry.showsExample, let sample { facts.append("Example: `\(path) = \(sample.value)`.") }
        if let variable = entry.description.environment { facts.append("Environment: `\(variable)`.") }
        if let option = entry.description.option { facts.append("Command line: `\(option)`.") }
        if entry.description.needsStart { facts.append(DocumentEntry.startOnly) }
        return facts.joined(separator: " ")
    }

    /// A path as it is written below the header of its table.
    private static func written(_ path: String) -> String {
        for header in ["NAME.", "[]."] {
            if let end = path.ranges(of: header).last?.upperBound { return String(path[end...]) }
        }
        return path
    }

    /// Marks what is no prose: values, keys, addresses.
    private static func marked(_ text: String) -> String {
        text.replacing(
            #/"[^"\s]+"|\{[^}]*\}|\[\[?[^\]\s]*\]\]?|(?:https?:\/\/|unix:|tcp:|fd:)[A-Za-z0-9@:\/._\-]*[A-Za-z0-9]|[A-Za-z][A-Za-z0-9\-]*(?:[._][A-Za-z0-9_]+(?:-[A-Za-z0-9]+)*)+|(?:\/[a-z]+){2,}/#
        ) { "`\($0.output)`" }
    }
}

extension DocumentEntry {
    fileprivate var isOwn: Bool { if case .inherited = description.standard { true } else { false } }

    /// Where the default shows what a value looks like, there is no need for another.
    fileprivate var showsExample: Bool {
        switch description.standard {
        case .words, .nothing, .required: true
        case .value, .inherited, nil: false
        }
    }
}
