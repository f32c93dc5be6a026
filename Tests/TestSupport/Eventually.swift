// How tests wait for what nothing tells them of.

import Clock

/// Looks again every few milliseconds until something holds.
///
/// - Parameters:
///   - what: names the awaited thing in the error.
///   - limit: a generous deadline that fails the test; it is no measurement.
/// - Throws: ``DeadlinePassed``, and what `condition` throws.
package func eventually(
    _ what: String, within limit: Duration = .seconds(120), _ condition: () async throws -> Bool
) async throws {
    let end = Instant.current + limit
    while try await !condition() {
        guard .current < end, !Task.isCancelled else { throw DeadlinePassed(what: what, limit: limit, last: "false") }
        // Others need the processor for what is awaited.
        try await Task.sleep(for: .milliseconds(2))
    }
}
