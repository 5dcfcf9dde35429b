import Events

/// A condition on an event's fields in the form that runs: up to four tests in groups, each of which must have one that
/// passes.
struct EventCondition: BitwiseCopyable, Hashable, Sendable {
    let tests: (first: FieldTest, second: FieldTest, third: FieldTest, fourth: FieldTest)
    let count: UInt8
    /// Bit i: test i is the last of its group.
    let ends: UInt8

    init(_ groups: [[FieldTest]]) {
        let all = Array(groups.joined())
        precondition((1...4).contains(all.count), "one to four tests")
        func test(_ index: Int) -> FieldTest { all[min(index, all.count - 1)] }
        tests = (test(0), test(1), test(2), test(3))
        count = UInt8(all.count)
        var (bits, place): (UInt8, Int) = (0, -1)
        for group in groups {
            place += group.count
            bits |= 1 << UInt8(place)
        }
        ends = bits
    }

    /// The tests in their groups.
    var groups: [[FieldTest]] {
        var (groups, group): ([[FieldTest]], [FieldTest]) = ([], [])
        for (index, test) in [tests.first, tests.second, tests.third, tests.fourth].prefix(Int(count)).enumerated() {
            group.append(test)
            if ends >> UInt8(index) & 1 == 1 {
                groups.append(group)
                group = []
            }
        }
        return groups
    }

    @inline(__always)
    func passes(_ fields: UnsafePointer<FieldValue>) -> Bool {
        if count == 1 { return tests.first.passes(fields[tests.first.field]) }
        return passesAll(fields)
    }

    @inline(never)
    private func passesAll(_ fields: UnsafePointer<FieldValue>) -> Bool {
        var any = false
        for index in 0..<count {
            let test = index == 0 ? tests.first : index == 1 ? tests.second : index == 2 ? tests.third : tests.fourth
            any = any || test.passes(fields[test.field])
            if ends >> index & 1 == 1 {
                if !any { return false }
                any = false
            }
        }
        return true
    }

    static func == (a: EventCondition, b: EventCondition) -> Bool {
        a.count == b.count && a.ends == b.ends && a.tests == b.tests
    }

    func hash(into hasher: inout Hasher) {
        hasher.combine(count)
        hasher.combine(ends)
        for group in groups { for test in group { hasher.combine(test) } }
    }
}
