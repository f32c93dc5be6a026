// What an attempt's failure means for the request.

package import Chat

/// Why an attempt failed before it won.
package struct AttemptFailure: Equatable, Sendable {
    /// What the caller is told, if this failure decides about the request.
    package let error: ChatError
    /// What the upstream asked for with its status, by `RetryAfter`.
    package var retryAfter: Duration?

    /// - Parameter retryAfter: the pause that the upstream asked for; nil when it asked for none.
    package init(_ error: ChatError, retryAfter: Duration? = nil) {
        self.error = error
        self.retryAfter = retryAfter
    }

    enum Consequence {
        /// The same target may do better in a moment.
        case retry
        /// It took its time already: another target comes first.
        case elsewhere
        /// The same target will not do better, since its account or its room is used up; another may.
        case onlyElsewhere
        /// No target is asked again, unless `fallback_on` lists the status.
        case end
    }

    var consequence: Consequence {
        switch error {
        case .upstreamRefused(status: 429, let error): error?.isAboutQuota == true ? .onlyElsewhere : .retry
        case .upstreamFailed(let failure) where failure.isAboutAccount: .onlyElsewhere
        case .upstreamFailed(.status(..<400, _)): .end
        case .upstreamFailed(.compressed): .onlyElsewhere
        case .upstreamFailed, .upstreamCutOff: .retry
        case .upstreamTimedOut: .elsewhere
        default: .end
        }
    }

    /// The response's status, where that was the failure.
    var status: Int? {
        switch error {
        case .upstreamRefused(let status, _), .upstreamRefusedKey(let status, _), .upstreamFailed(.status(let status, _)): status
        default: nil
        }
    }

    /// Whether it says something about the request, and so tells the caller more than any trouble of an upstream.
    var isVerdict: Bool {
        if case .upstreamRefused(let status, _) = error { return status != 429 }
        return false
    }

    /// Whether it counts against the target (`TargetHealth`). One that refuses a request, or Sluice's key, works.
    package var countsAgainstTarget: Bool { consequence != .end }
}
