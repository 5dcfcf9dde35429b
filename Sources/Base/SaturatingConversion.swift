extension FixedWidthInteger {
    /// The number without its fraction; the nearest of the type's numbers for what lies outside, 0 for NaN.
    ///
    /// For every Double that comes from a file, a message or a user: `Int(_:)` ends the process for one that does not fit.
    @inlinable
    public init(saturating value: Double) {
        if let exact = Self(exactly: value.rounded(.towardZero)) {
            self = exact
        } else if value.isNaN {
            self = 0
        } else {
            self = value < 0 ? .min : .max
        }
    }
}
