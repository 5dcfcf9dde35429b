import Diagnostics
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
