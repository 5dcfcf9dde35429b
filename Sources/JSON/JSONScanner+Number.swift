import CNumeric

extension JSONScanner {
    /// A number that begins at the current byte (RFC 8259, section 6).
    @inlinable @inline(__always)
    public mutating func scanNumber() throws(InputError) -> Number {
        var number = Number(start: position)
        if current == 0x2D {
            number.isNegative = true
            position &+= 1
        }
        if current == 0x30 {
            position &+= 1
        } else {
            guard scanDigits(&number, fraction: false) else { throw fault() }
        }
        if current == 0x2E {
            number.isInteger = false
            position &+= 1
            guard scanDigits(&number, fraction: true) else { throw fault() }
        }
        if current | 0x20 == 0x65 { try scanExponent(&number) }
        // A digit here means a leading zero: 012.
        if (0x30...0x39).contains(current), position < count { throw fault() }
        number.end = position
        return number
    }

    /// A plain number of at most fifteen digits as a double; nil, and nothing taken, for any other one.
    ///
    /// Its digits and its power of ten are exact, so one rounding suffices (Clinger 1990). What is left out here, an
    /// exponent, a leading zero, many digits or a fault, is for ``scanNumber()``.
    @inlinable @inline(__always)
    public mutating func scanShortNumber() -> Double? {
        let isNegative = current == 0x2D
        let start = isNegative ? position &+ 1 : position
        // Fifteen digits, the point and what ends them must lie before it.
        let end = min(count, start &+ 17)
        var next = start
        var mantissa: UInt64 = 0
        let whole = takeDigits(&next, end, &mantissa)
        guard whole > 0, next < end, whole == 1 || base[start] != 0x30 else { return nil }
        var fraction = 0
        if base[next] == 0x2E {
            next &+= 1
            fraction = takeDigits(&next, end, &mantissa)
            guard fraction > 0, next < end else { return nil }
        }
        guard whole &+ fraction <= 15, base[next] | 0x20 != 0x65, base[next] != 0x2E else { return nil }
        position = next
        let magnitude = cnumeric_scale(mantissa, Int64(0 &- fraction))
        return isNegative ? -magnitude : magnitude
    }

    /// Appends digits to the mantissa; how many there were.
    @inlinable @inline(__always)
    public func takeDigits(_ next: inout Int, _ end: Int, _ mantissa: inout UInt64) -> Int {
        let start = next
        while next < end, case let digit = base[next] &- 0x30, digit <= 9 {
            mantissa = mantissa &* 10 &+ UInt64(digit)
            next &+= 1
        }
        return next &- start
    }

    /// Takes the digits that follow; false when there is none.
    @inlinable @inline(__always)
    public mutating func scanDigits(_ number: inout Number, fraction: Bool) -> Bool {
        let start = position
        // Few enough to hold, so nothing can overflow; almost every number ends here.
        let end = min(count, start &+ 18 &- number.digits)
        var next = start
        number.digits &+= takeDigits(&next, end, &number.mantissa)
        if fraction { number.exponent &-= next &- start }
        position = next
        if next >= end, current &- 0x30 <= 9 { scanManyDigits(&number, fraction: fraction) }
        return position > start
    }

    /// The digits after the eighteenth.
    @inline(never)
    public mutating func scanManyDigits(_ number: inout Number, fraction: Bool) {
        while case let digit = current &- 0x30, digit <= 9 {
            // From the twentieth on too many to hold: the exact value is read from the text.
            if number.digits < 19 {
                number.mantissa = number.mantissa &* 10 &+ UInt64(digit)
                if fraction { number.exponent &-= 1 }
            }
            number.digits &+= 1
            position &+= 1
        }
    }

    public mutating func scanExponent(_ number: inout Number) throws(InputError) {
        number.isInteger = false
        position += 1
        let isNegative = current == 0x2D
        if isNegative || current == 0x2B { position += 1 }
        let start = position
        var exponent = 0
        while (0x30...0x39).contains(current), position < count {
            exponent = min(exponent * 10 + Int(current - 0x30), 100_000)
            position += 1
        }
        guard position > start else { throw fault() }
        number.exponent += isNegative ? -exponent : exponent
    }

    /// The number as a double, correctly rounded.
    /// - Throws: `numberOutOfRange` when it is beyond the largest double; one too small becomes 0 or subnormal.
    @inlinable @inline(__always)
    public func double(_ number: Number) throws(InputError) -> Double {
        // Both factors exact, so one rounding (Clinger 1990).
        if number.mantissa <= 1 << 53, number.digits <= 19, number.exponent >= -22, number.exponent <= 22 {
            let magnitude = cnumeric_scale(number.mantissa, Int64(number.exponent))
            return number.isNegative ? -magnitude : magnitude
        }
        return try doubleFromText(number)
    }

    @inline(never)
    public func doubleFromText(_ number: Number) throws(InputError) -> Double {
        var value = 0.0
        let text = UnsafeRawPointer(base + number.start).assumingMemoryBound(to: CChar.self)
        guard cnumeric_read_double(text, number.end - number.start, &value) == 0 else {
            throw InputError(.numberOutOfRange, position: number.start)
        }
        return value
    }

    /// The integer, or nil when it has a fraction, an exponent, or does not fit.
    @inlinable @inline(__always)
    public func integer(_ number: Number) -> Int64? {
        guard number.isInteger, number.digits <= 19 else { return nil }
        if number.isNegative {
            guard number.mantissa <= 1 << 63 else { return nil }
            return Int64(truncatingIfNeeded: 0 &- number.mantissa)
        }
        return Int64(exactly: number.mantissa)
    }
}
