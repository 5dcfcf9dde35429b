// Any bytes as a replay's checkpoint, behind a good digest: refused, or a progress that the replay can go on from.
import Backtest
import Base
import Features

private let plan: FeaturePlan? = try? FeaturePlan(
    FeatureSpecification(
        json: Array(
            """
            {"features":[{"name":"a","aggregate":"count","window":"1h"},{"name":"b","aggregate":"last","field":"value"}]}
            """.utf8)))

@_cdecl("LLVMFuzzerTestOneInput")
package func fuzz(_ data: UnsafePointer<UInt8>, _ size: Int) -> CInt {
    guard let plan else { return 0 }
    var bytes = Array(UnsafeBufferPointer(start: data, count: size))
    // Every other input gets the plan's own fingerprint behind its JSON, so that what follows is reached.
    if size > 12, data[0] & 1 == 1 {
        let json = Int(data[1]) % (size - 8)
        withUnsafeBytes(of: UInt32(json).littleEndian) { bytes.replaceSubrange(0..<4, with: $0) }
        if 4 + json + 8 <= bytes.count {
            withUnsafeBytes(of: plan.fingerprint.littleEndian) {
                bytes.replaceSubrange(4 + json..<4 + json + 8, with: $0)
            }
        }
    }
    bytes += SHA256.digest(bytes)
    let state = PartitionState(plan: plan, seed: 1)
    let span = PartitionSpan(partition: 0, first: 0, from: 0, end: 1_000)
    bytes.withUnsafeBytes { CheckpointProbe.read($0, into: state, span: span) }
    return 0
}
