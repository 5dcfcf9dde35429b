// Any bytes as an event: the reader by prediction and the general reader must agree, on the event or on the error, and
// whatever is accepted is within the contract's bounds. The predicting reader keeps what it learned from earlier inputs.
import Events
import JSON

private struct Readers {
    let predicting: EventBatch
    let general: EventBatch

    init() {
        let schema = EventSchema(fields: [
            .init("value", expects: .number), .init("channel"), .init("campaign_id"), .init("properties.a"),
            .init("properties.number", expects: .number), .init("properties.text", expects: .text),
            .init("properties.a_name_of_more_than_sixteen_bytes"),
        ])
        var limits = EventLimits()
        limits.requiresKey = false
        predicting = EventBatch(schema: schema, limits: limits, capacity: 1, predicts: true)
        general = EventBatch(schema: schema, limits: limits, capacity: 1, predicts: false)
    }

    func check(_ message: UnsafeRawBufferPointer) {
        let errors = (error(predicting, message), error(general, message))
        precondition(errors.0 == errors.1, "prediction changes the error")
        precondition(predicting.count == general.count && (predicting.count == 1) == (errors.0 == nil))
        if predicting.count == 1 { checkEvent() }
        predicting.removeAll()
        general.removeAll()
    }

    private func error(_ batch: EventBatch, _ message: UnsafeRawBufferPointer) -> InputError? {
        do throws(InputError) {
            try batch.append(message, key: nil, source: SourcePosition(timestamp: 1_795_255_200_123))
            return nil
        } catch { return error }
    }

    private func checkEvent() {
        let a = predicting[0], b = general[0]
        precondition(a.user.start == b.user.start && predicting.user(0).elementsEqual(general.user(0)))
        precondition(predicting.bytes(a.typeText).elementsEqual(general.bytes(b.typeText)))
        precondition(a.userHash == b.userHash && a.type == b.type && a.time == b.time && a.idHash == b.idHash)
        precondition(a.hasID == b.hasID && a.hasTreatment == b.hasTreatment && a.armHash == b.armHash)
        precondition(a.experimentHash == b.experimentHash && a.propensity.bitPattern == b.propensity.bitPattern)
        precondition(predicting.fields(0).elementsEqual(general.fields(0)))
        precondition(String(validating: predicting.user(0), as: UTF8.self) != nil, "a user id that is no UTF-8")
        precondition((1...256).contains(predicting.user(0).count) && EventLimits.timeRange.contains(a.time))
    }
}

// Made once; libFuzzer calls from one thread.
nonisolated(unsafe) private let readers = Readers()

@_cdecl("LLVMFuzzerTestOneInput")
package func fuzz(_ data: UnsafePointer<UInt8>, _ size: Int) -> CInt {
    // A copy of the exact size, so that the sanitizer sees a read past its end.
    let message = UnsafeMutableRawBufferPointer.allocate(byteCount: size, alignment: 1)
    defer { message.deallocate() }
    message.copyMemory(from: UnsafeRawBufferPointer(start: data, count: size))
    readers.check(UnsafeRawBufferPointer(message))
    return 0
}
