import Base
import Testing

@Suite("Kill points")
struct KillPointNameTests {
    @Test("A step is armed by its name and, after a colon, which time counts")
    func parsing() {
        for point in KillPoint.allCases {
            #expect(KillPoint.parse(point.rawValue)?.point == point)
            #expect(KillPoint.parse("\(point.rawValue):7")?.count == 7)
        }
        for text in ["", "after", "after-begin:", "after-begin:0", "after-begin:x", "after-begin:1:2", "AFTER-BEGIN"] {
            #expect(KillPoint.parse(text) == nil, "\(text)")
        }
    }

    @Test("Nothing is armed in a process that was not asked to die")
    func unarmed() {
        for point in KillPoint.allCases {
            point.reached()
            point.reached(within: 1)
        }
    }
}
