// Why a chat was not answered, as far as Sluice says so itself.

import Chat
import HTTPClient

extension ProbeAnswer {
    /// The error that was said in the place of an answer, as the log has it; nil for none, and where the head had left before.
    var spokenError: String? { head?["x-sluice-spoken-error"] }

    /// The status that a chat was refused with, or would have been if the error had not been said; zero where nobody knows.
    var statusOfRefusal: Int {
        guard let spokenError else { return status == 200 ? 0 : status }
        if spokenError.hasSameBytes(as: "model_not_found") { return 404 }
        let limits = ["rate_limit_exceeded", "insufficient_quota"]
        if limits.contains(where: { spokenError.hasSameBytes(as: $0) }) { return 429 }
        let keys = ["missing_api_key", "invalid_api_key"]
        if keys.contains(where: { spokenError.hasSameBytes(as: $0) }) { return 401 }
        // It was not the caller's.
        if spokenError.utf8.starts(with: "key_refused.".utf8) { return 503 }
        let mark = "refused.".utf8
        return spokenError.utf8.starts(with: mark) ? Int(decimal: spokenError.utf8.dropFirst(mark.count)) ?? 0 : 0
    }

    /// Whether there is no such model, or none that this caller may ask: a 404 that is not about the URL.
    var hasNoSuchModel: Bool {
        guard statusOfRefusal == 404 else { return false }
        return spokenError != nil || saysUnknownModel || isErrorOfInterface && missingParameters == nil
    }

    /// Whether a limit of the caller's is reached.
    var isOverLimit: Bool { statusOfRefusal == 429 }

    /// What is known of its failure besides the status, for a sentence; nil for nothing.
    var cause: String? {
        let noModel = hasNoSuchModel ? ": there is no such model, or this token may not ask it" : nil
        guard let spokenError else { return noModel }
        return ", and a spoken error in the place of an answer, \(spokenError.clipped)" + (noModel ?? "")
    }
}
