import Events
import JSON

/// Reads one message into an empty batch, from memory of exactly the message's size: what the caller makes of the event, or
/// the error with its field and byte.
func outcome(
    _ message: [UInt8], _ batch: EventBatch, timestamp: Int64 = -1, _ describe: (Event) -> String
) -> String {
    batch.removeAll()
    let exact = UnsafeMutableRawBufferPointer.allocate(byteCount: message.count, alignment: 1)
    defer { exact.deallocate() }
    exact.copyBytes(from: message)
    do throws(InputError) {
        try batch.append(UnsafeRawBufferPointer(exact), key: nil, source: SourcePosition(timestamp: timestamp))
    } catch {
        return "\(error.code) \(error.field.rawValue) at \(error.position)"
    }
    return describe(batch[0])
}
