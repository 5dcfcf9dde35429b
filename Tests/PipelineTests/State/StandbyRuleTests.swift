import Kafka
import Pipeline
import Testing

@Suite("Which process keeps which warm copies")
struct StandbyRuleTests {
    private func member(_ process: String, _ worker: Int, _ partitions: [Int32]) -> GroupMember {
        GroupMember(
            clientID: StandbyRule.clientID(application: "app", process: process, worker: worker),
            assignment: partitions.map { TopicPartition("events", $0) })
    }

    /// Each partition's followers, by all processes' own views.
    private func followers(_ members: [GroupMember], _ processes: [String], _ replicas: Int) -> [Int32: Set<String>] {
        var followers: [Int32: Set<String>] = [:]
        for process in processes {
            let wanted = StandbyRule.partitions(of: members, application: "app", me: process, replicas: replicas)
            for partition in wanted { followers[partition, default: []].insert(process) }
        }
        return followers
    }

    @Test("Each partition has as many copies as asked for, never at its owner", arguments: 0...4)
    func copies(replicas: Int) {
        let processes = ["aa", "b-b", "cc", "dd"]
        let members = [
            member("aa", 0, [0, 1]), member("aa", 1, [2]), member("b-b", 0, [3, 4]), member("cc", 0, [5]),
            member("dd", 0, []),
        ]
        let followers = followers(members, processes, replicas)
        for owner in members {
            for partition in owner.assignment.map(\.partition) {
                let own = followers[partition] ?? []
                #expect(own.count == min(replicas, processes.count - 1), "partition \(partition)")
                #expect(
                    !own.contains { owner.clientID == "app-\($0)-worker-0" || owner.clientID == "app-\($0)-worker-1" })
            }
        }
    }

    @Test("Strangers in the group and a process alone follow nothing")
    func strangers() {
        #expect(StandbyRule.partitions(of: [], application: "app", me: "aa", replicas: 3).isEmpty)
        let alone = [member("aa", 0, [0, 1, 2])]
        #expect(StandbyRule.partitions(of: alone, application: "app", me: "aa", replicas: 3).isEmpty)
        let stranger = [GroupMember(clientID: "rdkafka", assignment: [TopicPartition("events", 0)])]
        #expect(StandbyRule.partitions(of: stranger, application: "app", me: "aa", replicas: 3).isEmpty)
    }
}
