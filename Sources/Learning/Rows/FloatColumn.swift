import Base
import Foundation

/// A column of float32 that grows as rows are read. NaN is a missing value.
///
/// One thread appends; once it is complete any number of threads may read it.
package final class FloatColumn: @unchecked Sendable {  // written by one thread before it is shared
    /// Owned when there is a capacity; freed in `deinit`. Grown with `realloc`, which moves pages of large columns instead
    /// of copying them.
    package private(set) var values: UnsafeMutablePointer<Float>
    package private(set) var count = 0
    private var capacity = 0
    /// Where the pointer of a column without values points to.
    nonisolated(unsafe) private static let nothing = UnsafeMutablePointer<Float>.allocate(capacity: 1)  // never read

    package init() { values = Self.nothing }

    deinit { if capacity > 0 { free(values) } }

    /// - Throws: `out_of_memory`: how long a column becomes is the file's to say.
    private func resize(_ capacity: Int) throws(ImpactError) {
        guard let memory = realloc(self.capacity > 0 ? values : nil, capacity * 4) else {
            throw ImpactError(
                .failed, code: "out_of_memory",
                "no memory for \(capacity) values of a column (\(capacity * 4) bytes): read fewer rows or columns")
        }
        values = memory.assumingMemoryBound(to: Float.self)
        self.capacity = capacity
    }

    @inline(__always)
    package func append(_ value: Float) throws(ImpactError) {
        if count == capacity { try resize(max(1_024, capacity + capacity / 2)) }
        values[count] = value
        count += 1
    }

    /// Takes all values away; their room stays.
    package func removeAll() { count = 0 }

    /// Takes the last value away again.
    package func removeLast() { count -= 1 }

    @inline(__always)
    package subscript(_ row: Int) -> Float { values[row] }

    package var buffer: UnsafeBufferPointer<Float> { UnsafeBufferPointer(start: values, count: count) }

    /// Gives back what is allocated beyond the values.
    package func shrink() throws(ImpactError) {
        if count > 0, count < capacity { try resize(count) }
    }
}
