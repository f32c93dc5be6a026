// A request's body, which may be somebody else's bytes.

/// What a request sends: parts that follow one another. A large part is kept where it is, and not copied.
package struct HTTPBody: Sendable {
    /// All of it, of most.
    private let first: [UInt8]
    private let rest: [ArraySlice<UInt8>]
    /// In bytes.
    package let count: Int

    /// - Parameter rest: a few further parts: they are gone through for each stretch that is sent.
    package init(_ first: [UInt8] = [], followedBy rest: [ArraySlice<UInt8>] = []) {
        (self.first, self.rest) = (first, rest)
        count = rest.reduce(first.count) { $0 + $1.count }
    }

    /// Hands over the bytes from `offset` on, up to `countMax` of them or to the end of a part.
    ///
    /// - Precondition: there is a byte at `offset`.
    func withBytes<Result>(from offset: Int, countMax: Int, _ body: (UnsafeRawBufferPointer) -> Result) -> Result {
        if offset < first.count {
            return unsafe first.withUnsafeBytes {
                unsafe body(UnsafeRawBufferPointer(rebasing: $0[offset..<offset + min(countMax, first.count - offset)]))
            }
        }
        var start = offset - first.count
        for part in rest {
            guard start >= part.count else {
                return unsafe part.withUnsafeBytes {
                    unsafe body(UnsafeRawBufferPointer(rebasing: $0[start..<start + min(countMax, part.count - start)]))
                }
            }
            start -= part.count
        }
        preconditionFailure("the body has been sent")
    }
}
