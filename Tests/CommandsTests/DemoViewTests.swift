import Commands
import Simulation
import Terminal
import Testing

/// Scores that tell the truth, with an interval that just holds it, for every user once.
private func truthfulBoard() -> DemoScoreboard {
    var board = DemoScoreboard(seed: 1, users: 2000)
    for index in 0..<2000 {
        let effect = TrialUser(seed: 1, index: index).strata.effect
        Array("u-\(index)".utf8).withUnsafeBytes {
            board.add(
                user: $0, effect: effect, standardError: 0.01, lower: effect - 0.02, upper: effect + 0.02,
                isTreat: effect > 0.02, isSuppress: effect < -0.02)
        }
    }
    return board
}

@Test func truthfulScoresAreShownAsSuch() {
    let board = truthfulBoard()
    let truth = TrialTruth.summaries(seed: 1, users: 2000)
    for (row, summary) in zip(board.rows, truth) {
        #expect(row.scores == summary.users)
        #expect(abs(row.truth / Double(row.scores) - summary.effect) < 1e-12)
        #expect(row.estimate == row.truth)
        #expect(row.covered == row.scores)
        #expect(row.treat + row.suppress + row.uncertain == row.scores)
    }
    let lines = DemoView(style: Style(isOn: false)).segmentTable(board).lines()
    #expect(lines.count == 5)
    #expect(lines.dropFirst().allSatisfy { $0.contains("100 %") })
}

@Test func aScoreOfAStrangerIsCountedApart() {
    var board = DemoScoreboard(seed: 1, users: 10)
    for id in ["u-10", "someone", ""] {
        Array(id.utf8).withUnsafeBytes {
            board.add(user: $0, effect: 0, standardError: 0, lower: 0, upper: 0, isTreat: false, isSuppress: false)
        }
    }
    #expect(board.foreign == 3)
    #expect(board.scores == 0)
}

@Test(arguments: [60, 80, 120]) func theBlockFitsTheWindow(width: Int) {
    var snapshot = DemoSnapshot(board: truthfulBoard())
    snapshot.events = 12_345_678
    snapshot.eventsPerSecond = 19_876
    snapshot.duration = 30
    for style in [Style(isOn: false), Style(isOn: true)] {
        let view = DemoView(style: style)
        #expect(view.lines(snapshot, width: width).contains { $0.contains("12,345,678") })
        #expect(!view.plain(snapshot).contains("\n") && !view.plain(snapshot).contains("\u{1B}"))
    }
}

@Test func beforeTheFirstScoreNothingIsClaimed() {
    let view = DemoView(style: Style(isOn: false))
    let lines = view.segmentTable(DemoScoreboard(seed: 1, users: 10)).lines()
    #expect(lines.dropFirst().allSatisfy { $0.contains("–") && !$0.contains("100") })
}
