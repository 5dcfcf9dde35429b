import Base
import Events
import Features

/// Fuzzes the stored form of a user's record: whatever the bytes, `restore` refuses them with a reason, or takes them
/// and everything that can be done with a user works. Every other input gets a good header and checksum, so that the
/// checks behind them are reached.
@_cdecl("LLVMFuzzerTestOneInput")
package func fuzzUserRecord(_ data: UnsafePointer<UInt8>?, _ size: Int) -> CInt {
    guard let data, size > 0, let fixture = Fixture.shared else { return 0 }
    var bytes = Array(UnsafeBufferPointer(start: data, count: size))
    let user = Array("user".utf8)
    let isSealed = bytes.removeFirst() & 1 == 1
    user.withUnsafeBytes { user in
        if isSealed { fixture.codec.seal(&bytes, user: user) }
        bytes.withUnsafeBytes { fixture.run($0, user) }
    }
    return 0
}

private final class Fixture {
    // Unchecked: a fuzzer runs its inputs on one thread.
    nonisolated(unsafe) static let shared: Fixture? = try? Fixture()

    let plan: FeaturePlan
    let codec: UserRecordCodec
    let state: PartitionState
    private var row: [Float]

    init() throws(ImpactError) {
        let json = """
            {"features":[{"name":"a","aggregate":"count","window":"1h"},{"name":"b","aggregate":"sum","field":"value",
            "window":"7d"},{"name":"c","aggregate":"min","field":"value","window":"7d"},{"name":"d","aggregate":"last",
            "field":"value"},{"name":"e","aggregate":"recency"},{"name":"f","aggregate":"distinct","field":"channel",
            "window":"7d","capacity":5},{"name":"g","aggregate":"decayed_count","half_life":"1d"},{"name":"h",
            "aggregate":"ratio","numerator":"a","denominator":"b"}],"deduplication":{"ids":3}}
            """
        plan = try FeaturePlan(FeatureSpecification(json: Array(json.utf8)))
        codec = UserRecordCodec(plan)
        state = PartitionState(plan: plan, seed: 1)
        row = [Float](repeating: 0, count: plan.count)
    }

    func run(_ bytes: UnsafeRawBufferPointer, _ user: UnsafeRawBufferPointer) {
        do throws(ImpactError) { try state.restore(user: user, record: bytes) } catch { return }
        _ = state.features(ofUser: user)
        guard let slot = state.slot(ofUser: user) else { return }
        let clock = state.clock(slot)
        let steps: [Int64] = [0, -3_600_000, 1, 86_400_000 * 3, 86_400_000 * 60]
        for (i, step) in steps.enumerated() {
            var event = Event()
            event.type = UInt8(i)
            event.time = clock.addingReportingOverflow(step).partialValue
            event.hasID = true
            event.idHash = UInt64(i)
            let fields = plan.schema.fields.map { $0.path == "value" ? FieldValue(1.5) : FieldValue(textHash: 7) }
            fields.withUnsafeBufferPointer { fields in
                guard case .applied(let slot) = state.apply(event, fields: fields, user: user) else { return }
                row.withUnsafeMutableBufferPointer { row in
                    if let row = row.baseAddress { state.features(slot, into: row) }
                }
            }
        }
        // What was taken in can be stored and taken in again.
        if let slot = state.slot(ofUser: user) {
            let again = state.encoded(slot)
            state.commit()
            again.withUnsafeBytes { bytes in
                do throws(ImpactError) { try state.restore(user: user, record: bytes) } catch {
                    preconditionFailure("a stored record was refused: \(error.message)")
                }
            }
        }
        state.remove(user: user)
        state.commit()
    }
}
