/// SplitMix64: the same numbers in every run.
struct SeededGenerator: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }

    /// Replaces, inserts or removes one byte, or doubles a part.
    mutating func mutate(_ bytes: inout [UInt8]) {
        let interesting = Array("{}[]\",:\\u09-+.eE tfn".utf8) + [0, 0x80, 0xC3, 0xE2, 0xED, 0xF4, 0xFF, 0x0A, 0x0D]
        let byte = Bool.random(using: &self) ? interesting.randomElement(using: &self)! : UInt8.random(in: 0...255, using: &self)
        let offset = Int.random(in: 0...bytes.count, using: &self)
        switch Int.random(in: 0..<4, using: &self) {
        case 0 where offset < bytes.count: bytes[offset] = byte
        case 1 where offset < bytes.count: bytes.remove(at: offset)
        case 2: bytes.insert(contentsOf: bytes[offset...], at: offset)
        default: bytes.insert(byte, at: offset)
        }
    }
}
