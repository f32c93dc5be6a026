/// Changes inside a validated JSON document: ranges of it that become other bytes. Everything else stays byte for byte.
struct JSONReplacements {
    private var replacements: [(range: Range<Int>, bytes: [UInt8])] = []

    var isEmpty: Bool { replacements.isEmpty }

    /// Has other bytes in place of a value.
    mutating func replace(_ value: JSONValue, with bytes: [UInt8]) { replacements.append((value.range, bytes)) }

    /// Takes the members of this name out of an object. What stands between the others is a comma then, and nothing else.
    mutating func remove(_ name: String, from object: JSONValue, of document: Span<UInt8>) {
        let members = object.members(in: document)
        let others = members.filter { !JSONText.isEqual($0.name, to: name, in: document) }
        guard others.count < members.count else { return }
        var rest: [UInt8] = [UInt8(ascii: "{")]
        for (index, member) in others.enumerated() {
            if index > 0 { rest.append(",") }
            rest.append(contentsOf: document.bytes(in: member.range))
        }
        rest.append("}")
        replacements.append((object.range, rest))
    }

    /// Gives one member of an object a value: in place of the one that it has (of duplicates the last, which counts), else as a
    /// new member at the object's end. Of an object without members at most one.
    mutating func set(_ name: String, to value: [UInt8], in object: JSONValue, of document: Span<UInt8>) {
        var (last, same): (JSONMember?, JSONMember?) = (nil, nil)
        object.forEachMember(in: document) { member in
            last = member
            if JSONText.isEqual(member.name, to: name, in: document) { same = member }
        }
        if let same {
            replacements.append((same.value.range, value))
            return
        }
        var member: [UInt8] = []
        if last != nil { member.append(",") }
        member.appendJSONString(name)
        member.append(":")
        member.append(contentsOf: value)
        let end = last?.value.range.upperBound ?? object.range.lowerBound + 1
        replacements.append((end..<end, member))
    }

    /// The bytes of one part of the document with the changes made. All of them must lie in that part.
    func applied(to range: Range<Int>, of document: Span<UInt8>) -> [UInt8] {
        var result: [UInt8] = []
        result.reserveCapacity(replacements.reduce(range.count) { $0 + $1.bytes.count })
        var offset = range.lowerBound
        for replacement in replacements.sorted(by: { $0.range.lowerBound < $1.range.lowerBound }) {
            result.append(contentsOf: document.bytes(in: offset..<replacement.range.lowerBound))
            result.append(contentsOf: replacement.bytes)
            offset = replacement.range.upperBound
        }
        result.append(contentsOf: document.bytes(in: offset..<range.upperBound))
        return result
    }
}
