import Base
import Scoring

/// A forest's trees as the model builder takes them, grown while it writes.
struct GrowerSource: TreeSource {
    let grower: ForestGrower

    mutating func nextTree() throws(ImpactError) -> RawTree? { try grower.next()?.raw(grower.problem.rows) }
}
