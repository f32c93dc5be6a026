// Values of a request that settings name by paths.

/// Where a value stands in a request: the names of members, from the outermost on, as in `call.assistantId`.
package struct RequestPath: Hashable, Sendable, CustomStringConvertible {
    /// How many names there may be.
    package static let namesMax = 8
    /// How long each may be.
    package static let nameBytesMax = 64

    /// At least one.
    package let names: [String]

    /// - Parameter text: names with dots between them.
    /// - Returns: nil when there are too many, or one is too long or has other characters than letters, digits, `_` and `-`.
    package init?(_ text: String) {
        names = text.utf8.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false).map { "\(Substring($0))" }
        let arePlain = names.allSatisfy { name in
            (1...Self.nameBytesMax).contains(name.utf8.count) && name.utf8.allSatisfy { $0.isAlphanumeric(or: "_-") }
        }
        guard arePlain, names.count <= Self.namesMax else { return nil }
    }

    package var description: String { names.joined(separator: ".") }
}

/// Paths that are looked for together, so that each object on the way is gone through once.
package struct RequestPaths: Sendable {
    /// How many members an object may have that is looked into: time is not to be had by a body of small members.
    private static let membersMax = 1024
    /// How large an object inside of another may be that is looked into: it is gone through once more for each that it stands in.
    private static let innerBytesMax = 256 << 10
    /// How long a text may be. A longer one counts as none.
    package static let textBytesMax = 1024

    /// A name on the way of some paths.
    private struct Node {
        let name: String
        /// Which of the names that Sluice knows this is, at the top.
        let parameter: Parameter?
        let isTop: Bool
        /// What is looked for in its value: by a key, and what is too long for one.
        var inner: [(key: JSONKey, node: Int)] = []
        var innerLong: [Int] = []

        var hasInner: Bool { !inner.isEmpty || !innerLong.isEmpty }
    }

    /// Each ahead of what is in it.
    private var nodes: [Node] = []
    /// Those of the request's own members.
    private var tops: [Int] = []
    /// Where each path ends, in the paths' order.
    private var ends: [Int] = []

    package init(_ paths: [RequestPath]) {
        for path in paths {
            var place: Int?
            for name in path.names { place = node(name, in: place) }
            if let place { ends.append(place) }
        }
    }

    /// The node of a name, which is made where there is none.
    private mutating func node(_ name: String, in outer: Int?) -> Int {
        let known = outer.map { nodes[$0].inner.map(\.node) + nodes[$0].innerLong } ?? tops
        if let node = known.first(where: { nodes[$0].name.hasSameBytes(as: name) }) { return node }
        let parameter = outer == nil ? Parameter.allCases.first { $0.name.hasSameBytes(as: name) } : nil
        let node = nodes.count
        nodes.append(Node(name: name, parameter: parameter, isTop: outer == nil))
        switch outer {
        case nil: tops.append(node)
        case let outer? where name.utf8.count <= JSONKey.bytesMax: nodes[outer].inner.append((JSONKey(name), node))
        case let outer?: nodes[outer].innerLong.append(node)
        }
        return node
    }

    /// What stands at each path, in their order: a string with its escapes undone, a number or a literal as it is written. Nil where
    /// there is nothing, null, an object or an array, for a text that is too long or has a NUL, and inside of an object with more than
    /// 1,024 members, or with more than 256 KiB inside of another. Of duplicates the last counts, as at the top.
    package func texts(in chat: ChatRequest) -> [String?] {
        let document = chat.body.span
        return values(in: chat).map { value in value.flatMap { Self.text(of: $0, in: document) } }
    }

    /// The value at each path, in their order, of whatever kind and length it is; nil where there is none, and inside of what is not looked
    /// into.
    func values(in chat: ChatRequest) -> [JSONValue?] {
        guard !ends.isEmpty else { return [] }
        let document = chat.body.span
        var values = [JSONValue?](repeating: nil, count: nodes.count)
        for top in tops { values[top] = value(of: nodes[top], in: chat.members) }
        for node in nodes.indices where nodes[node].hasInner { lookInside(node, document, &values) }
        return ends.map { values[$0] }
    }

    private func value(of node: Node, in members: [RequestMember]) -> JSONValue? {
        guard let parameter = node.parameter else {
            return members.last { $0.parameter == nil && $0.name.hasSameBytes(as: node.name) }?.value
        }
        return members.last { $0.parameter == parameter }?.value
    }

    private func lookInside(_ outer: Int, _ document: Span<UInt8>, _ values: inout [JSONValue?]) {
        guard let object = values[outer], nodes[outer].isTop || object.range.count <= Self.innerBytesMax else { return }
        let (inner, innerLong) = (nodes[outer].inner, nodes[outer].innerLong)
        var count = 0
        object.forEachMember(in: document, countMax: Self.membersMax + 1) { member in
            count += 1
            let key = JSONKey(member.name, in: document)
            for (known, node) in inner where known == key { values[node] = member.value }
            for node in innerLong where JSONText.isEqual(member.name, to: nodes[node].name, in: document) {
                values[node] = member.value
            }
        }
        guard count > Self.membersMax else { return }
        for node in inner.map(\.node) + innerLong { values[node] = nil }
    }

    private static func text(of value: JSONValue, in document: Span<UInt8>) -> String? {
        switch value.kind {
        case .object, .array, .null: return nil
        case .number, .true, .false: return value.range.count <= textBytesMax ? document.text(in: value.range) : nil
        case .string:
            // No escape is longer than six bytes for each that it stands for.
            guard value.range.count - 2 <= 6 * textBytesMax else { return nil }
            let text = JSONText.decode(value.range, in: document)
            guard text.utf8.count <= textBytesMax else { return nil }
            // A NUL is there by an escape alone.
            return text.utf8.count < value.range.count - 2 && text.utf8.contains(0) ? nil : text
        }
    }
}
