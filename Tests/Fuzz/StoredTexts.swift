// What is read back from topics, offsets and the local store: dead letters in parts, which of them were sent, a local
// copy's checkpoint. Refused, or read as something that is written the same again.
import Base
import Sinks
import StateStore

@_cdecl("LLVMFuzzerTestOneInput")
package func fuzz(_ data: UnsafePointer<UInt8>, _ size: Int) -> CInt {
    let bytes = Array(UnsafeBufferPointer(start: data, count: size))
    let text = String(decoding: bytes, as: UTF8.self)
    if let envelope = try? DeadLetterEnvelope(decoding: bytes) {
        precondition(envelope.encoded() == bytes, "an envelope is not what it was read from")
    }
    if var sent = SentLetters(position: Int64(size), metadata: text) {
        let again = SentLetters(position: sent.position, metadata: sent.metadata)
        precondition(again == sent, "sent letters are not what they were read from")
        sent.begin()
        for offset in [0, 1, sent.position, sent.position + 5] {
            sent.meet(offset)
            sent.send(offset)
            precondition(sent.contains(offset))
        }
    }
    if let checkpoint = Checkpoint(text: text) {
        precondition(Checkpoint(text: checkpoint.text) == checkpoint, "a checkpoint is not what it was read from")
    }
    _ = Secrets.masked(text)
    _ = text.printable()
    return 0
}
