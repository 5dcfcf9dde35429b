/// A fixed table in memory of its own: an array inside a class costs an exclusivity check an access.
struct PlainTable<Element: BitwiseCopyable>: ~Copyable {
    private let storage: UnsafeMutableBufferPointer<Element>

    init(_ elements: [Element]) {
        storage = .allocate(capacity: max(1, elements.count))
        _ = storage.initialize(from: elements)
    }

    deinit { storage.deallocate() }

    @inline(__always)
    subscript(index: Int) -> Element { storage[index] }
}
