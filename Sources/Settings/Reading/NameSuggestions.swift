// The names that mistyped ones were probably meant to be.

/// Finds names that are like others, and does not take long for that whatever there is to compare.
package struct NameSuggestions {
    /// Of longer names nobody has mistyped one.
    private static let bytesMax = 64
    /// How many pairs of bytes are still compared: a few thousand for a usual mistake.
    private var pairsLeft = 1 << 23

    /// The same for one name alone.
    package static func nearest(to name: String, among names: [String]) -> String? {
        var suggestions = NameSuggestions()
        return suggestions.nearest(to: name, among: names)
    }

    /// - Returns: nil when none is like it, or the comparing of names has taken long enough.
    mutating func nearest(to name: String, among names: [String]) -> String? {
        let bytes = Array(name.utf8)
        guard bytes.count <= Self.bytesMax else { return nil }
        var best: (name: String, distance: Int)?
        for candidate in names where candidate.utf8.count <= Self.bytesMax {
            let others = Array(candidate.utf8)
            pairsLeft -= (bytes.count + 1) * (others.count + 1)
            guard pairsLeft >= 0 else { return nil }
            let distance = Self.editDistance(bytes, others)
            if distance <= max(1, min(bytes.count, others.count) / 3), distance < best?.distance ?? .max {
                best = (candidate, distance)
            }
        }
        return best?.name
    }

    /// How many bytes must be inserted, removed or replaced to make one of the other (Levenshtein).
    private static func editDistance(_ left: [UInt8], _ right: [UInt8]) -> Int {
        var row = Array(0...right.count)
        for (index, byte) in left.enumerated() {
            var diagonal = row[0]
            row[0] = index + 1
            for column in right.indices {
                let replaced = diagonal + (right[column] == byte ? 0 : 1)
                diagonal = row[column + 1]
                row[column + 1] = min(replaced, row[column] + 1, diagonal + 1)
            }
        }
        return row[right.count]
    }
}
