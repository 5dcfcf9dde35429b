import Base
import Kafka
import Sinks
import TestSupport
import Testing

@Suite("The envelope of a dead letter in parts")
struct DeadLetterEnvelopeTests {
    private func sample(_ random: inout SeededGenerator) -> DeadLetterEnvelope {
        func bytes(_ most: Int) -> [UInt8]? {
            let count = Int.random(in: -1...most, using: &random)
            return count < 0 ? nil : (0..<count).map { _ in UInt8.random(in: 0...255, using: &random) }
        }
        let headers = (0..<Int.random(in: 0...4, using: &random)).map { _ in
            RecordHeader(nameBytes: bytes(8) ?? [], bytes(20))
        }
        return DeadLetterEnvelope(
            key: bytes(10), value: bytes(200), headers: headers,
            timestamp: Int64.random(in: .min ... .max, using: &random))
    }

    @Test("What was encoded is read back, null and empty kept apart")
    func roundTrip() throws {
        var random = SeededGenerator.announced()
        for _ in 0..<500 {
            let envelope = sample(&random)
            #expect(try DeadLetterEnvelope(decoding: envelope.encoded()) == envelope)
        }
    }

    @Test("Cut, lengthened or foreign bytes are refused, and no byte of damage crashes the reader")
    func damage() throws {
        var random = SeededGenerator.announced()
        for _ in 0..<300 {
            let bytes = sample(&random).encoded()
            let cut = Array(bytes.prefix(Int.random(in: 0..<bytes.count, using: &random)))
            let refused = #expect(throws: ImpactError.self) { try DeadLetterEnvelope(decoding: cut) }
            #expect(refused?.code == "dead_letter_envelope")
            #expect(throws: ImpactError.self) { try DeadLetterEnvelope(decoding: bytes + [0]) }
            var changed = bytes
            changed[Int.random(in: 0..<bytes.count, using: &random)] ^= UInt8.random(in: 1...255, using: &random)
            _ = try? DeadLetterEnvelope(decoding: changed)
        }
    }
}
