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

    @Test("A damaged second gzip member is an error, whatever is damaged of it; zeros at the end are none")
    func damagedMembers() throws {
        let one = scratch.file("one.gz")
        gzip(Array("first\n".utf8), to: one)
        let member = try [UInt8](Data(contentsOf: URL(filePath: one)))
        func check(_ bytes: [UInt8]) throws -> [[UInt8]] {
            let path = scratch.file("members.gz")
            try Data(bytes).write(to: URL(filePath: path))
            return try lines(path)
        }
        #expect(try check(member + member).count == 2)
        #expect(try check(member + member + [UInt8](repeating: 0, count: 700)).count == 2)
        for at in member.indices {
            var second = member
            // Flags, time, operating system: what a reader may pass over (RFC 1952, 2.3.1); and the bits that fill the last byte
            // of the compressed text, before its checksum and size.
            if (4..<10).contains(at) || at == member.count - 9 { continue }
            second[at] ^= 0x40
            #expect(throws: ImpactError.self, "byte \(at)") { try check(member + second) }
        }
        for length in 1..<member.count {
            #expect(throws: ImpactError.self, "length \(length)") { try check(member + member.prefix(length)) }
        }
        #expect(throws: ImpactError.self) { try check(member + Array("tail".utf8)) }
    }

    @Test("A byte-order mark is not part of the first line; UTF-16 is told")
    func byteOrderMarks() throws {
        let path = scratch.file("bom")
        try Data([0xEF, 0xBB, 0xBF] + Array("one\ntwo".utf8)).write(to: URL(filePath: path))
        #expect(try lines(path) == [Array("one".utf8), Array("two".utf8)])
        for mark: [UInt8] in [[0xFF, 0xFE], [0xFE, 0xFF]] {
            try Data(mark + [0x7B, 0]).write(to: URL(filePath: path))
            #expect(throws: ImpactError.self) { try lines(path) }
        }
    }

    @Test("How far a load has come reads back, and belongs to its files")
    func loadProgress() throws {
        let path = scratch.file("progress")
        #expect(try LoadProgress.read(path, files: ["a"]) == nil)
        var progress = LoadProgress(files: ["a", "b"])
        progress.file = 1
        progress.line = 42
        try progress.write(path)
        #expect(try LoadProgress.read(path, files: ["a", "b"]) == progress)
        #expect(throws: ImpactError.self) { try LoadProgress.read(path, files: ["a"]) }
        var status = stat()
        #expect(stat(path, &status) == 0 && status.st_mode & 0o777 == 0o600)
    }

    @Test("Progress is not taken for that of another file of the same name; a file may grow, and move with its time")
    func replacedFile() throws {
        let scratch = try TemporaryFolder()
        let file = try scratch.write("first\nsecond\n", "e.jsonl"), path = scratch.file("progress")
        var progress = LoadProgress(files: [file])
        progress.line = 1
        try progress.write(path)
        #expect(try LoadProgress.read(path, files: [file])?.line == 1)
        let handle = try #require(FileHandle(forWritingAtPath: file))
        try handle.seekToEnd()
        try handle.write(contentsOf: Data("third\n".utf8))
        try handle.close()
        #expect(try LoadProgress.read(path, files: [file])?.line == 1)
        // Shorter; of the same length with other bytes; longer, under the same name, but another file.
        for (text, isMoved) in [("first\n", false), ("fIrst\nsecond\n", false), ("first\nsecond\nfourth\n", true)] {
            if isMoved {
                try FileManager.default.moveItem(atPath: file, toPath: scratch.file("old.jsonl"))
                try scratch.write(text, "e.jsonl")
            } else {
                let handle = try #require(FileHandle(forWritingAtPath: file))
                try handle.truncate(atOffset: 0)
                try handle.write(contentsOf: Data(text.utf8))
                try handle.close()
            }
            #expect(throws: ImpactError.self, "\(text)") { try LoadProgress.read(path, files: [file]) }
        }
    }

    @Test(
        "Files that are done are gone on with when they have grown, refused when they are others; each target has its own"
    )
    func doneFiles() throws {
        let scratch = try TemporaryFolder()
        let files = [try scratch.write("1\n2\n", "a.jsonl"), try scratch.write("3\n", "b.jsonl")]
        let path = scratch.file("progress")
        func append(_ text: String, _ file: String) throws {
            let handle = try #require(FileHandle(forWritingAtPath: file))
            try handle.seekToEnd()
            try handle.write(contentsOf: Data(text.utf8))
            try handle.close()
        }
        var progress = LoadProgress(files: files, target: "events at here")
        for lines in [2, 1] {
            let bytes = LoadProgress.bytes(files[progress.file])
            progress.line = lines
            progress.finishFile(bytes: bytes)
        }
        try progress.write(path)
        func read(_ target: String = "events at here") throws -> LoadProgress {
            try #require(try LoadProgress.read(path, files: files, target: target))
        }
        let first = try read()
        #expect(first == progress && first.grown.isEmpty && first.file == 2)
        try append("2b\n2c\n", files[0])
        var grown = try read()
        #expect(grown.grown.map(\.file) == [0] && grown.grown.map(\.lines) == [2])
        grown.finish(file: 0, lines: 4, bytes: LoadProgress.bytes(files[0]))
        try grown.write(path)
        #expect(try read().grown.isEmpty)
        #expect(throws: ImpactError.self) { try read("other at here") }
        #expect(throws: ImpactError.self) { try read("events at there") }
        // One that is gone is done; one that begins otherwise is another.
        try FileManager.default.removeItem(atPath: files[1])
        #expect(try read().grown.isEmpty)
        let handle = try #require(FileHandle(forWritingAtPath: files[0]))
        try handle.write(contentsOf: Data("x".utf8))
        try handle.close()
        #expect(throws: ImpactError.self) { try read() }
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
