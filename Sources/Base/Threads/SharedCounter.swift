import Synchronization

/// Hands out 0, 1, 2, … to several threads.
public final class SharedCounter: Sendable {
    private let value = Atomic<Int>(0)

    public init() {}

    public func take() -> Int { value.wrappingAdd(1, ordering: .relaxed).oldValue }
}
