// The answer to `GET …/models`: what callers can name.

import Chat
import Settings

extension Settings {
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
