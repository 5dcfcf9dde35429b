import Base
import Features
import Kafka

/// Whether a changelog's records are of the model's features, as far as some of them tell.
struct FeatureFinding {
    private let state: PartitionState
    private var hasReadable = false
    /// The first record that another specification or another version wrote.
    private var foreign: (place: TopicPartition, reason: String)?

    init(_ plan: FeaturePlan) { state = PartitionState(plan: plan) }

    /// Why the state cannot be the model's: a record of others, and none that can be read.
    var refusal: (place: TopicPartition, reason: String)? { hasReadable ? nil : foreign }

    /// Looks at a record; tombstones and damaged ones tell nothing.
    mutating func look(at place: TopicPartition, key: [UInt8]?, value: [UInt8]?) {
        guard let key, let value else { return }
        let failure: ImpactError? = key.withUnsafeBytes { user in
            value.withUnsafeBytes { record in
                do throws(ImpactError) {
                    try state.restore(user: user, record: record)
                    return nil
                } catch { return error }
            }
        }
        guard let failure else { return hasReadable = true }
        let isOfOthers = failure.code == "state_record_specification" || failure.code == "state_record_version"
        if isOfOthers, foreign == nil { foreign = (place, failure.message) }
    }
}
