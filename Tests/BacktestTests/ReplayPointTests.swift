import Backtest
import Base
import Testing

@Suite("Places, rules and shifts")
struct ReplayPointTests {
    @Test("Every form of a place is read; anything else is a usage error that shows the forms")
    func points() throws {
        #expect(try ReplayPoint("beginning") == .beginning)
        #expect(try ReplayPoint("end") == .end)
        #expect(try ReplayPoint("1795255200123") == .time(1_795_255_200_123))
        #expect(try ReplayPoint("2026-11-21T10:00:00.123Z") == .time(1_795_255_200_123))
        #expect(try ReplayPoint("2026-11-21T12:00:00.123+02:00") == .time(1_795_255_200_123))
        #expect(try ReplayPoint("2026-11-21") == .time(1_795_219_200_000))
        #expect(try ReplayPoint("2026-11-21 10:00") == .time(1_795_255_200_000))
        #expect(try ReplayPoint("2026-11-21T12:00+02:00") == .time(1_795_255_200_000))
        #expect(try ReplayPoint("0:1200,3:0") == .offsets([0: 1_200, 3: 0]))
        for wrong in [
            "", "now", "0:", "0:1,0:2", "-1:5", "0:-5", "1e9", "2026-11-2x", "2026-13-01", "0:1,,1:2", "99999999999999",
        ] {
            #expect(throws: ImpactError.self, "\(wrong)") { try ReplayPoint(wrong) }
        }
    }

    @Test("Outcome rules read back as they are written")
    func rules() throws {
        for text in ["visit=any:click", "n=count:click+page_view", "value=sum:purchase+order-refund"] {
            #expect(try OutcomeRule(text).text == text)
        }
        #expect(
            OutcomeRule.usual.map(\.text) == [
                "conversion=any:purchase", "value=sum:purchase-refund", "visit=any:click",
            ])
        for wrong in [
            "", "visit", "visit=click", "=any:click", "v=most:click", "v=any:", "v=any:a-b", "v=sum:a+", "v=any:a++b",
        ] {
            #expect(throws: ImpactError.self, "\(wrong)") { try OutcomeRule(wrong) }
        }
    }

    @Test("The sketch's quantiles are within 1 % of the exact ones, whatever the order")
    func sketch() {
        var values: [Double] = []
        for i in 0..<20_001 {
            let coarse = Double(i - 8_000) * 1e-5
            values.append(coarse + Double(i % 7) * 1e-6)
        }
        var one = ShiftSketch(), other = ShiftSketch(), second = ShiftSketch()
        for value in values { one.add(value) }
        for (i, value) in values.reversed().enumerated() {
            if i % 2 == 0 { other.add(value) } else { second.add(value) }
        }
        other.add(second)
        #expect(one.points.map(\.count) == other.points.map(\.count))
        values.sort()
        for q in [0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99] {
            let exact = values[Int(q * 20_000)]
            #expect(abs((one.quantile(q) ?? .nan) - exact) <= 0.0101 * abs(exact) + 1e-12)
        }
        #expect(abs(one.mean - values.reduce(0, +) / 20_001) < 1e-12)
    }
}
