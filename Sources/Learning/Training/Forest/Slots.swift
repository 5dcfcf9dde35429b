/// Places that parts of a parallel loop fill, each its own.
final class Slots<Value>: @unchecked Sendable {  // every place is written by one part and read after the loop
    private let places: UnsafeMutablePointer<Value?>
    private let count: Int

    init(_ count: Int) {
        self.count = count
        places = .allocate(capacity: max(1, count))
        places.initialize(repeating: nil, count: max(1, count))
    }

    deinit {
        places.deinitialize(count: max(1, count))
        places.deallocate()
    }

    subscript(_ index: Int) -> Value? {
        get { places[index] }
        set { places[index] = newValue }
    }

    var values: [Value] { (0..<count).compactMap { places[$0] } }
}
