// What a request has to be besides its model: `when` of `[[models]]`.

package import Chat

/// One condition: what a value of the request has to look like.
package struct ModelCondition: Hashable, Sendable {
    package enum Subject: Hashable, Sendable {
        /// The web server's name of the caller.
        case client
        /// A value of the request's body.
        case value(RequestPath)
    }

    package let subject: Subject
    package let pattern: ModelPattern

    /// How many one `when` may have.
    static let countMax = 16
    /// How many different paths there may be in all settings.
    static let pathsMax = 64

    /// The path; nil for the client.
    package var path: RequestPath? { if case .value(let path) = subject { path } else { nil } }

    /// Its key in a `when`.
    var key: String { path?.description ?? "client" }
}

extension ModelCondition {
    static var field: Field<ModelSettings> {
        Field(
            "when", .other("a table of patterns"),
            """
            What a request has to be besides, all of it. "client" is the web server's name of the caller (SLUICE_CLIENT); any other key \
            is a path into the request's body, of 1 to 8 members' names with dots between them, as in "call.assistantId". What stands \
            there has to fit a pattern, as in match: a text with its escapes undone, a number, true or false as it is written. What is \
            missing or null, an object, an array, a text with a NUL or of more than 1,024 bytes fits none. It has 16 conditions at most, \
            and all tables together 64 different paths. What a body says its caller has chosen: tenants are told apart by name and \
            client alone.
            """,
            default: .nothing,
            examples: [
                FieldExample(
                    #"""
                    {client = "acme*", "call.assistantId" = "7d0f*", "metadata.tenant" = "north", "customer.number" = "+49*"}
                    """#, in: .assistant)
            ],
            read: { reader, node, model in model.conditions = reader.table(node, keys: nil)?.conditions() ?? [] },
            write: { model in
                let members = model.conditions.map { ($0.key, TOMLText.string($0.pattern.description)) }
                return members.isEmpty ? nil : TOMLText.table(members)
            })
    }
}

extension SettingsReader {
    /// The conditions of a `when`, in the file's order.
    fileprivate func conditions() -> [ModelCondition] {
        var conditions: [ModelCondition] = []
        append(to: &conditions, under: "")
        if conditions.count > ModelCondition.countMax { problem("may have \(ModelCondition.countMax) conditions") }
        return conditions
    }

    /// A table in it is the beginning of paths: `call = {type = "…"}` is `"call.type" = "…"`, as `call.type = "…"` without quotes is.
    ///
    /// - Parameter prefix: what stands ahead of each key.
    private func append(to conditions: inout [ModelCondition], under prefix: String) {
        if members.isEmpty { problem("has no condition in it: leave it out") }
        for member in members {
            let key = prefix + member.key
            if case .table = member.node.value {
                // Where its own key is no path, nothing inside is.
                guard checked(member.node, { node throws(SettingsProblem) in try path(key, of: node) }) != nil else { continue }
                table(member.node, keys: nil)?.append(to: &conditions, under: "\(key).")
            } else if let condition = checked(member.node, { node throws(SettingsProblem) in try condition(key, node) }) {
                if conditions.contains(where: { $0.subject == condition.subject }) {
                    problems.add(SettingsProblem(member.node, "stands twice"))
                } else {
                    conditions.append(condition)
                }
            }
        }
    }

    private func condition(_ key: String, _ node: SettingsNode) throws(SettingsProblem) -> ModelCondition {
        let subject: ModelCondition.Subject = key == "client" ? .client : .value(try path(key, of: node))
        if case .value(let path) = subject {
            switch path.names[0] {
            case "model": throw SettingsProblem(node, "cannot be a condition: match is for the model")
            case "messages": throw SettingsProblem(node, "cannot be a condition: messages are an array, which fits no pattern")
            default: warn(of: path.doubt, node)
            }
        }
        guard case .string = node.value else {
            throw SettingsProblem(node, #"must be a pattern in quotes, as in "acme*"; numbers, true and false too: "5""#)
        }
        return ModelCondition(subject: subject, pattern: try pattern(node))
    }

    private func path(_ key: String, of node: SettingsNode) throws(SettingsProblem) -> RequestPath {
        guard let path = RequestPath(key) else {
            throw SettingsProblem(
                node,
                #"must be client, or a path such as "call.assistantId": 1 to 8 names with dots between them, each of 1 to 64 letters, "#
                    + #"digits, "_" and "-""#)
        }
        return path
    }
}

extension FieldKind<String> {
    /// What the web server calls a route.
    static var routeName: Self {
        FieldKind(
            form: .text,
            read: { reader, node throws(SettingsProblem) in
                let name = try reader.text(node)
                guard name.utf8.count <= ModelSettings.nameBytesMax, name.utf8.allSatisfy({ $0.isAlphanumeric(or: "._-@+:") })
                else {
                    throw SettingsProblem(
                        node, "must have 1 to \(ModelSettings.nameBytesMax) letters, digits and . _ - @ + : alone")
                }
                return name
            }, write: TOMLText.string)
    }
}
