// The answer to `GET …/models`: what callers can name.

import Chat
import Clock
import Settings

extension Settings {
    /// The models that the settings name, each once. Patterns are none: the upstreams know what those match.
    var modelNames: [String] {
        var seen: Set<String> = []
        let names = models.filter(\.match.isExact).map(\.match.description) + (defaultModel.map { [$0] } ?? [])
        return names.filter { seen.insert($0).inserted }
    }

    /// OpenAI's list object of those that a client may ask for.
    func modelList(for client: ClientSettings) -> [UInt8] {
        Self.modelList(of: modelNames.filter(client.allows), created: secondsSince1970())
    }

    /// OpenAI's list object.
    ///
    /// - Parameter created: in seconds since 1970.
    static func modelList(of names: [String], created: Int) -> [UInt8] {
        var list: [UInt8] = []
        list.append(#"{"object":"list","data":["#)
        for (index, name) in names.enumerated() {
            if index > 0 { list.append(",") }
            list.append(#"{"id":"#)
            list.appendJSONString(name)
            list.append(#","object":"model","created":\#(created),"owned_by":"sluice"}"#)
        }
        list.append("]}")
        return list
    }
}
