import Base
import Foundation
import TestSupport
import Testing

@Suite("Files of ours")
struct OutputFileTests {
    private func mode(_ path: String) throws -> Int? {
        try FileManager.default.attributesOfItem(atPath: path)[.posixPermissions] as? Int
    }

    @Test("A file appears whole or not at all, for its owner alone whatever the umask; what was there is replaced")
    func wholeOrNot() throws {
        let folder = try TemporaryFolder("files")
        let path = folder.file("out.csv")
        let before = umask(0)
        defer { umask(before) }
        do {
            let file = try OutputFile(path)
            try file.append("half")
            try file.flush()
        }
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path) == [])
        for text in ["one", "two"] {
            try OutputFile.write(Array(text.utf8), to: path)
            #expect(try String(contentsOfFile: path, encoding: .utf8) == text)
        }
        #expect(try mode(path) == 0o600)
        try OutputFile.write([1], to: folder.file("model"), access: .shared)
        #expect(try mode(folder.file("model")) == 0o644)
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path).sorted() == ["model", "out.csv"])
    }

    @Test("A link at the path is replaced, never written through; nor is one at a growing part")
    func links() throws {
        let folder = try TemporaryFolder("links")
        let victim = try folder.write("precious", "victim")
        try FileManager.default.createSymbolicLink(atPath: folder.file("out"), withDestinationPath: victim)
        try OutputFile.write(Array("new".utf8), to: folder.file("out"))
        #expect(try String(contentsOfFile: victim, encoding: .utf8) == "precious")
        #expect(try String(contentsOfFile: folder.file("out"), encoding: .utf8) == "new")
        try FileManager.default.createSymbolicLink(atPath: folder.file("part"), withDestinationPath: victim)
        #expect(throws: ImpactError.self) { try PartFile(folder.file("part"), keeping: 0) }
        #expect(try String(contentsOfFile: victim, encoding: .utf8) == "precious")
    }

    @Test("Devices and pipes are written as they are; a full one is an error")
    func devices() throws {
        try OutputFile.write([1, 2, 3], to: "/dev/null")
        let error = #expect(throws: ImpactError.self) { try OutputFile.write([1, 2, 3], to: "/dev/full") }
        #expect(error?.message.contains("No space left") == true)
        #expect(error?.message.contains("/dev/full") == true)
    }

    @Test("A place that takes no file is told in plain words before anything is written")
    func places() throws {
        let folder = try TemporaryFolder("places")
        let file = try folder.write("text", "file")
        for (path, words) in [
            ("/nowhere/at/all", "there is no folder /nowhere/at; make it, or name another place"),
            ("\(file)/x", "\(file) is not a folder; make it, or name another place"),
            (folder.path, "it is a folder; name a file"),
            ("/proc/x", "/proc takes no new files"),
        ] {
            let error = #expect(throws: ImpactError.self) { try OutputFile(path) }
            #expect(error?.message.hasPrefix("cannot write \(path): \(words)") == true, "\(error?.message ?? "")")
        }
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path) == ["file"])
    }

    @Test("Large and small pieces, and bytes put over earlier ones, arrive in order")
    func pieces() throws {
        let folder = try TemporaryFolder("pieces")
        var random = SeededGenerator.announced()
        var expected: [UInt8] = []
        let file = try OutputFile(folder.file("out"))
        for _ in 0..<40 {
            let count = [0, 1, 100, 1 << 20, (1 << 20) + 1, 3 << 19].randomElement(using: &random) ?? 0
            let piece = [UInt8](repeating: UInt8.random(in: 0...255, using: &random), count: count)
            try file.append(piece)
            expected += piece
            #expect(file.position == expected.count)
        }
        try file.append([1, 2, 3, 4])
        expected += [1, 2, 3, 4]
        try file.overwrite([7, 7], at: 1)
        expected.replaceSubrange(1..<3, with: [7, 7])
        try file.finish()
        #expect(try OpenFile.contents(of: folder.file("out")) == expected)
    }

    @Test("A part goes on from its length; what is behind it is cut off; one that is too short is refused")
    func parts() throws {
        let folder = try TemporaryFolder("parts")
        let path = folder.file("part")
        var part: PartFile? = try PartFile(path, keeping: 0)
        try part?.append { $0.append(Array("12345678".utf8)) }
        try part?.sync()
        part = try PartFile(path, keeping: 5)
        try part?.append { $0.append(Array("x".utf8)) }
        try part?.sync()
        #expect(part?.length == 6)
        #expect(try String(contentsOfFile: path, encoding: .utf8) == "12345x")
        #expect(throws: ImpactError.self) { try PartFile(path, keeping: 7) }
        try PartFile.join([path, path], into: folder.file("whole"), heading: Array("h\n".utf8))
        #expect(try String(contentsOfFile: folder.file("whole"), encoding: .utf8) == "h\n12345x12345x")
    }
}
