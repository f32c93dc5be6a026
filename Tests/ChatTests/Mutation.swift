// Bytes changed at random.

import TestSupport

extension SeededGenerator {
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
