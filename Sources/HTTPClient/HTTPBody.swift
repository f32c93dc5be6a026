// A request's body, which may be somebody else's bytes.

/// What a request sends: parts that follow one another. A large part is kept where it is, and not copied.
package struct HTTPBody: Sendable {
    private let parts: [ArraySlice<UInt8>]
    /// In bytes.
    package let count: Int

    /// One part.
    package init(_ bytes: [UInt8] = []) { self.init(parts: bytes.isEmpty ? [] : [bytes[...]]) }

    /// A few parts: they are gone through for each stretch that is sent.
    package init(parts: [ArraySlice<UInt8>]) {
        self.parts = parts
        count = parts.reduce(0) { $0 + $1.count }
    }

    /// Hands over the bytes from `offset` on, up to `countMax` of them or to the end of a part.
    ///
    /// - Precondition: there is a byte at `offset`.
    func withBytes<Result>(from offset: Int, countMax: Int, _ body: (UnsafeRawBufferPointer) -> Result) -> Result {
        var start = offset
        for part in parts {
            guard start >= part.count else {
                return unsafe part.withUnsafeBytes {
                    unsafe body(UnsafeRawBufferPointer(rebasing: $0[start..<min(start + countMax, part.count)]))
                }
            }
            start -= part.count
        }
        preconditionFailure("the body has been sent")
    }
}
