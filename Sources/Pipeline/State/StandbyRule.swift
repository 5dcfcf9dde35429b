import Foundation
import Kafka

/// Which process keeps which warm copies: the next ones after a partition's owner, in the order of the processes' names.
///
/// Every process computes it for itself from the group as the coordinator describes it. Views that differ for a moment
/// cost a copy too many or too few, never a wrong one.
package enum StandbyRule {
    /// - Parameters:
    ///   - me: this process's name, as its workers' client ids carry it.
    ///   - replicas: copies of each partition beside its owner's.
    /// - Returns: partitions that this process should follow.
    package static func partitions(
        of members: [GroupMember], application: String, me: String, replicas: Int
    ) -> Set<Int32> {
        let processes = Set(members.compactMap { process($0.clientID, application) }).union([me]).sorted()
        guard let own = processes.firstIndex(of: me), replicas > 0 else { return [] }
        var wanted: Set<Int32> = []
        for member in members {
            guard let name = process(member.clientID, application), let owner = processes.firstIndex(of: name),
                owner != own
            else { continue }
            // How many places this process stands behind the owner.
            let distance = (own - owner + processes.count) % processes.count
            if distance <= replicas { wanted.formUnion(member.assignment.map(\.partition)) }
        }
        return wanted
    }

    /// The client id of a worker: application, process and worker.
    package static func clientID(application: String, process: String, worker: Int) -> String {
        "\(application)-\(process)-worker-\(worker)"
    }

    private static func process(_ clientID: String, _ application: String) -> String? {
        guard clientID.hasPrefix(application + "-"), let end = clientID.range(of: "-worker-", options: .backwards)
        else { return nil }
        let start = clientID.index(clientID.startIndex, offsetBy: application.count + 1)
        return start < end.lowerBound ? String(clientID[start..<end.lowerBound]) : nil
    }
}
