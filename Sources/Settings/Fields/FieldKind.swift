// The kinds of values that settings have: how each is read, and how it is written.

struct FieldKind<Value> {
    let form: FieldForm
    let read: (SettingsReader, SettingsNode) throws(SettingsProblem) -> Value
    /// As TOML.
    let write: (Value) -> String

    /// The same text for other values.
    func mapped<Other>(_ value: @escaping (Value) -> Other, _ back: @escaping (Other) -> Value) -> FieldKind<Other> {
        let (read, write) = (read, write)
        return FieldKind<Other>(
            form: form, read: { reader, node throws(SettingsProblem) in value(try read(reader, node)) },
            write: { write(back($0)) })
    }
}

extension FieldKind<String> {
    static var text: Self {
        FieldKind(form: .text, read: { reader, node throws(SettingsProblem) in try reader.text(node) }, write: TOMLText.string)
    }

    static var file: Self {
        FieldKind(
            form: .file, read: { reader, node throws(SettingsProblem) in try reader.readableFile(node) },
            write: TOMLText.file)
    }
}

extension FieldKind<[String]> {
    static var texts: Self {
        FieldKind(form: .texts, read: { reader, node throws(SettingsProblem) in try reader.texts(node) }, write: TOMLText.array)
    }
}

extension FieldKind<Bool> {
    static var boolean: Self {
        FieldKind(
            form: .boolean, read: { reader, node throws(SettingsProblem) in try reader.boolean(node) }, write: { "\($0)" })
    }
}

extension FieldKind<Int> {
    static func number(in range: ClosedRange<Int>) -> Self {
        FieldKind(
            form: .number(range), read: { reader, node throws(SettingsProblem) in try reader.integer(node, in: range) },
            write: { "\($0)" })
    }

    /// A number of bytes.
    static func size(in range: ClosedRange<Int>) -> Self {
        FieldKind(
            form: .size(range), read: { reader, node throws(SettingsProblem) in try reader.size(node, in: range) },
            write: { TOMLText.string(Size.setting($0)) })
    }

    /// A share in percent.
    static func percentage(in range: ClosedRange<Int>) -> Self {
        FieldKind(
            form: .percentage(range), read: { reader, node throws(SettingsProblem) in try reader.percentage(node, in: range) },
            write: { TOMLText.string(Percentage.setting($0)) })
    }
}

extension FieldKind<Duration> {
    static func duration(in range: ClosedRange<Duration>) -> Self {
        FieldKind(
            form: .duration(range), read: { reader, node throws(SettingsProblem) in try reader.duration(node, in: range) },
            write: { TOMLText.string($0.setting) })
    }

    static var timeout: Self { .duration(in: .positive) }
}

extension ClosedRange<Duration> {
    static let positive = Duration.milliseconds(1)...Duration.seconds(24 * 3600)
    static let secondToADay = Duration.seconds(1)...Duration.seconds(24 * 3600)
    static let upToADay = Duration.zero...Duration.seconds(24 * 3600)
}

extension FieldKind where Value: CaseIterable & RawRepresentable<String> {
    /// One of the names of a closed choice.
    static var choice: Self {
        FieldKind(
            form: .choice(Value.allCases.map(\.rawValue)),
            read: { reader, node throws(SettingsProblem) in try reader.choice(node) }, write: { TOMLText.string($0.rawValue) })
    }
}
