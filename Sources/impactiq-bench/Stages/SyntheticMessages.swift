import Diagnostics
import Events
import Simulation

/// Messages of the simulated trial in memory, as a consumer would lend them.
final class SyntheticMessages {
    private let buffer: ByteBuffer
    private var places: [(key: Range<Int>, value: Range<Int>)] = []

    /// - Parameters:
    ///   - padding: bytes of a property that no feature reads, added to each event.
    init(events: Int, users: Int, padding: Int = 0) throws(ImpactError) {
        var settings = TrialSettings()
        settings.users = users
        var simulation = try TrialSimulation(settings)
        buffer = ByteBuffer(capacity: events * (240 + padding))
        places.reserveCapacity(events)
        for _ in 0..<events {
            let event = simulation.next(into: buffer)
            var value = event.value
            if padding > 0 {
                // In place of the closing brace, which comes last.
                buffer.truncate(to: buffer.count - 1)
                buffer.append(",\"padding\":\"")
                for _ in 0..<padding { buffer.append(UInt8(ascii: "x")) }
                buffer.append("\"}")
                value = value.lowerBound..<buffer.count
            }
            places.append((event.key, value))
        }
    }

    var count: Int { places.count }
    var bytes: Int { buffer.count }

    func value(_ i: Int) -> UnsafeRawBufferPointer { buffer.bytes(places[i].value) }
    func key(_ i: Int) -> UnsafeRawBufferPointer { buffer.bytes(places[i].key) }
}
