// Any bytes as a user's record from the changelog: refused with a reason, or the state can encode it again.
import Events
import Features

private let specification = """
    {"features":[{"name":"clicks","aggregate":"count","events":["click"],"window":"7d"},
    {"name":"spend","aggregate":"sum","events":["purchase"],"field":"value","window":"30d"},
    {"name":"since","aggregate":"recency","events":["click"]},
    {"name":"campaigns","aggregate":"distinct","field":"campaign_id","window":"30d"}]}
    """

private func makeState() -> PartitionState? {
    guard let features = try? FeatureSpecification(json: Array(specification.utf8)),
        let plan = try? FeaturePlan(features)
    else { return nil }
    return PartitionState(plan: plan)
}

nonisolated(unsafe) private let state = makeState()  // libFuzzer calls from one thread.

@_cdecl("LLVMFuzzerTestOneInput")
public func fuzz(_ data: UnsafePointer<UInt8>, _ size: Int) -> CInt {
    guard let state else { preconditionFailure("the target's own specification is refused") }
    let user: StaticString = "u-17"
    let key = UnsafeRawBufferPointer(start: user.utf8Start, count: user.utf8CodeUnitCount)
    let record = UnsafeMutableRawBufferPointer.allocate(byteCount: size, alignment: 1)
    defer { record.deallocate() }
    record.copyMemory(from: UnsafeRawBufferPointer(start: data, count: size))
    try? state.restore(user: key, record: UnsafeRawBufferPointer(record))
    return 0
}
