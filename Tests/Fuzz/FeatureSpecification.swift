import Base
import Events
import Features

/// Fuzzes the reader of feature specifications: whatever the bytes, it refuses them with a reason, or reads a
/// specification whose canonical form is read as the same, and which compiles or says why it does not.
@_cdecl("LLVMFuzzerTestOneInput")
package func fuzzFeatureSpecification(_ data: UnsafePointer<UInt8>?, _ size: Int) -> CInt {
    let bytes = Array(UnsafeBufferPointer(start: data, count: size))
    do throws(ImpactError) {
        let specification = try FeatureSpecification(json: bytes)
        let again = try FeatureSpecification(json: specification.canonicalJSON)
        precondition(again == specification, "the canonical form is another specification")
        _ = try FeaturePlan(specification)
    } catch {
        precondition(!error.code.isEmpty && !error.message.isEmpty, "an error without a reason")
    }
    return 0
}
