import Pipeline
import Testing

@Test("Set aside by user: the last unreadable record counts, a later good one heals, memory is bounded")
func unreadableRecords() {
    func record(_ user: String, _ offset: Int64, bytes: Int = 3) -> UnreadableRecords.Record {
        UnreadableRecords.Record(
            user: Array(user.utf8), value: [UInt8](repeating: 7, count: bytes), offset: offset, reason: "damaged")
    }
    func heal(_ user: String, _ records: inout UnreadableRecords) {
        Array(user.utf8).withUnsafeBytes { records.heal($0) }
    }
    var records = UnreadableRecords()
    heal("a", &records)
    #expect(records.isEmpty)
    for (user, offset) in [("b", 1), ("a", 2), ("b", 5), ("c", 3)] as [(String, Int64)] {
        records.add(record(user, offset))
    }
    #expect(records.records.map(\.offset) == [2, 3, 5])
    heal("c", &records)
    heal("nobody", &records)
    #expect(records.records.map(\.offset) == [2, 5])
    #expect(records.count == 2)
    // What is replaced and what heals gives its bytes back.
    let most = UnreadableRecords.mostBytes(limit: 0)
    for i in 0..<4 {
        records.add(record("big", Int64(10 + i), bytes: most / 2 + 1))
        #expect(!records.isTooMuchToHold(limit: 0))
    }
    records.add(record("bigger", 20, bytes: most / 2))
    #expect(records.isTooMuchToHold(limit: 0))
    #expect(!records.isTooMuchToHold(limit: 2_000))
    heal("big", &records)
    #expect(!records.isTooMuchToHold(limit: 0))
    records.removeAll()
    #expect(records.isEmpty && records.records.isEmpty)
}
