import Base
import Testing

@Test("Exit statuses are those of the contract")
func exitStatuses() {
    let expected: [ImpactError.Kind: Int32] = [.failed: 1, .usage: 64, .badInput: 65, .badConfiguration: 78]
    for (kind, status) in expected { #expect(kind.rawValue == status) }
}
