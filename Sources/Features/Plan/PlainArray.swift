/// An immutable array of plain values outside Swift's array machinery: a pointer and nothing else on the hot path,
/// where an array held by a class costs an exclusivity check an access.
final class PlainArray<Element: BitwiseCopyable & Sendable>: @unchecked Sendable {
    // Unchecked: written in init only, read-only afterwards, freed with the last owner.
    let base: UnsafePointer<Element>
    let count: Int

    init(_ elements: [Element]) {
        let memory = UnsafeMutablePointer<Element>.allocate(capacity: max(1, elements.count))
        memory.initialize(from: elements, count: elements.count)
        base = UnsafePointer(memory)
        count = elements.count
    }

    /// The elements as a bare pointer, good while the array lives.
    var view: UnsafeBufferPointer<Element> { UnsafeBufferPointer(start: base, count: count) }

    deinit { base.deallocate() }
}
