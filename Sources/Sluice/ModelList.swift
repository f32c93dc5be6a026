// The answer to `GET …/models`: what callers can name.

import Chat

extension Settings {
    /// OpenAI's list object of the models that the settings name. Patterns are none; the upstreams know what those match.
    var modelList: [UInt8] {
        let names = models.filter(\.match.isExact).map(\.match.description) + (defaultModel.map { [$0] } ?? [])
        var seen: Set<String> = []
        let created = secondsSince1970()
        var list: [UInt8] = []
        list.append(#"{"object":"list","data":["#)
        for name in names where seen.insert(name).inserted {
            if seen.count > 1 { list.append(",") }
            list.append(#"{"id":"#)
            list.appendJSONString(name)
            list.append(#","object":"model","created":\#(created),"owned_by":"sluice"}"#)
        }
        list.append("]}")
        return list
    }
}
