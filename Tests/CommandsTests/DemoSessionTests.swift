import Base
import Commands
import Events
import Foundation
import Simulation
import TestSupport
import Testing

/// The whole product in one process, on the embedded broker: what went in is accounted for, what came out is true.
@Test func theDemoAccountsForEveryMessageAndFindsTheEffects() throws {
    var settings = DemoSettings()
    settings.trial.users = 1500
    settings.trial.duplicates = 0.01
    settings.trial.outOfOrder = 0.01
    settings.trial.invalid = 0.01
    settings.rate = 8000
    settings.duration = 7
    settings.partitions = 3
    settings.printsJSON = true
    settings.model = SharedMaterial.repository.appending(path: "examples/demo/demo.model").path
    let end = try DemoSession(settings).run()

    #expect(end.lag == 0)
    #expect(end.deadLetters > 0 && end.duplicates > 0)
    // The same trial again, without a broker: as many of each kind among as many messages.
    var simulation = try TrialSimulation(settings.trial)
    let buffer = ByteBuffer()
    var expected = (duplicates: 0, invalid: 0, scores: 0)
    for _ in 0..<end.events {
        buffer.removeAll()
        let event = simulation.next(into: buffer)
        if event.isInvalid { expected.invalid += 1 }
        if event.isDuplicate { expected.duplicates += 1 }
        if !event.isDuplicate, event.kind == .adView || event.kind == .click { expected.scores += 1 }
    }
    #expect(end.deadLetters == expected.invalid)
    // A copy may still be on its way when its original is, and the first of the two to arrive counts.
    #expect(abs(end.duplicates - expected.duplicates) <= 10)
    #expect(abs(end.board.total - expected.scores) <= 10)
    #expect(end.board.foreign == 0)
    for row in end.board.rows where row.scores > 200 {
        let n = Double(row.scores)
        #expect(abs(row.estimate - row.truth) / n < 0.06, "\(row.segment)")
    }
}
