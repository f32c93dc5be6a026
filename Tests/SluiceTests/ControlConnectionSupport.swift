@testable import Sluice

extension ControlConnection {
    /// Says a text.
    func send(_ text: String, within limit: Duration = .seconds(60)) async { await send(Array(text.utf8), within: limit) }
}
