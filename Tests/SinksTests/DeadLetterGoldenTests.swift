import Kafka
import Sinks
import TestSupport
import Testing

@Test("A dead letter's headers and envelope, byte for byte")
func deadLetterFormat() throws {
    let reason = DeadLetterReason(
        code: "invalid_json", message: "not valid JSON (RFC 8259), byte 7", topic: "events", partition: 3, offset: 1_234
    )
    var text = ""
    for header in reason.headers(application: "spring") {
        text += String(decoding: header.nameBytes, as: UTF8.self) + ": "
        text += String(decoding: header.value ?? [], as: UTF8.self) + "\n"
    }
    let envelope = DeadLetterEnvelope(
        key: Array("u-17".utf8), value: nil,
        headers: [RecordHeader("trace", text: "a"), RecordHeader(nameBytes: [], nil)], timestamp: 1_795_255_200_123)
    text += Golden.hex(envelope.encoded())
    #expect(try Golden.difference(text, from: "dead-letter.txt") == nil)
}
