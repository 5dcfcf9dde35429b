import Base
import Foundation
import Kafka
import Testing

@Suite("Admin requests on a mock cluster", .serialized)
struct AdminMockTests {
    @Test("Topics are found with their partitions, and asking for one never creates it")
    func topics() throws {
        let cluster = try MockCluster(brokers: 3)
        try cluster.create(topic: "a", partitions: 3)
        try cluster.create(topic: "b", partitions: 1)
        let admin = try Admin(properties: ["bootstrap.servers": cluster.bootstrap])
        #expect(try admin.describe("a")?.partitions == 3)
        #expect(try admin.describe("c") == nil)
        #expect(try admin.topics().map(\.name) == ["a", "b"])
        #expect(try admin.watermarks(ofTopic: "a") == Array(repeating: Watermarks(low: 0, high: 0), count: 3))
        let missing = #expect(throws: ImpactError.self) { try admin.watermarks(ofTopic: "c") }
        #expect(missing?.message.contains("topics create") == true)
    }

    @Test("A broker that is not there is an error within the deadline that names the address")
    func unreachable() throws {
        // A port that nobody listens at: the mock's, after it is gone.
        let address = try MockCluster().bootstrap
        let admin = try Admin(properties: ["bootstrap.servers": address], timeoutMilliseconds: 500)
        let started = Date()
        let error = #expect(throws: ImpactError.self) { try admin.topics() }
        #expect(error?.code == "kafka_unreachable")
        #expect(error?.message.contains(address) == true)
        let second = #expect(throws: ImpactError.self) { try admin.create([TopicPlan("t", partitions: 1)]) }
        #expect(second?.code == "kafka_unreachable")
        #expect(Date().timeIntervalSince(started) < 20)
    }
}
