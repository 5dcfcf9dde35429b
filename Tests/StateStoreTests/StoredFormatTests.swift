import StateStore
import TestSupport
import Testing

@Test("The store's keys and values, byte for byte")
func storedKeysAndValues() throws {
    var text = "format \(Golden.hex(StoreKey.format))\(StoreKey.formatName)\n"
    for partition: Int32 in [0, 3, 258] {
        text += "checkpoint \(partition) \(Golden.hex(StoreKey.checkpoint(partition)))"
        text += "record \(partition) \(Golden.hex(StoreKey.recordPrefix(partition) + utf8("u-17")))"
    }
    text += checkpoint(1_234).text + "\n"
    #expect(try Golden.difference(text, from: "state-store.txt") == nil)
    #expect(Checkpoint(text: checkpoint(1_234).text) == checkpoint(1_234))
}
