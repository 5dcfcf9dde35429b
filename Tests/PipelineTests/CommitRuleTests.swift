import Pipeline
import Testing

@Suite("When a transaction is committed")
struct CommitRuleTests {
    private let rule = CommitRule(intervalMilliseconds: 100, longestMilliseconds: 1_000)

    private func size(_ messages: Int, output: Int = 0, undo: Int = 0) -> CommitRule.Size {
        CommitRule.Size(messages: messages, outputBytes: output, undoBytes: undo)
    }

    struct Case: Sendable {
        var age: Int
        var messages: Int
        var lag: Int?
        var decision: CommitRule.Decision
    }

    @Test(
        "By age and lag",
        arguments: [
            // Not before the interval, whatever the lag.
            Case(age: 0, messages: 5_000, lag: 0, decision: .wait(.milliseconds(100))),
            Case(age: 60, messages: 5_000, lag: 1_000_000, decision: .wait(.milliseconds(40))),
            // Without lag as set; a lag that the next transaction takes in passing is none.
            Case(age: 100, messages: 5_000, lag: 0, decision: .commit),
            Case(age: 100, messages: 5_000, lag: 4_999, decision: .commit),
            Case(age: 100, messages: 5_000, lag: nil, decision: .commit),
            Case(age: 100, messages: 0, lag: 0, decision: .commit),
            // Under lag it grows, and is looked at again soon.
            Case(age: 100, messages: 5_000, lag: 5_000, decision: .wait(.milliseconds(10))),
            Case(age: 999, messages: 50_000, lag: 90_000, decision: .wait(.milliseconds(1))),
            Case(age: 400, messages: 50_000, lag: 40_000, decision: .commit),
            // Up to the longest interval.
            Case(age: 1_000, messages: 50_000, lag: 9_000_000, decision: .commit),
        ])
    func decisions(_ item: Case) {
        let decision = rule.decide(age: .milliseconds(item.age), size: size(item.messages)) { item.lag }
        #expect(decision == item.decision, "\(item)")
    }

    @Test("What is open stays within bounds, at any age")
    func bounds() {
        let bounds = CommitRule.bounds
        for full in [size(bounds.messages), size(1, output: bounds.outputBytes), size(1, undo: bounds.undoBytes)] {
            #expect(CommitRule.isFull(full))
            #expect(rule.decide(age: .milliseconds(1), size: full) { 10_000_000 } == .commit)
        }
        let almost = size(bounds.messages - 1, output: bounds.outputBytes - 1, undo: bounds.undoBytes - 1)
        #expect(!CommitRule.isFull(almost))
    }

    @Test("A longest interval that is no longer keeps the interval always; 0 commits after every batch")
    func fixed() {
        for longest in [0, 50, 100] {
            let rule = CommitRule(intervalMilliseconds: 100, longestMilliseconds: longest)
            #expect(rule.decide(age: .milliseconds(99), size: size(10)) { 1_000_000 } == .wait(.milliseconds(1)))
            #expect(rule.decide(age: .milliseconds(100), size: size(10)) { 1_000_000 } == .commit)
        }
        let each = CommitRule(intervalMilliseconds: 0, longestMilliseconds: 1_000)
        #expect(each.decide(age: .zero, size: size(1)) { 1_000_000 } == .commit)
    }

    @Test("A backlog at any speed: long transactions while it lasts, the set interval within one commit after it")
    func backlog() {
        for speed in [2_000, 50_000, 400_000] {  // messages per second
            var lag = speed * 6
            var commits: [(age: Int, lag: Int)] = []
            var age = 0, open = 0
            let arriving = speed / 20
            for _ in 0..<12_000 {  // a millisecond each
                age += 1
                let taken = min(lag, speed / 1_000)
                lag += arriving / 1_000 - taken
                open += taken
                if rule.decide(age: .milliseconds(age), size: size(open), lag: { lag }) == .commit {
                    commits.append((age, lag))
                    age = 0
                    open = 0
                }
            }
            #expect(commits[0].age == 1_000)
            // Once the rest is smaller than an interval's work, no transaction is longer than it was set.
            let small = commits.firstIndex { $0.lag < speed / 10 } ?? commits.count
            #expect(small < commits.count)
            #expect(commits[(small + 1)...].allSatisfy { $0.age == 100 })
        }
    }
}
