import Base
import Kafka
import Settings

/// Says that state is on its way to another count of partitions: until that is through the pipeline does not start.
///
/// A committed offset of a group of its own, whose metadata says what is being done: no topic is needed, and it goes with the
/// group.
package enum GrowthMark {
    static func group(_ configuration: Configuration) -> String { "\(configuration.applicationID)-grow" }

    private static func place(_ configuration: Configuration) -> TopicPartition {
        TopicPartition(configuration.changelogTopic, 0)
    }

    static func set(_ configuration: Configuration, to partitions: Int, _ admin: Admin) throws(ImpactError) {
        try admin.alterOffsets(
            ofGroup: group(configuration),
            to: [place(configuration): CommittedOffset(0, metadata: "growing to \(partitions)")])
    }

    package static func clear(_ configuration: Configuration, _ admin: Admin) throws(ImpactError) {
        try admin.delete(group: group(configuration))
    }

    static func isSet(_ configuration: Configuration, _ admin: Admin) throws(ImpactError) -> Bool {
        try partitions(configuration, admin) != nil
    }

    /// How many partitions an unfinished growth goes to.
    private static func partitions(_ configuration: Configuration, _ admin: Admin) throws(ImpactError) -> String? {
        let found = try admin.committed(
            ofGroup: group(configuration), partitions: [place(configuration)], stable: false)
        guard let mark = found[place(configuration)]?.metadata, mark.hasPrefix("growing to ") else { return nil }
        return String(mark.dropFirst("growing to ".count))
    }

    /// - Throws: `growth_unfinished`.
    package static func check(_ configuration: Configuration, _ admin: Admin) throws(ImpactError) {
        guard let count = try partitions(configuration, admin) else { return }
        throw ImpactError(
            .failed, code: "growth_unfinished",
            "the state of \(configuration.applicationID) is on its way to \(count) partitions, and 'impactiq topics grow' did "
                + "not come to its end: run 'impactiq topics grow --partitions \(count)' again")
    }
}
