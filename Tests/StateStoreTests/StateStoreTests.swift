import Base
import Foundation
import StateStore
import TestSupport
import Testing

@Suite("Local store")
struct StateStoreTests {
    @Test("Partitions are apart, records come back in order, erasing one leaves the others")
    func partitionsAreApart() throws {
        let folder = try StoreFolder()
        let store = try StateStore(path: folder.path)
        let batch = StoreBatch()
        // Numbers whose big-endian bytes and whose neighbours could be confused.
        let partitions: [Int32] = [0, 1, 254, 255, 256, 65_535, 65_536]
        for partition in partitions {
            for user in ["", "a", "b\u{0}", "zz", "ÿ"] { batch.put(partition, user, "\(partition)/\(user)") }
            batch.put(partition, checkpoint(Int64(partition) * 10))
        }
        try store.write(batch)
        #expect(try store.partitions() == partitions)
        for partition in partitions {
            #expect(try store.content(partition).count == 5)
            #expect(try store.content(partition)["zz"] == "\(partition)/zz")
            #expect(try store.checkpoint(of: partition) == checkpoint(Int64(partition) * 10))
            #expect(try store.record(partition, user: utf8("a")) == utf8("\(partition)/a"))
        }
        try store.erase(255)
        #expect(try store.content(255).isEmpty)
        #expect(try store.checkpoint(of: 255) == nil)
        #expect(try store.content(254).count == 5)
        #expect(try store.content(256).count == 5)
        batch.removeAll()
        batch.put(0, "a", nil)
        batch.put(0, "b\u{0}", "new")
        try store.write(batch)
        #expect(try store.content(0).keys.sorted() == ["", "b\u{0}", "zz", "ÿ"])
        store.close()
        let again = try StateStore(path: folder.path)
        #expect(try again.content(0)["b\u{0}"] == "new")
        #expect(try again.content(3).isEmpty)
    }

    @Test("A kill at any byte of the log leaves a prefix: a checkpoint never claims more than its users")
    func killLeavesAPrefix() throws {
        var generator = SeededGenerator.announced()
        let folder = try StoreFolder()
        let store = try StateStore(path: folder.path)
        // The content after each batch; a batch changes users, and every third one moves the checkpoint.
        var states: [[String: String]] = [[:]]
        var offsets: [Int64?] = [nil]
        for i in 1...60 {
            let batch = StoreBatch()
            var state = states[i - 1]
            for _ in 0...Int.random(in: 0...20, using: &generator) {
                let user = "u\(Int.random(in: 0..<30, using: &generator))"
                let record = Int.random(in: 0..<5, using: &generator) == 0 ? nil : "\(i)"
                batch.put(4, user, record)
                state[user] = record
            }
            if i % 3 == 0 { batch.put(4, checkpoint(Int64(i))) }
            try store.write(batch)
            states.append(state)
            offsets.append(i % 3 == 0 ? Int64(i) : offsets[i - 1])
        }
        for round in 0..<25 {
            let copy = try folder.killed("kill-\(round)")
            let log = try #require(try folder.files(in: copy, with: ".log").last)
            let size = try #require(try FileManager.default.attributesOfItem(atPath: log)[.size] as? Int)
            let cut = round == 0 ? size : Int.random(in: 0...size, using: &generator)
            truncate(log, off_t(cut))
            let left = try StateStore(path: copy)
            let content = try left.content(4)
            let offset = try left.checkpoint(of: 4)?.offset
            let fits = states.indices.contains { states[$0] == content && offsets[$0] == offset }
            #expect(fits, "cut to \(cut) of \(size) bytes")
            if round == 0 { #expect(content == states[60]) }
            left.close()
        }
        #expect(folder.asides.isEmpty)
    }

    @Test("A damaged file is noticed or harmless, and the store is replaced, never believed")
    func damageIsNoticed() throws {
        var generator = SeededGenerator.announced()
        let folder = try StoreFolder()
        let store = try StateStore(path: folder.path)
        let batch = StoreBatch()
        var expected: [String: String] = [:]
        for i in 0..<5_000 {
            let record = (0..<8).map { _ in String(UInt64.random(in: 0 ... .max, using: &generator)) }.joined()
            batch.put(1, "user-\(i)", record)
            expected["user-\(i)"] = record
        }
        batch.put(1, checkpoint(9))
        try store.write(batch)
        try store.flush()
        store.close()
        var noticed = 0
        for round in 0..<20 {
            let copy = try folder.killed("damage-\(round)")
            let names = ["sst", "sst", "MANIFEST", "CURRENT"]
            let kind = names[round % names.count]
            let all = try FileManager.default.contentsOfDirectory(atPath: copy)
            let file = try #require(all.first { $0.hasSuffix(kind) || $0.hasPrefix(kind) })
            var content = try Data(contentsOf: URL(filePath: "\(copy)/\(file)"))
            switch round {
            case 4: content.removeLast(content.count / 2)
            case 5: try FileManager.default.removeItem(atPath: "\(copy)/\(file)")
            default: content[Int.random(in: 0..<content.count, using: &generator)] ^= 0x5A
            }
            if round != 5 { try content.write(to: URL(filePath: "\(copy)/\(file)")) }
            let asides = folder.asides.count
            let opened = try StateStore(path: copy)
            if folder.asides.count > asides {
                noticed += 1
                #expect(try opened.content(1).isEmpty)
                #expect(try opened.checkpoint(of: 1) == nil)
            } else {
                do throws(ImpactError) {
                    let content: Result<[String: String], ImpactError> = Self.result { try opened.content(1) }
                    let read = try content.get()
                    // A lost checkpoint means a rebuild: what is there then does not matter.
                    if try opened.checkpoint(of: 1) != nil { #expect(read == expected, "round \(round), \(file)") }
                } catch {
                    #expect(StateStore.isDamage(error), "\(error.message)")
                    noticed += 1
                    let generation = opened.generation
                    try opened.replace(generation: generation, reason: error.message)
                    #expect(opened.generation == generation + 1)
                    #expect(try opened.content(1).isEmpty)
                    // The same damage told twice replaces once.
                    try opened.replace(generation: generation, reason: error.message)
                    #expect(opened.generation == generation + 1)
                }
            }
            opened.close()
        }
        print("noticed \(noticed) of 20")
        #expect(noticed >= 10)
    }

    private static func result<T>(_ body: () throws -> T) -> Result<T, ImpactError> {
        do { return .success(try body()) } catch {
            return .failure(error as? ImpactError ?? ImpactError(.failed, code: "other", "\(error)"))
        }
    }

    @Test("A replaced store refuses what was meant for the old one, and ends its readers")
    func replacement() throws {
        let folder = try StoreFolder()
        let store = try StateStore(path: folder.path)
        let batch = StoreBatch()
        for i in 0..<100 { batch.put(2, "u\(i)", "r") }
        batch.put(2, checkpoint(5))
        try store.write(batch, generation: store.generation)
        let cursor = try store.records(of: 2)
        let hasMore = try cursor.read(10) { _, _ throws(ImpactError) in }
        #expect(hasMore)
        let old = store.generation
        try store.replace(generation: old, reason: "a test")
        #expect(folder.asides.count == 1)
        #expect(throws: ImpactError.self) { _ = try cursor.read(10) { _, _ throws(ImpactError) in } }
        do throws(ImpactError) {
            try store.write(batch, generation: old)
            Issue.record("the batch was taken")
        } catch { #expect(StateStore.isReplaced(error)) }
        #expect(try store.content(2).isEmpty)
        try store.write(batch, generation: store.generation)
        #expect(try store.content(2).count == 100)
        // Only the latest store that was moved aside is kept.
        try store.replace(generation: store.generation, reason: "another test")
        #expect(folder.asides.count == 1)
        store.close()
        #expect(throws: ImpactError.self) { try store.write(batch) }
    }

    @Test("Two processes do not share a store; one may look into another's")
    func ownership() throws {
        let folder = try StoreFolder()
        let store = try StateStore(path: folder.path)
        do throws(ImpactError) {
            _ = try StateStore(path: folder.path)
            Issue.record("opened twice")
        } catch { #expect(error.code == "state_store_busy", "\(error.message)") }
        #expect(folder.asides.isEmpty)
        let batch = StoreBatch()
        batch.put(0, "a", "1")
        batch.put(0, checkpoint(3))
        try store.write(batch)
        let view = try StateStore.inspect(path: folder.path)
        #expect(try view.content(0) == ["a": "1"])
        #expect(try view.checkpoint(of: 0)?.offset == 3)
        #expect(throws: ImpactError.self) { try view.write(batch) }
        #expect(throws: ImpactError.self) { _ = try StateStore.inspect(path: folder.path + "-none") }
    }

    @Test("An erased user's bytes are in no file after the merge; the store remembers deletions until then")
    func erasedBytes() throws {
        let folder = try StoreFolder()
        let store = try StateStore(path: folder.path)
        var generator = SeededGenerator.announced("erased")
        // Texts that compression must keep as they are.
        func random() -> String {
            String((0..<48).map { _ in "abcdefghijklmnopqrstuvwxyz0123456789".randomElement(using: &generator)! })
        }
        let (gone, stays) = (random(), random())
        func files(holding text: String) throws -> [String] {
            try FileManager.default.contentsOfDirectory(atPath: folder.path).filter { name in
                let data = try Data(contentsOf: URL(filePath: "\(folder.path)/\(name)"))
                return data.range(of: Data(text.utf8)) != nil
            }
        }
        for round in 0..<3 {
            let batch = StoreBatch()
            for i in 0..<200 { batch.put(3, "user-\(round)-\(i)", random()) }
            batch.put(3, gone, random())
            batch.put(3, stays, random())
            #expect(!batch.hasDeletions)
            try store.write(batch)
            try store.flush()
        }
        #expect(try !files(holding: gone).isEmpty)
        let batch = StoreBatch()
        batch.put(3, gone, nil)
        #expect(batch.hasDeletions)
        try store.write(batch)
        try store.noteDeletions(at: 5)
        try store.noteDeletions(at: 9)
        #expect(try store.deletionsSince() == 5)
        #expect(try !files(holding: gone).isEmpty)
        try store.compact(3, users: [utf8(gone)])
        // The manifest lists each file's first and last key, until it is written anew.
        let holding = try files(holding: gone).filter { !$0.hasPrefix("MANIFEST-") }
        #expect(holding == [], "merging takes the bytes away")
        #expect(try !files(holding: stays).isEmpty && store.content(3).count == 601)
        #expect(try store.partitions().isEmpty, "what the store remembers is not a checkpoint")
        store.close()
        let again = try StateStore(path: folder.path)
        let left = try files(holding: gone)
        #expect(left == [], "nor does the manifest hold them after a start")
        #expect(try again.deletionsSince() == 5)
        try again.compact()
        #expect(try again.deletionsSince() == nil)
        #expect(try again.content(3).count == 601)
    }
}
