import Kafka
import Pipeline
import Testing

@Suite("Grown inputs")
struct GrownInputTests {
    private func keys(_ partitioner: KeyPartition, _ range: Range<Int>, _ count: Int) -> [Int32: Set<[UInt8]>] {
        var keys: [Int32: Set<[UInt8]>] = [:]
        for i in range {
            let key = Array("u-\(i)".utf8)
            keys[key.withUnsafeBytes { partitioner.partition(of: $0, among: count) }, default: []].insert(key)
        }
        return keys
    }

    @Test(
        "First records of a smaller count are told, whoever placed them; those of one count are not",
        arguments: KeyPartition.allCases)
    func told(_ partitioner: KeyPartition) {
        #expect(GrownInput(keys(partitioner, 0..<100, 8), partitions: 8) == nil)
        let before = keys(partitioner, 0..<100, 4)
        var both = before
        both.merge(keys(partitioner, 100..<150, 8)) { $0.union($1) }
        for first in [before, both] {
            let found = GrownInput(first, partitions: 8)
            #expect(found?.former == 4)
            #expect((30...70).contains(found?.misplaced ?? 0), "\(found?.misplaced ?? 0)")
        }
    }

    @Test("Keys that nobody knows how to place, and too few of them, are no growth")
    func others() {
        var anywhere: [Int32: Set<[UInt8]>] = [:]
        for i in 0..<100 { anywhere[Int32(i % 8), default: []].insert(Array("user \(i)".utf8)) }
        #expect(GrownInput(anywhere, partitions: 8) == nil)
        #expect(GrownInput(keys(.murmur2, 0..<8, 4), partitions: 8) == nil)
        // A producer that names partition 0 splits nobody.
        #expect(GrownInput([0: Set((0..<50).map { Array("u-\($0)".utf8) })], partitions: 4) == nil)
    }
}
