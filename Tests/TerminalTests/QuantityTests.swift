import Base
import Terminal
import Testing

@Test(arguments: [
    ("0", 0), ("1000", 1000), ("10k", 10_000), ("1e6", 1_000_000), ("2.5M", 2_500_000), ("1_000", 1000),
    ("1G", 1_000_000_000),
])
func counts(text: String, value: Int) throws {
    #expect(try Quantity.count(text) == value)
}

@Test(arguments: [
    ("250ms", 250), ("30s", 30_000), ("1.5m", 90_000), ("12h", 43_200_000), ("7d", 604_800_000), ("0", 0),
])
func durations(text: String, value: Int64) throws {
    #expect(try Quantity.milliseconds(text) == value)
}

@Test(arguments: [("512", 512), ("64KiB", 65536), ("1MiB", 1_048_576), ("10kB", 10_000), ("2B", 2)])
func sizes(text: String, value: Int) throws {
    #expect(try Quantity.bytes(text) == value)
}

@Test(arguments: ["", "k", "-1", "1.5", "1e400", "nan", "inf", "0x10", " 1", "1 k", "1kk", "１"])
func notACount(text: String) {
    #expect(throws: ImpactError.self) { try Quantity.count(text) }
}

@Test(arguments: ["", "30", "s", "-1s", "1e30d", "1x", "infs"])
func notADuration(text: String) {
    #expect(throws: ImpactError.self) { try Quantity.milliseconds(text) }
}
