// Any bytes as a score: accepted or refused, never a crash, and each text is UTF-8.
import Events

nonisolated(unsafe) private let reader = ScoreReader()  // libFuzzer calls from one thread.

@_cdecl("LLVMFuzzerTestOneInput")
package func fuzz(_ data: UnsafePointer<UInt8>, _ size: Int) -> CInt {
    let message = UnsafeMutableRawBufferPointer.allocate(byteCount: size, alignment: 1)
    defer { message.deallocate() }
    message.copyMemory(from: UnsafeRawBufferPointer(start: data, count: size))
    guard let score = try? reader.read(UnsafeRawBufferPointer(message)) else { return 0 }
    let texts = [
        score.user, score.eventType, score.treatment, score.outcome, score.decision, score.model, score.modelVersion,
        score.modelSHA256, score.sourceTopic, score.effects,
    ]
    for text in texts {
        precondition(String(validating: reader.bytes(text), as: UTF8.self) != nil, "a text that is no UTF-8")
    }
    return 0
}
