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

    mutating func addAll(of request: HTTPRequest, to destination: Destination, _ connection: borrowing Connection) {
        let pool = destination.pool
        add(":method", request.method.name)
        add(":scheme", pool.origin.isSecure ? "https" : "http")
        add(":authority", pool.authority)
        add(":path", destination.url.target)
        add(request.common)
        request.forEachField(to: destination.url, userAgent: connection.context.configuration.userAgent) { add($0, $1) }
    }

    private mutating func add(_ common: CommonFields) {
        let start = text.count
        text.append(common.text)
        for end in common.ends { ends.append(start + end) }
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
