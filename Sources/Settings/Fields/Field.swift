// A key of the settings file, with all that is known of it.

/// One key of a table, declared once: `sluice` reads the file and shows the settings by it, and `deploy/sluice.toml` and
/// `docs/settings.md` are made of it.
///
///     Field("heartbeat", \.heartbeat, .duration(in: .upToADay), "A comment line goes to the caller after this much silence …")
///
/// Its default is that of the property. What several keys must have in common is checked behind them, by whoever reads the table.
struct Field<Root> {
    enum Content {
        /// Nil when there is none.
        case value((Root) -> String?)
        /// The members of a table that have a value.
        case table((Root) -> [TOMLText.Member])
    }

    let key: String
    var description: FieldDescription
    /// Takes what the key says; false when that is wrong, which is then a problem.
    let take: (SettingsReader, SettingsNode, inout Root) -> Bool
    /// What `sluice check --show` prints behind the key, as TOML.
    let content: Content
    /// Whether it has a meaning beside the others.
    let isShown: (Root) -> Bool
    /// Puts the former value in the place of one that differs from it, and names the keys for which it has done so; nil for what a
    /// reload changes.
    private(set) var restore: ((_ former: Root, inout Root) -> [String])?

    /// - Parameters:
    ///   - form: what it takes.
    ///   - meaning: plain sentences.
    ///   - standard: nil for the property's own.
    init(
        _ key: String, _ form: FieldForm, _ meaning: String, default standard: FieldDefault? = nil,
        examples: [FieldExample] = [], environment: String? = nil, option: String? = nil, members: [FieldDescription] = [],
        shownIf isShown: @escaping (Root) -> Bool = { _ in true },
        read: @escaping (SettingsReader, SettingsNode, inout Root) throws(SettingsProblem) -> Void,
        write: @escaping (Root) -> String?
    ) {
        self.key = key
        description = FieldDescription(
            key: key, form: form, meaning: meaning, standard: standard, examples: examples, environment: environment,
            option: option, members: members)
        take = { reader, node, root in
            do throws(SettingsProblem) { try read(reader, node, &root) } catch {
                reader.problems.add(error)
                return false
            }
            return true
        }
        content = .value(write)
        self.isShown = isShown
    }

    private init(
        _ description: FieldDescription, _ content: Content, isShown: @escaping (Root) -> Bool,
        restore: ((Root, inout Root) -> [String])?, take: @escaping (SettingsReader, SettingsNode, inout Root) -> Bool
    ) {
        (key, self.description, self.content) = (description.key, description, content)
        (self.isShown, self.restore, self.take) = (isShown, restore, take)
    }
}

extension Field {
    /// A key whose value is a property.
    ///
    /// - Parameter needsStart: whether only a start can change it, and no reload.
    init<Value: Equatable>(
        _ key: String, _ property: WritableKeyPath<Root, Value>, _ kind: FieldKind<Value>, _ meaning: String,
        default standard: FieldDefault? = nil, examples: [FieldExample] = [], environment: String? = nil, option: String? = nil,
        needsStart: Bool = false, shownIf isShown: @escaping (Root) -> Bool = { _ in true }
    ) {
        let (read, write) = (kind.read, kind.write)
        self.init(
            key, kind.form, meaning, default: standard, examples: examples, environment: environment, option: option,
            shownIf: isShown,
            read: { reader, node, root throws(SettingsProblem) in root[keyPath: property] = try read(reader, node) },
            write: { write($0[keyPath: property]) })
        if needsStart { restoreAtReload(property) }
    }

    /// A key whose value is a property that may have none.
    ///
    /// - Parameter needsStart: whether only a start can change it, and no reload.
    init<Value: Equatable>(
        _ key: String, optional property: WritableKeyPath<Root, Value?>, _ kind: FieldKind<Value>, _ meaning: String,
        default standard: FieldDefault? = nil, examples: [FieldExample] = [], environment: String? = nil, option: String? = nil,
        needsStart: Bool = false
    ) {
        let (read, write) = (kind.read, kind.write)
        self.init(
            key, kind.form, meaning, default: standard, examples: examples, environment: environment, option: option,
            read: { reader, node, root throws(SettingsProblem) in root[keyPath: property] = try read(reader, node) },
            write: { $0[keyPath: property].map(write) })
        if needsStart { restoreAtReload(property) }
    }

    private mutating func restoreAtReload<Value: Equatable>(_ property: WritableKeyPath<Root, Value>) {
        let key = key
        description.needsStart = true
        restore = { former, root in
            guard root[keyPath: property] != former[keyPath: property] else { return [] }
            root[keyPath: property] = former[keyPath: property]
            return [key]
        }
    }

    /// A table whose members are those of a property.
    init<Value>(
        _ key: String, table property: WritableKeyPath<Root, Value>, _ fields: [Field<Value>], _ meaning: String = "",
        examples: [FieldExample] = []
    ) {
        let description = FieldDescription(
            key: key, form: .table, meaning: meaning, standard: .nothing, examples: examples,
            members: fields.map(\.description))
        let restore: (Root, inout Root) -> [String] = { former, root in
            fields.restore(former[keyPath: property], in: &root[keyPath: property]).map { "\(key).\($0)" }
        }
        self.init(
            description, .table { fields.members(of: $0[keyPath: property]) }, isShown: { _ in true }, restore: restore
        ) { reader, node, root in
            guard let table = reader.table(node, keys: fields.map(\.key)) else { return false }
            return table.take(fields, into: &root[keyPath: property]).isEmpty
        }
    }

    /// The same key, of a wider value.
    ///
    /// - Parameter isOwn: whether it stands elsewhere too, for all.
    func lifted<Outer>(_ property: WritableKeyPath<Outer, Root>, isOwn: Bool = false) -> Field<Outer> {
        var description = description
        if isOwn { (description.meaning, description.standard) = (FieldDescription.own, .inherited) }
        let outer: Field<Outer>.Content =
            switch content {
            case .value(let write): .value { write($0[keyPath: property]) }
            case .table(let members): .table { members($0[keyPath: property]) }
            }
        let outerRestore = restore.map { restore in
            { (former: Outer, root: inout Outer) in restore(former[keyPath: property], &root[keyPath: property]) }
        }
        return Field<Outer>(description, outer, isShown: { isShown($0[keyPath: property]) }, restore: outerRestore) {
            reader, node, root in
            take(reader, node, &root[keyPath: property])
        }
    }
}

extension Array {
    /// Puts what only a start can change back to what it was.
    ///
    /// - Returns: the keys of what differed.
    func restore<Root>(_ former: Root, in root: inout Root) -> [String] where Element == Field<Root> {
        var keys: [String] = []
        for field in self { keys += field.restore?(former, &root) ?? [] }
        return keys
    }

    /// What `sluice check --show` prints of a table.
    ///
    /// - Parameter dotted: whether tables in it get a line for each member.
    func members<Root>(of root: Root, dotted: Bool = false) -> [TOMLText.Member] where Element == Field<Root> {
        filter { $0.isShown(root) }.flatMap { field -> [TOMLText.Member] in
            switch field.content {
            case .value(let write): write(root).map { [(field.key, $0)] } ?? []
            case .table(let members) where dotted: members(root).map { ("\(field.key).\($0.name)", $0.value) }
            case .table(let members): [(field.key, TOMLText.table(members(root)))]
            }
        }
    }
}
