import Base
import Events
import Simulation

/// Messages of the simulated trial in memory, as a consumer would lend them.
final class SyntheticMessages {
    private let buffer: ByteBuffer
    private var simulation: TrialSimulation
    private let padding: Int
    private var places: [(key: Range<Int>, value: Range<Int>)] = []

    /// - Parameters:
    ///   - events: how many to make at once.
    ///   - padding: bytes of a property that no feature reads, added to each event.
    init(events: Int = 0, users: Int, padding: Int = 0) throws(ImpactError) {
        var settings = TrialSettings()
        settings.users = users
        simulation = try TrialSimulation(settings)
        self.padding = padding
        buffer = ByteBuffer(capacity: max(1, events) * (240 + padding))
        fill(events)
    }

    /// Makes the next messages of the trial, in the place of those that were there.
    func fill(_ events: Int) {
        buffer.removeAll()
        places.removeAll(keepingCapacity: true)
        places.reserveCapacity(events)
        for _ in 0..<events {
            let event = simulation.next(into: buffer)
            if padding > 0 { pad() }
            places.append((event.key, event.value.lowerBound..<buffer.count))
        }
    }

    /// Adds the property in place of the closing brace, which comes last.
    private func pad() {
        buffer.truncate(to: buffer.count - 1)
        buffer.append(",\"padding\":\"")
        for _ in 0..<padding { buffer.append(UInt8(ascii: "x")) }
        buffer.append("\"}")
    }

    var count: Int { places.count }
    var bytes: UnsafeRawBufferPointer { buffer.bytes }

    func keyRange(_ i: Int) -> Range<Int> { places[i].key }
    func valueRange(_ i: Int) -> Range<Int> { places[i].value }
    func value(_ i: Int) -> UnsafeRawBufferPointer { buffer.bytes(places[i].value) }
    func key(_ i: Int) -> UnsafeRawBufferPointer { buffer.bytes(places[i].key) }
}
