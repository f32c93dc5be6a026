// Makes the sample file, `deploy/sluice.toml`.

@testable import Settings

/// `deploy/sluice.toml`: every key behind a `#`, with what there is to say about it.
struct SettingsTemplate {
    private static let columnsMax = 130

    private(set) var text = """
        # Settings of Sluice: /etc/sluice/sluice.toml, sluice.toml beside the program, or any file that `sluice serve --config FILE` names.
        #
        # As it stands this file sets nothing. Each setting is shown behind a '#', at its default or, where a default is named, as an
        # example: remove the '#' to set it. `sluice check` tells all that is wrong with the file; `sluice check --show` prints what is
        # in force.
        #
        # A key belongs to the table that stands last above it. What holds for all stands before the first [table]; the same key below
        # [[models]] or [upstreams.NAME] holds for that one alone, or is unknown there.
        #
        # What the file leaves out comes from the environment (SLUICE_LISTEN, FCGI_WEB_SERVER_ADDRS, OPENAI_API_KEY, OPENAI_BASE_URL,
        # SSL_CERT_FILE), then from the defaults. The command line goes over both.
        #
        # Every string can take variables of the environment: "${NAME}". A missing or empty one is an error. "$${" stands for "${".
        # Durations are whole numbers with a unit, ms, s, m or h: "800ms", "10m". Sizes have B, KiB, MiB or GiB: "64KiB". Shares are
        # whole percentages: "20%".

        """
    /// What stands above the last key.
    private var comment = ""
    /// The keys of which everything has been said.
    private var told: Set<String> = []

    init(_ entries: DocumentEntries) {
        for section in entries.sections {
            if let title = section.title { begin(title, section.introduction) }
            for entry in section.entries { append(entry) }
        }
        begin(
            "Upstreams: APIs that answer",
            """
            Without one the environment's is used: OPENAI_API_KEY and OPENAI_BASE_URL, or a demo when there is neither. All that \
            follows is an example.
            """)
        for table in ExampleTable.upstreams { append(table, "[upstreams.\(table)]", entries.upstream) }
        begin(
            "Models: which requests go where",
            """
            Of those with the request's name, or without one where it has none, the first counts whose match and conditions all fit. \
            With one upstream and no [[models]] everything goes there.
            """)
        told = []
        for table in ExampleTable.models {
            if table == .reasoning {
                append("\n# OpenAI's reasoning models behind a gateway, which kind \"compatible\" knows nothing of.")
                append(table, "[[models]]", entries.model, gap: "")
            } else {
                append(table, "[[models]]", entries.model)
            }
        }
        begin("Clients: what each may use", SettingsReference.clients)
        told = []
        for table in ExampleTable.clients {
            append(table, table == .everyone ? #"[clients."*"]"# : "[clients.\(table)]", entries.client)
        }
    }

    private mutating func append(_ lines: String) { text += "\(lines)\n" }

    private mutating func begin(_ title: String, _ introduction: String) {
        append("\n\n# --- \(title) ---")
        if !introduction.isEmpty { append(Self.wrapped(introduction)) }
    }

    // MARK: Settings of the process

    private mutating func append(_ entry: DocumentEntry, in path: String = "") {
        guard entry.members.isEmpty else {
            for member in entry.members { append(member, in: "\(entry.key).") }
            return
        }
        var sentences = entry.sentences
        if case .words(let words) = entry.description.standard { sentences.append("Default: \(words).") }
        if entry.description.needsStart { sentences.append(DocumentEntry.startOnly) }
        let example = entry.description.examples.first { $0.place == nil }?.value
        var value = entry.standard
        if case .value(let standard) = entry.description.standard { value = standard }
        append("\n" + Self.wrapped(sentences.joined(separator: " ")))
        append("#\(path)\(entry.key) = \(example ?? value ?? "")")
    }

    // MARK: Examples of upstreams and models

    private mutating func append(_ table: ExampleTable, _ header: String, _ entries: [DocumentEntry], gap: String = "\n") {
        append("\(gap)#\(header)")
        comment = ""
        for entry in entries {
            append(entry, in: table)
            for member in entry.members { append(member, in: table, path: "\(entry.key).") }
        }
    }

    private mutating func append(_ entry: DocumentEntry, in table: ExampleTable, path: String = "") {
        guard let example = entry.description.examples.first(where: { $0.place == table }) else { return }
        var sentences: [String] = []
        if told.insert(path + entry.key).inserted {
            sentences = entry.sentences + (entry.standardWords.map { ["Default: \($0)."] } ?? [])
        }
        if let note = example.note { sentences.append(note) }
        // What several have in common is said above the first.
        let comment = sentences.joined(separator: " ")
        if !comment.isEmpty, comment != self.comment {
            append(Self.wrapped(comment))
            for member in entry.members where !entry.isTable && member.description.examples.allSatisfy({ $0.place == nil }) {
                append(Self.wrapped("\(member.key): \(member.sentences.joined(separator: " "))", indent: "  ", further: "    "))
            }
        }
        self.comment = comment
        append("#\(path)\(entry.key) = \(example.value)")
    }

    // MARK: Comments

    private static func wrapped(_ text: String, indent: String = "", further: String = "") -> String {
        var lines: [String] = []
        var line = "# \(indent)"
        for word in text.split(separator: " ") {
            if line.count + 1 + word.count > columnsMax, line.last != " " {
                lines.append(line)
                line = "# \(further)"
            }
            line += line.last == " " ? word : " \(word)"
        }
        return (lines + [line]).joined(separator: "\n")
    }
}

extension DocumentEntry {
    /// What it means, and what may stand there.
    fileprivate var sentences: [String] {
        if case .inherited = description.standard { return [description.meaning] }
        var sentences = [description.meaning]
        if let range { sentences.append("\(range.prefix(1).uppercased())\(range.dropFirst()).") }
        if case .choice(let names) = description.form, !names.allSatisfy({ description.meaning.contains("\"\($0)\"") }) {
            sentences.append("\(alternatives(names)).")
        }
        return sentences
    }

    var isTable: Bool { if case .table = description.form { true } else { false } }

    /// What holds without it, if there is anything to say.
    var standardWords: String? {
        switch description.standard {
        case nil: standard
        case .value(let value): value
        case .words(let words): words
        case .nothing, .inherited, .required: nil
        }
    }
}

extension ExampleTable {
    static let upstreams: [ExampleTable] = [.openai, .azure, .gateway, .socket, .local]
    static let models: [ExampleTable] = [.llama, .weighted, .reasoning, .assistant, .tenant, .others]
    static let clients: [ExampleTable] = [.phone, .everyone]
}
