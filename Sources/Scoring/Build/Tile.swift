/// The tile of the model file, as the kernels read it (Sources/CForest/tile.h): 64 bytes, three levels of splits in heap
/// order, eight exits. Here is what writes one and what `Model` checks of one.
package enum Tile {
    package static let bytes = 64
    package static let slots = 7
    package static let exits = 8
    package static let exitsOffset = 28
    package static let featuresOffset = 52
    package static let missingOffset = 60
    package static let wideMissingOffset = 63
    /// Features that an 8-bit index can name.
    package static let narrowFeatures = 256
    /// Features that a 12-bit index can name.
    package static let wideFeatures = 4096
    /// Exits are signed 24-bit numbers.
    package static let exitRange: ClosedRange<Int> = -(1 << 23)...(1 << 23) - 1

    /// The largest float32 that is not above `threshold`: `x <= threshold` decides the same for every float32 x.
    ///
    /// Infinities stay, values beyond float32 become its greatest finite number or −∞, subnormals stay subnormal.
    package static func roundedDown(_ threshold: Double) -> Float {
        let nearest = Float(threshold)
        return Double(nearest) > threshold ? nearest.nextDown : nearest
    }

    /// Writes one tile. `features` are the shard's numbers, `exits` in units from the base.
    package static func write(
        _ tile: SpooledTile, features: SIMD8<UInt16>, exits: SIMD8<Int32>, wide: Bool,
        to bytes: UnsafeMutableRawPointer
    ) {
        bytes.initializeMemory(as: UInt8.self, repeating: 0, count: Tile.bytes)
        for slot in 0..<slots {
            bytes.storeBytes(of: tile.thresholds[slot].bitPattern.littleEndian, toByteOffset: slot * 4, as: UInt32.self)
        }
        for exit in 0..<Tile.exits {
            let value = UInt32(bitPattern: exits[exit])
            for byte in 0..<3 {
                let part = UInt8(truncatingIfNeeded: value >> UInt32(8 * byte))
                bytes.storeBytes(of: part, toByteOffset: exitsOffset + exit * 3 + byte, as: UInt8.self)
            }
        }
        if wide {
            for slot in 0..<slots {
                let place = featuresOffset + slot * 3 / 2
                let word = bytes.loadUnaligned(fromByteOffset: place, as: UInt16.self)
                let shifted = features[slot] << (slot % 2 == 1 ? 4 : 0)
                bytes.storeBytes(of: word | shifted, toByteOffset: place, as: UInt16.self)
            }
            bytes.storeBytes(of: tile.missingRight, toByteOffset: wideMissingOffset, as: UInt8.self)
        } else {
            for slot in 0..<slots {
                let feature = UInt8(truncatingIfNeeded: features[slot])
                bytes.storeBytes(of: feature, toByteOffset: featuresOffset + slot, as: UInt8.self)
            }
            bytes.storeBytes(of: tile.missingRight, toByteOffset: missingOffset, as: UInt8.self)
        }
    }

    /// The exit numbered `index` of a tile, in units from the base.
    @inline(__always)
    package static func exit(_ tile: UnsafeRawPointer, _ index: Int) -> Int {
        Int(tile.loadUnaligned(fromByteOffset: exitsOffset - 1 + 3 * index, as: Int32.self) >> 8)
    }

    /// The feature of a slot.
    @inline(__always)
    package static func feature(_ tile: UnsafeRawPointer, _ slot: Int, wide: Bool) -> Int {
        guard wide else { return Int(tile.load(fromByteOffset: featuresOffset + slot, as: UInt8.self)) }
        let word = tile.loadUnaligned(fromByteOffset: featuresOffset + slot * 3 / 2, as: UInt16.self)
        return Int(slot % 2 == 1 ? word >> 4 : word & 0xFFF)
    }
}

/// A tile before its place in the file is known.
package struct SpooledTile {
    /// Per slot, the threshold; NaN where there is no split. Lane 7 is unused.
    package var thresholds = SIMD8<Float>(repeating: .nan)
    /// Per exit: ≥ 0 a tile, < 0 the leaf −1 − exit; both counted as the holder of the tile says.
    package var exits = SIMD8<Int32>()
    /// Per slot, the model's feature. Lane 7 is unused.
    package var features = SIMD8<UInt16>()
    /// Bit s: a missing value at slot s goes right.
    package var missingRight: UInt8 = 0
}
