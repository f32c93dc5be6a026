// Random numbers that spread requests and waits. Nothing secret depends on them.

import Synchronization

/// The generator SplitMix64 (Steele, Lea and Flood, "Fast Splittable Pseudorandom Number Generators", 2014): one sequence for the
/// process, from a random start. The system's generator asks the kernel for each number, which costs more than all else of choosing.
package struct SplitMix: RandomNumberGenerator {
    private static let state = Atomic<UInt64>(.random(in: .min ... .max))
    private static let step: UInt64 = 0x9E37_79B9_7F4A_7C15

    /// A way to the process's one sequence: two of them share it.
    package init() {}

    /// The sequence's next number, of all 64-bit ones. Any thread may ask.
    package func next() -> UInt64 {
        var bits = Self.state.wrappingAdd(Self.step, ordering: .relaxed).newValue
        bits = (bits ^ bits >> 30) &* 0xBF58_476D_1CE4_E5B9
        bits = (bits ^ bits >> 27) &* 0x94D0_49BB_1331_11EB
        return bits ^ bits >> 31
    }
}
