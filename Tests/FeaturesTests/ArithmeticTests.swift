import Features
import Foundation
import TestSupport
import Testing

@Suite("Time and decay")
struct ArithmeticTests {
    @Test("The bucket of a minute is its quotient by the width")
    func bucketsAreQuotients() {
        var generator = SeededGenerator.announced()
        for _ in 0..<20_000 {
            let width = Int64.random(in: 1...129_600, using: &generator)
            let clock = CalendarClock(bucket: TimeSpan(minutes: width), buckets: 12)
            let multiple = UInt64.random(in: 0...UInt64(UInt32.max) / UInt64(width), using: &generator) * UInt64(width)
            for minute in [
                multiple, multiple == 0 ? 0 : multiple - 1, min(multiple + 1, UInt64(UInt32.max)), UInt64(UInt32.max),
                0,
            ] {
                #expect(clock.bucket(minute) == minute / UInt64(width), "minute \(minute), width \(width)")
            }
        }
        for width in [1, 2, 4, 64, 1_024, 65_536, 3, 5, 720, 1_440, 2_880] as [Int64] {
            let clock = CalendarClock(bucket: TimeSpan(minutes: width), buckets: 12)
            for minute in [0, 1, UInt64(width) - 1, UInt64(width), 4_294_967_294, 4_294_967_295] as [UInt64] {
                #expect(clock.bucket(minute) == minute / UInt64(width))
            }
        }
    }

    @Test("Decay is a power of one half to 1e-15")
    func decayIsAPower() {
        var generator = SeededGenerator.announced()
        for _ in 0..<20_000 {
            let halfLife = Int64.random(in: 1...31_536_000_000, using: &generator)
            let elapsed = Int64.random(
                in: 0...(halfLife * Int64.random(in: 1...900, using: &generator)), using: &generator)
            // The reference splits off whole half-lives too: exp2 of a large exponent is not that exact.
            let fraction = Double(elapsed % halfLife) / Double(halfLife)
            let expected = scalbn(exp2(-fraction), -Int(elapsed / halfLife))
            let actual = Exponential.decay(elapsed: elapsed, halfLife: halfLife)
            #expect(abs(actual - expected) <= 1e-15 * expected, "\(elapsed) / \(halfLife)")
        }
        #expect(Exponential.decay(elapsed: 0, halfLife: 7) == 1)
        #expect(Exponential.decay(elapsed: 21, halfLife: 7) == 0.125)
        #expect(Exponential.decay(elapsed: .max, halfLife: 1) == 0)
    }

    @Test("A window without a bucket gets the widest nice one that divides it into twelve or more")
    func defaultBuckets() throws {
        let expected = [
            "1h": "5m", "2h": "10m", "3h": "15m", "6h": "30m", "12h": "1h", "1d": "2h", "2d": "3h", "3d": "6h",
            "7d": "12h", "14d": "1d", "28d": "2d", "30d": "2d", "84d": "7d", "90d": "3d", "37h": "1h", "61m": "1m",
        ]
        for (window, bucket) in expected {
            let json = #"{"features":[{"name":"n","aggregate":"count","window":"\#(window)"}]}"#
            #expect(try specification(json).features[0].bucket == TimeSpan(bucket), "\(window)")
        }
    }
}
