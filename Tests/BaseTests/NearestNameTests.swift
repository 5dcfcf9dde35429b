import Base
import TestSupport
import Testing

@Test func aSlipOfTheHandFindsItsName() {
    let known = ["--events", "--seed", "--rate", "--json"]
    #expect(NearestName.find("--evnets", among: known) == "--events")
    #expect(NearestName.find("--sed", among: known) == "--seed")
    #expect(NearestName.find("--ev", among: known) == "--events")
    #expect(NearestName.find("--completely", among: known) == nil)
    #expect(NearestName.find("x", among: []) == nil)
    // As near as can be, and yet not compared: its cost would grow with the square of the length.
    let long = String(repeating: "a", count: 65)
    #expect(NearestName.find(long, among: [long, "aa"]) == nil)
    #expect(NearestName.find("aaa", among: [long]) == nil)
}

@Test(arguments: [("", "", 0), ("", "abc", 3), ("kitten", "sitting", 3), ("ab", "ba", 1), ("abc", "abc", 0)])
func editDistances(a: String, b: String, distance: Int) {
    #expect(NearestName.editDistance(Array(a.utf8), Array(b.utf8)) == distance)
    #expect(NearestName.editDistance(Array(b.utf8), Array(a.utf8)) == distance)
}

@Test("The nearest name is the one that comparing with all of them finds")
func nearestOfAll() {
    var generator = SeededGenerator.announced()
    func name(_ longest: Int) -> String {
        String(
            (0..<Int.random(in: 0...longest, using: &generator)).map { _ in "abc".randomElement(using: &generator)! })
    }
    for _ in 0..<3_000 {
        let known = (0..<6).map { _ in name(12) }
        let wanted = name(12)
        var best: (name: String, distance: Int)?
        for candidate in known {
            var distance = NearestName.editDistance(Array(wanted.utf8), Array(candidate.utf8))
            if wanted.count >= 3, candidate.hasPrefix(wanted) { distance = min(distance, 1) }
            let isNear = distance <= max(1, max(wanted.count, candidate.count) / 3)
            if isNear, distance < best?.distance ?? .max { best = (candidate, distance) }
        }
        #expect(NearestName.find(wanted, among: known) == best?.name, "\(wanted) among \(known)")
    }
}

@Test("A bound changes no distance up to it, and keeps what is more above it")
func boundedEditDistances() {
    var generator = SeededGenerator.announced()
    func name() -> [UInt8] {
        (0..<Int.random(in: 0...9, using: &generator)).map { _ in UInt8.random(in: 97...99, using: &generator) }
    }
    for _ in 0..<20_000 {
        let a = name(), b = name(), bound = Int.random(in: 0...6, using: &generator)
        let exact = NearestName.editDistance(a, b)
        let bounded = NearestName.editDistance(a, b, atMost: bound)
        #expect(exact <= bound ? bounded == exact : bounded > bound, "\(a) \(b) at most \(bound)")
    }
}
