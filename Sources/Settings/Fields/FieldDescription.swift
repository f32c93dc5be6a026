// What is known of a key of the settings file besides its place in memory: for documents.

struct FieldDescription: Sendable {
    /// The meaning of what one table has of its own.
    static let own = "Its own of what stands above for all."

    let key: String
    let form: FieldForm
    /// Plain sentences, as one paragraph.
    var meaning: String
    /// Nil for that of the property.
    var standard: FieldDefault?
    var examples: [FieldExample] = []
    /// The variable that counts where the file says nothing.
    var environment: String?
    /// The command line's option, which goes over the file.
    var option: String?
    /// Whether only a start can change it, and no reload.
    var needsStart = false
    /// Those of the tables that it takes.
    var members: [FieldDescription] = []
}

/// What a key takes.
enum FieldForm {
    case text, texts, boolean, file
    case number(ClosedRange<Int>)
    case duration(ClosedRange<Duration>)
    case size(ClosedRange<Int>)
    case percentage(ClosedRange<Int>)
    case choice([String])
    /// Of known keys.
    case table
    /// In words, perhaps with a range.
    case other(String, in: ClosedRange<Int>? = nil)
}

/// What holds where nobody says anything.
enum FieldDefault {
    /// As TOML.
    case value(String)
    case words(String)
    case nothing
    /// What stands elsewhere for all.
    case inherited
    /// The key is needed.
    case required
}

/// A value, as TOML, for the shipped settings file.
struct FieldExample: ExpressibleByStringLiteral {
    let value: String
    /// Nil beside the other settings of the process.
    var place: ExampleTable?
    /// What there is to say where it stands.
    var note: String?

    init(_ value: String, in place: ExampleTable, _ note: String? = nil) {
        (self.value, self.place, self.note) = (value, place, note)
    }

    init(stringLiteral value: String) { self.value = value }
}

/// The tables of examples in the shipped settings file, in its order.
enum ExampleTable: CaseIterable {
    // [upstreams.NAME]
    case openai, azure, gateway, socket, local
    // [[models]]
    case llama, weighted, reasoning, assistant, tenant, others
    // [clients.NAME]
    case phone, everyone
}

/// Fields that belong together.
struct FieldSection<Root> {
    /// Nil for the first.
    let title: String?
    let introduction: String
    let fields: [Field<Root>]

    init(_ title: String?, _ introduction: String = "", fields: [Field<Root>]) {
        (self.title, self.introduction, self.fields) = (title, introduction, fields)
    }
}
