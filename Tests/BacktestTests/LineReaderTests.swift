import Backtest
import Base
import CZlib
import CZstd
import Foundation
import TestSupport
import Testing

@Suite("Lines of a file, plain and compressed")
struct LineReaderTests {
    private let scratch: TemporaryFolder
    private let text: [UInt8]

    init() throws {
        scratch = try TemporaryFolder()
        var generator = SeededGenerator.announced("lines")
        var text: [UInt8] = []
        for i in 0..<3_000 {
            // Some lines are empty, some longer than the reader's buffer.
            let length = i == 1_500 ? 3_000_000 : Int.random(in: 0...400, using: &generator)
            text += (0..<length).map { UInt8(97 + ($0 &+ i) % 26) }
            if i % 7 == 0 { text.append(0x0D) }
            text.append(0x0A)
        }
        text += Array("the last has no line break".utf8)
        self.text = text
    }

    private func lines(_ path: String) throws -> [[UInt8]] {
        let reader = try LineReader(path: path)
        var lines: [[UInt8]] = []
        while let line = try reader.next() { lines.append(Array(line)) }
        return lines
    }

    private var expected: [[UInt8]] {
        text.split(separator: 0x0A, omittingEmptySubsequences: false).map {
            Array($0.last == 0x0D ? $0.dropLast() : $0)
        }
    }

    private func gzip(_ bytes: [UInt8], to path: String) {
        let file = gzopen(path, "wb")
        bytes.withUnsafeBytes { _ = gzwrite(file, $0.baseAddress, UInt32($0.count)) }
        gzclose(file)
    }

    private func zstd(_ bytes: [UInt8]) -> [UInt8] {
        [UInt8](unsafeUninitializedCapacity: ZSTD_compressBound(bytes.count)) { buffer, count in
            count = ZSTD_compress(buffer.baseAddress, buffer.count, bytes, bytes.count, 3)
        }
    }

    @Test("Plain, gzip, zstd and several members or frames give the same lines")
    func kinds() throws {
        let plain = scratch.file("plain"), gz = scratch.file("gz"), zst = scratch.file("zst")
        try Data(text).write(to: URL(filePath: plain))
        gzip(text, to: gz)
        try Data(zstd(text)).write(to: URL(filePath: zst))
        let expected = expected
        #expect(try lines(plain) == expected)
        #expect(try lines(gz) == expected)
        #expect(try lines(zst) == expected)
        let half = text.count / 3
        let frames = zstd(Array(text[..<half])) + zstd(Array(text[half...]))
        try Data(frames).write(to: URL(filePath: zst))
        #expect(try lines(zst) == expected)
        gzip(Array(text[..<half]), to: gz)
        let first = try Data(contentsOf: URL(filePath: gz))
        gzip(Array(text[half...]), to: gz)
        try (first + Data(contentsOf: URL(filePath: gz))).write(to: URL(filePath: gz))
        #expect(try lines(gz) == expected)
    }

    @Test("A file that ends too early is an error that names it, not a shorter file")
    func truncated() throws {
        for (name, bytes) in [("a.zst", zstd(text)), ("b.gz", gzipped())] {
            for cut in [bytes.count / 2, bytes.count - 1] {
                try Data(bytes[..<cut]).write(to: URL(filePath: scratch.file(name)))
                do {
                    _ = try lines(scratch.file(name))
                    Issue.record("\(name), \(cut) of \(bytes.count) bytes, was read to an end")
                } catch {
                    let error = try #require(error as? ImpactError)
                    #expect(error.code == "file_damaged" && error.message.contains(name))
                }
            }
        }
    }

    private func gzipped() -> [UInt8] {
        gzip(text, to: scratch.file("whole.gz"))
        return [UInt8](FileManager.default.contents(atPath: scratch.file("whole.gz")) ?? Data())
    }

    @Test("An empty file has no line")
    func empty() throws {
        #expect(try lines(scratch.write("", "empty")).isEmpty)
    }
}
