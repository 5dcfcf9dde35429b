import Base
import Events
import Simulation

/// A message with its bytes taken out of the buffer.
struct Message {
    var event: GeneratedEvent
    var key: String
    var value: [UInt8]
    var text: String { String(decoding: value, as: UTF8.self) }
}

/// The first messages of a simulation, read in pieces of the given size.
func messages(_ settings: TrialSettings, _ count: Int, piece: Int = 1000) throws -> [Message] {
    var simulation = try TrialSimulation(settings)
    let buffer = ByteBuffer()
    var result: [Message] = []
    var events: [GeneratedEvent] = []
    while result.count < count {
        buffer.removeAll()
        events.removeAll()
        for _ in 0..<min(piece, count - result.count) { events.append(simulation.next(into: buffer)) }
        for event in events {
            let key = String(decoding: buffer.bytes[event.key], as: UTF8.self)
            result.append(Message(event: event, key: key, value: Array(buffer.bytes[event.value])))
        }
    }
    return result
}
