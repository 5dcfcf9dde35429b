// Any bytes as a feature specification: what is accepted compiles to a plan or says why not, and its canonical form reads
// back as the same specification.
import Events
import Features

@_cdecl("LLVMFuzzerTestOneInput")
public func fuzz(_ data: UnsafePointer<UInt8>, _ size: Int) -> CInt {
    let bytes = Array(UnsafeBufferPointer(start: data, count: size))
    guard let specification = try? FeatureSpecification(json: bytes) else { return 0 }
    let again = try? FeatureSpecification(json: specification.canonicalJSON)
    precondition(again == specification, "the canonical form is another specification")
    _ = try? FeaturePlan(specification)
    return 0
}
