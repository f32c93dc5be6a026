/// The role of a message that has begun: SDKs put together what each delta says of it, and would come to "assistantassistant".
package enum RepeatedRole {
    /// Takes the role out of the deltas of events. An event that has none stays byte for byte; of one that has, its data goes on.
    ///
    /// - Parameter events: complete ones, which have been looked at before, without what may stand ahead of the first.
    package static func removed(from events: ArraySlice<UInt8>) -> [UInt8] {
        var splitter = EventSplitter(eventBytesMax: events.count, isAtStart: false)
        splitter.append(Array(events))
        var result: [UInt8] = []
        result.reserveCapacity(events.count)
        do throws(EventError) {
            while let event = try splitter.next() {
                let data = splitter.data(of: event)
                if event.hasData, let changed = withoutRole(Array(data)) {
                    result.append(contentsOf: [UInt8](eventWithData: changed))
                } else {
                    result.append(contentsOf: splitter.buffer[event.bytes])
                }
            }
            return result
        } catch {
            // None is larger than all of them.
            return Array(events)
        }
    }

    /// - Returns: nil where there is none, or no chunk.
    private static func withoutRole(_ json: [UInt8]) -> [UInt8]? {
        guard json.first(where: { $0 > UInt8(ascii: " ") }) == UInt8(ascii: "{") else { return nil }
        let root = JSONValue(validated: json.span)
        var replacements = JSONReplacements()
        for choice in root.member("choices", in: json.span)?.elements(in: json.span, countMax: ChoiceSet.countMax) ?? [] {
            guard let delta = choice.member("delta", in: json.span) else { continue }
            replacements.remove("role", from: delta, of: json.span)
        }
        return replacements.isEmpty ? nil : replacements.applied(to: json.indices, of: json.span)
    }
}
