// Rendezvous hashing: each call has a target of its own, and nothing has to be remembered for that.

import Glibc

/// What a call, or a target, is known by where they find each other. The same bytes are the same key in every process and on every
/// machine. Whoever wants to can make bytes of any key: it spreads load, and protects nothing.
package struct AffinityKey: Hashable, Sendable {
    /// FNV-1a (Fowler, Noll and Vo) of all bytes so far.
    fileprivate var bits: UInt64 = 0xCBF2_9CE4_8422_2325

    /// Of no bytes.
    package init() {}

    /// Adds bytes. What follows each other is told apart only by what stands between.
    package mutating func append(_ bytes: some Sequence<UInt8>) {
        for byte in bytes { bits = (bits ^ UInt64(byte)) &* 0x100_0000_01B3 }
    }

    /// How close a target is to it (Thaler and Ravishankar, "Using Name-Based Mappings to Increase Hit Rates", 1998; with weights as in
    /// Schindelhauer and Schomaker, "Weighted Distributed Hash Tables", 2005): over all keys each target is the closest as often as its
    /// weight says, and one that is away changes nothing between the others.
    ///
    /// - Parameter weight: at least 1.
    package func closeness(to target: AffinityKey, weight: Int) -> Double {
        // The generator's own mixing, so that keys alike are not close to the same.
        var mixed = bits &+ target.bits &* 0x9E37_79B9_7F4A_7C15
        mixed = (mixed ^ mixed >> 30) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ mixed >> 27) &* 0x94D0_49BB_1331_11EB
        mixed ^= mixed >> 31
        // Between 0 and 1, and neither.
        let unit = (Double(mixed >> 12) + 0.5) / Double(UInt64(1) << 52)
        return -Double(max(weight, 1)) / log(unit)
    }
}

/// Finds the closest of the targets that it is offered. One with room comes before any without.
struct Closest {
    /// The closest so far.
    private(set) var choice: Int?
    private var best = (hasRoom: false, closeness: -Double.infinity)

    mutating func offer(_ target: SelectionTarget, at index: Int) {
        let closeness = target.closeness ?? 0
        guard choice == nil || (target.hasRoom != best.hasRoom ? target.hasRoom : closeness > best.closeness) else { return }
        (choice, best) = (index, (target.hasRoom, closeness))
    }
}
