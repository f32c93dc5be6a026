// A request's head as HTTP/2 has it.

import CNghttp2

/// Header fields in one buffer, names and values one behind the other, as nghttp2 wants them (RFC 9113 §8.3.1).
@safe struct HeaderFields: ~Copyable {
    private let text: OutputBuffer
    /// Where each name and each value ends.
    private var ends: [Int] = []

    /// - Parameter buffer: emptied, and in use until the fields have been submitted.
    init(_ buffer: OutputBuffer) {
        text = buffer
        text.removeAll()
        ends.reserveCapacity(64)
    }

    mutating func addAll(of request: HTTPRequest, to destination: Destination, _ clientFields: ClientFields) {
        add(":method", request.method.name)
        add(destination.list)
        request.forEachField(to: destination.url, clientFields) { part in
            switch part {
            case .block(let block): add(block.list)
            case .field(let name, let value): add(name, value)
            case .contentLength(let count): add("Content-Length", String(count))
            }
        }
    }

    private mutating func add(_ list: FieldList) {
        let start = text.count
        text.append(list.text)
        for end in list.ends { ends.append(start + end) }
    }

    private mutating func add(_ name: String, _ value: String) {
        text.append(utf8: name)
        ends.append(text.count)
        text.append(utf8: value)
        ends.append(text.count)
    }

    /// nghttp2 copies what it is given, and writes names in lower case.
    func withPairs<Result>(_ body: (UnsafeBufferPointer<nghttp2_nv>) -> Result) -> Result {
        unsafe text.withUnsafeBytes { bytes in
            let base = unsafe UnsafeMutablePointer(mutating: bytes.baseAddress?.assumingMemoryBound(to: UInt8.self))
            return unsafe withUnsafeTemporaryAllocation(of: nghttp2_nv.self, capacity: ends.count / 2) { pairs in
                var start = 0
                for index in pairs.indices {
                    let (middle, end) = (ends[2 * index], ends[2 * index + 1])
                    unsafe pairs.initializeElement(
                        at: index,
                        to: nghttp2_nv(
                            name: base.map { unsafe $0 + start }, value: base.map { unsafe $0 + middle },
                            namelen: middle - start, valuelen: end - middle, flags: UInt8(NGHTTP2_NV_FLAG_NONE.rawValue)))
                    start = end
                }
                return unsafe body(UnsafeBufferPointer(pairs))
            }
        }
    }
}
