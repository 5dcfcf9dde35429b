import Base
import CTraining

/// The instruction set that the grower uses. All give the same bits.
package enum TrainingKernel: String, Sendable, CaseIterable {
    case scalar, avx2, avx512

    var number: Int32 {
        switch self {
        case .scalar: Int32(CTRAINING_SCALAR)
        case .avx2: Int32(CTRAINING_AVX2)
        case .avx512: Int32(CTRAINING_AVX512)
        }
    }

    package static var available: [TrainingKernel] { allCases.filter { ctraining_supports($0.number) != 0 } }

    package static let best = available.last ?? .scalar
}
