import Base
import CNumeric
import Events
import Foundation
import JSON
import TestSupport
import Testing

@Suite("Numbers and times")
struct NumberTests {
    private func value(_ text: String) throws -> Double {
        try #require(try JSONValue(parsing: Array(text.utf8), name: "test").number)
    }

    @Test("Any double's text reads back as the same bits, in its shortest and its longest form")
    func roundTrip() throws {
        var generator = SeededGenerator.announced()
        let buffer = ByteBuffer()
        for _ in 0..<20_000 {
            let number = Double(bitPattern: UInt64.random(in: 0 ... .max, using: &generator))
            guard number.isFinite else { continue }
            buffer.removeAll()
            buffer.append(number)
            let shortest = String(decoding: buffer.bytes, as: UTF8.self)
            #expect(try value(shortest).bitPattern == number.bitPattern)
            #expect(try value(String(format: "%.25e", number)).bitPattern == number.bitPattern)
            let small = Double(Int.random(in: -1_000_000...1_000_000, using: &generator)) / 1_000
            #expect(try value("\(small)") == small)
        }
    }

    @Test("The fast path of common magnitudes writes what std::to_chars writes, byte for byte")
    func shortest() {
        var generator = SeededGenerator.announced()
        func text(_ number: Double, room: Int) -> String {
            let out = [CChar](unsafeUninitializedCapacity: room) { buffer, count in
                count = buffer.baseAddress.map { cnumeric_write_double($0, room, number) } ?? 0
            }
            return String(decoding: out.map { UInt8(bitPattern: $0) }, as: UTF8.self)
        }
        for i in 0..<200_000 {
            let exponent = UInt64.random(in: 950...1_076, using: &generator)
            var bits = UInt64.random(in: 0 ... .max, using: &generator) & 0x800F_FFFF_FFFF_FFFF | exponent << 52
            if i % 4 == 0 { bits &= .max << UInt64.random(in: 0...52, using: &generator) }
            var number = Double(bitPattern: bits)
            if i % 4 == 1 { number = (number * 1_000).rounded() / 1_000 }
            // With less than 32 bytes of room the fast path is not taken.
            #expect(text(number, room: 32) == text(number, room: 31))
        }
    }

    @Test("Too large is refused, too small is zero, with or without an exponent")
    func range() throws {
        for text in ["1e999", "-1e999", "1" + String(repeating: "0", count: 400), "1e309", "123e400"] {
            #expect(throws: (any Error).self) { try value(text) }
        }
        for text in ["1e-999", "0." + String(repeating: "0", count: 400) + "1", "0e999", "0.0e400"] {
            #expect(try value(text) == 0)
        }
        #expect(try value("0." + String(repeating: "0", count: 400) + "1e401") == 1)
        #expect(try value("1" + String(repeating: "0", count: 400) + "e-400") == 1)
        #expect(try value("9007199254740993") == 9_007_199_254_740_992)
        #expect(try value("4.9e-324") == Double.leastNonzeroMagnitude)
    }

    @Test("Integers are written as Swift writes them")
    func integers() {
        let buffer = ByteBuffer()
        var generator = SeededGenerator.announced()
        let edges: [Int64] = [0, 9, 10, -1, .min, .max, 999_999_999_999_999_999, 1_000_000_000_000_000_000]
        for number in edges + (0..<1_000).map({ _ in Int64.random(in: .min ... .max, using: &generator) }) {
            buffer.removeAll()
            buffer.append(number)
            #expect(String(decoding: buffer.bytes, as: UTF8.self) == "\(number)")
        }
    }

    @Test("RFC 3339 times are those of Foundation, in every zone")
    func times() throws {
        var generator = SeededGenerator.announced()
        let formatter = ISO8601DateFormatter()
        formatter.formatOptions = [.withInternetDateTime, .withFractionalSeconds]
        for _ in 0..<2_000 {
            let time = Int64.random(in: 0...7_000_000_000_000, using: &generator)
            let minutes = Int.random(in: -14 * 60...14 * 60, using: &generator)
            formatter.timeZone = TimeZone(secondsFromGMT: minutes * 60)
            let text = formatter.string(from: Date(timeIntervalSince1970: Double(time) / 1_000))
            #expect(try readTime("\"\(text)\"") == time, "\(text)")
        }
        #expect(try readTime(#""1970-01-01T00:00:00Z""#) == 0)
        #expect(try readTime(#""2000-02-29t23:59:60.5z""#) == 951_868_799_999)
        #expect(try readTime(#""2026-11-21 10:00:00.1239999+00:00""#) == 1_795_255_200_123)
        #expect(try readTime("1795255200123") == 1_795_255_200_123)
    }

    private func readTime(_ text: String) throws -> Int64 {
        var limits = EventLimits()
        limits.requiresKey = false
        let batch = EventBatch(schema: EventSchema(), limits: limits, capacity: 1)
        var message = Array(#"{"user_id":"u","type":"c","time":\#(text)}"#.utf8)
        try message.withUnsafeMutableBytes {
            try batch.append(UnsafeRawBufferPointer($0), key: nil, source: SourcePosition())
        }
        return batch[0].time
    }
}
