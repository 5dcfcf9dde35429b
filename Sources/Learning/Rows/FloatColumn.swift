import Foundation

/// A column of float32 that grows as rows are read. NaN is a missing value.
///
/// One thread appends; once it is complete any number of threads may read it.
package final class FloatColumn: @unchecked Sendable {  // written by one thread before it is shared
    /// Owned; freed in `deinit`. Grown with `realloc`, which moves pages of large columns instead of copying them.
    package private(set) var values: UnsafeMutablePointer<Float>
    package private(set) var count = 0
    private var capacity: Int

    package init(capacity: Int = 1024) {
        self.capacity = max(16, capacity)
        values = Self.resize(nil, self.capacity)
    }

    package convenience init(_ values: [Float]) {
        self.init(capacity: values.count)
        for value in values { append(value) }
    }

    deinit { free(values) }

    private static func resize(_ old: UnsafeMutablePointer<Float>?, _ capacity: Int) -> UnsafeMutablePointer<Float> {
        guard let memory = realloc(old, capacity * 4) else { fatalError("out of memory: \(capacity * 4) bytes") }
        return memory.assumingMemoryBound(to: Float.self)
    }

    @inline(__always)
    package func append(_ value: Float) {
        if count == capacity {
            capacity += capacity / 2
            values = Self.resize(values, capacity)
        }
        values[count] = value
        count += 1
    }

    /// Takes the last value away again.
    package func removeLast() { count -= 1 }

    @inline(__always)
    package subscript(_ row: Int) -> Float { values[row] }

    package var buffer: UnsafeBufferPointer<Float> { UnsafeBufferPointer(start: values, count: count) }

    /// Gives back what is allocated beyond the values.
    package func shrink() {
        capacity = max(16, count)
        values = Self.resize(values, capacity)
    }
}
