// Texts on their way into what is sent.

extension [UInt8] {
    /// Appends the text's bytes, in half of the instructions that `append(contentsOf: text.utf8)` takes.
    package mutating func append(utf8 text: String) {
        unsafe text.utf8Span.span.withUnsafeBufferPointer { unsafe append(contentsOf: $0) }
    }
}
