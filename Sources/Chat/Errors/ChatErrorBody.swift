// An error as JSON: a response's body, or an event of a stream.

extension ChatError {
    /// The response's body: `{"error":{"message","type","param","code"}}`, or with the upstream's own error object in that place
    /// where the verdict is the upstream's.
    package var body: [UInt8] {
        var body: [UInt8] = []
        body.append("{\"error\":")
        appendObject(to: &body)
        body.append("}")
        return body
    }

    /// The same as an event, for a stream that has begun.
    package var event: [UInt8] { [UInt8](eventWithData: body) }

    /// An event with nothing but the text, `{"error":"text"}`: for the setting `errors = "sse"`.
    package var bareEvent: [UInt8] {
        var json: [UInt8] = []
        json.append("{\"error\":")
        json.appendJSONString(message)
        json.append("}")
        return [UInt8](eventWithData: json)
    }

    private func appendObject(to body: inout [UInt8]) {
        if case .upstreamRefused(_, let error?) = self, let object = error.object {
            body.append(contentsOf: object)
            return
        }
        body.append("{\"message\":")
        body.appendJSONString(message)
        body.append(",\"type\":")
        body.appendJSONString(type)
        body.append(",\"param\":")
        body.appendJSONString(param)
        body.append(",\"code\":")
        body.appendJSONString(code)
        body.append("}")
    }
}
