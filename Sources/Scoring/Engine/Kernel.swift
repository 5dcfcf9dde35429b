import Base
import CForest
import Foundation

/// The instruction set that walks the trees. All give the same bits; the fastest one that the processor has is chosen
/// at start-up, and `IMPACTIQ_KERNEL` (`scalar`, `avx2`, `avx512`, `neon`) forces one.
package enum Kernel: String, Sendable, CaseIterable {
    case scalar, avx2, avx512, neon

    /// Whether this build and this processor can run it.
    package var isAvailable: Bool { cforest_supports(number) != 0 }

    /// Those that can run here, the fastest first.
    package static let available: [Kernel] = [.avx512, .neon, .avx2, .scalar].filter(\.isAvailable)

    /// The one that `IMPACTIQ_KERNEL` names, or else the fastest that can run here.
    package static let best = (try? selected()) ?? available.first ?? .scalar

    /// The same as `best`, but a name that is unknown or cannot run here is an error. `Model.open` asks.
    static func selected() throws(ImpactError) -> Kernel {
        try named(ProcessInfo.processInfo.environment["IMPACTIQ_KERNEL"])
    }

    /// The kernel that a value of IMPACTIQ_KERNEL asks for; the fastest when it is nil or empty.
    package static func named(_ name: String?) throws(ImpactError) -> Kernel {
        guard let name, !name.isEmpty else { return available.first ?? .scalar }
        let usable = available.map(\.rawValue).joined(separator: ", ")
        guard let kernel = Kernel(rawValue: name) else {
            throw ImpactError(
                .badConfiguration, code: "unknown_kernel", "IMPACTIQ_KERNEL is \"\(name)\"; it can be: \(usable)")
        }
        guard kernel.isAvailable else {
            throw ImpactError(
                .badConfiguration, code: "kernel_not_available",
                "IMPACTIQ_KERNEL is \"\(name)\", which this machine cannot run; it can run: \(usable)")
        }
        return kernel
    }

    var number: Int32 {
        switch self {
        case .scalar: Int32(CFOREST_SCALAR)
        case .avx2: Int32(CFOREST_AVX2)
        case .avx512: Int32(CFOREST_AVX512)
        case .neon: Int32(CFOREST_NEON)
        }
    }
}
