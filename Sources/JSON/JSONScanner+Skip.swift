extension JSONScanner {
    /// Steps over one value of any kind, validating it whole; `depth` containers are open around it.
    public mutating func skipValue(depth: Int) throws(InputError) {
        var depth = depth
        let outermost = depth
        // A bit a level: 1 where the open container is an object.
        var isObject: UInt64 = 0
        while true {
            skipWhitespace()
            switch current {
            case 0x7B, 0x5B:
                let opensObject = current == 0x7B
                depth += 1
                guard depth <= maxDepth else { throw fault(.nestingTooDeep) }
                position += 1
                isObject = isObject << 1 | (opensObject ? 1 : 0)
                skipWhitespace()
                if current == (opensObject ? 0x7D : 0x5D) { break }
                if opensObject { try skipName() }
                continue
            case 0x22: _ = try scanString()
            case 0x74: try scan(.true)
            case 0x66: try scan(.false)
            case 0x6E: try scan(.null)
            default: _ = try scanNumber()
            }
            if try closeContainers(&depth, outermost, &isObject) { return }
        }
    }

    /// After a value: closes what ends here, or steps to the next value; true when the outermost value is complete.
    private mutating func closeContainers(
        _ depth: inout Int, _ outermost: Int, _ isObject: inout UInt64
    ) throws(InputError) -> Bool {
        while depth > outermost {
            skipWhitespace()
            let inObject = isObject & 1 == 1
            if current == 0x2C {
                position += 1
                if inObject {
                    skipWhitespace()
                    try skipName()
                }
                return false
            }
            try expect(inObject ? 0x7D : 0x5D)
            isObject >>= 1
            depth -= 1
        }
        return true
    }

    private mutating func skipName() throws(InputError) {
        _ = try scanString()
        skipWhitespace()
        try expect(0x3A)
    }
}
