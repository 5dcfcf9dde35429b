import Base
import Events
import Foundation
import JSON
import Simulation
import TestSupport
import Testing

private func settings(users: Int = 500, seed: UInt64 = 7) -> TrialSettings {
    var settings = TrialSettings()
    settings.users = users
    settings.seed = seed
    return settings
}

@Test func theSeedDecidesTheBytesWhateverThePieces() throws {
    var faulty = settings()
    faulty.outOfOrder = 0.05
    faulty.duplicates = 0.05
    faulty.invalid = 0.02
    let once = try messages(faulty, 5000, piece: 5000).map(\.value)
    #expect(try messages(faulty, 5000, piece: 7).map(\.value) == once)
    faulty.seed = 8
    #expect(try messages(faulty, 5000).map(\.value) != once)
}

@Test func everyMessageIsTheContractsJSON() throws {
    for message in try messages(settings(), 3000) {
        let object = try #require(try JSONSerialization.jsonObject(with: Data(message.value)) as? [String: Any])
        #expect(object["user_id"] as? String == message.key)
        #expect(message.key == "u-\(message.event.user)")
        #expect(object["type"] as? String == message.event.kind?.name.description)
        let time = try #require(object["time"] as? String)
        let parsed = try Date(time, strategy: Date.ISO8601FormatStyle(includingFractionalSeconds: true))
        #expect(Int64((parsed.timeIntervalSince1970 * 1000).rounded()) == message.event.time)
        #expect((object["properties"] as? [String: Any])?.count == 6)
        #expect((object["treatment"] != nil) == (message.event.kind == .treatment))
        let value = object["value"] as? Double
        #expect((value ?? 0) > 0 || message.event.kind?.hasAmount == false)
    }
}

extension EventKind {
    fileprivate var hasAmount: Bool { self == .purchase || self == .refund || self == .addToCart }
}

/// The product's own strict reader takes every valid message, with its key, and refuses every invalid one.
@Test func theReaderAgreesOnWhatIsValid() throws {
    var faulty = settings()
    faulty.invalid = 0.1
    faulty.outOfOrder = 0.05
    faulty.duplicates = 0.05
    let batch = EventBatch(schema: EventSchema(fields: [.init("properties.history", expects: .number)]), capacity: 1)
    var refusals: Set<InputErrorCode> = []
    for message in try messages(faulty, 5000) {
        batch.removeAll()
        var failure: InputError?
        message.value.withUnsafeBytes { value in
            Array(message.key.utf8).withUnsafeBytes { key in
                do throws(InputError) {
                    try batch.append(value, key: message.event.isInvalid ? nil : key, source: SourcePosition())
                } catch { failure = error }
            }
        }
        #expect((failure != nil) == message.event.isInvalid, "\(message.text)")
        if let failure {
            refusals.insert(failure.code)
        } else {
            #expect(batch[0].time == message.event.time)
            #expect(batch[0].type == message.event.kind?.rawValue)
            let user = TrialUser(seed: faulty.seed, index: message.event.user)
            #expect(batch.fields(0)[0].number == Double(user.historyCents) / 100)
        }
    }
    #expect(refusals.count >= 6)
}

@Test func withoutFaultsEventsAreInOrderAndOnce() throws {
    let all = try messages(settings(), 60_000)
    #expect(zip(all, all.dropFirst()).allSatisfy { $0.event.time <= $1.event.time })
    #expect(!all.contains { $0.event.isDuplicate || $0.event.isInvalid })
    #expect(Set(all.map(\.value)).count == all.count)
    #expect(Set(all.map { $0.event.kind }) == Set(EventKind.allCases.map { $0 }))
}

/// Faults move and repeat messages and add invalid ones; what happened in the trial is the same.
@Test func faultsDoNotChangeTheTrial() throws {
    let clean = try messages(settings(), 20_000)
    var faulty = settings()
    faulty.outOfOrder = 0.1
    faulty.duplicates = 0.1
    faulty.invalid = 0.05
    let received = try messages(faulty, 26_000)
    let valid = received.filter { !$0.event.isInvalid }
    let distinct = Set(valid.map(\.value))
    let horizon = try #require(clean.last).event.time - faulty.greatestDelay
    let expected = clean.filter { $0.event.time < horizon }.map(\.value)
    #expect(expected.allSatisfy(distinct.contains))
    #expect(Set(valid.filter { $0.event.time < horizon }.map(\.value)) == Set(expected))
    #expect(valid.count { $0.event.isDuplicate } > 1000)
    #expect(zip(valid, valid.dropFirst()).contains { $0.event.time > $1.event.time })
    #expect(received.count { $0.event.isInvalid } > 500)
}

@Test func everyOutcomeFallsWithinItsWindowAndThereAreNoOthers() throws {
    let trial = settings(users: 200)
    let all = try messages(trial, 60_000)
    let end = try #require(all.last).event.time - trial.outcomeWindow
    let purchases = Dictionary(grouping: all.filter { $0.event.kind == .purchase }) { $0.event.user }
    var converted = 0
    for assignment in all where assignment.event.kind == .treatment && assignment.event.time < end {
        let window = assignment.event.time..<assignment.event.time + trial.outcomeWindow
        let found = purchases[assignment.event.user, default: []].count { window.contains($0.event.time) }
        #expect(found == (assignment.event.isConverted ? 1 : 0))
        converted += found
    }
    #expect(converted > 300)
    let views = all.filter { $0.event.kind == .adView }
    let treated = Set(all.filter { $0.event.isTreated }.map(\.event.user))
    #expect(views.allSatisfy { treated.contains($0.event.user) })
}

/// Randomisation recovers the closed form: by class, the difference in means estimates the mean effect.
@Test func theTrialShowsTheEffectsInClosedForm() throws {
    var trial = settings(users: 3000, seed: 11)
    trial.propensity = 0.4
    var simulation = try TrialSimulation(trial)
    let buffer = ByteBuffer()
    struct Cell {
        var n = 0.0
        var converted = 0.0
    }
    var cells = Array(repeating: Cell(), count: 8)
    var truth = Array(repeating: 0.0, count: 4)
    var assignments = 0
    while assignments < 120_000 {
        buffer.removeAll()
        let event = simulation.next(into: buffer)
        guard event.kind == .treatment else { continue }
        assignments += 1
        let user = TrialUser(seed: trial.seed, index: event.user)
        let segment = Int(user.segment.rawValue)
        cells[2 * segment + (event.isTreated ? 1 : 0)].n += 1
        cells[2 * segment + (event.isTreated ? 1 : 0)].converted += event.isConverted ? 1 : 0
        truth[segment] += user.strata.effect
    }
    let treated = (0..<4).reduce(0) { $0 + cells[2 * $1 + 1].n }
    #expect(abs(treated / Double(assignments) - 0.4) < 5 * (0.24 / Double(assignments)).squareRoot())
    for segment in 0..<4 {
        let (control, ad) = (cells[2 * segment], cells[2 * segment + 1])
        let (p0, p1) = (control.converted / control.n, ad.converted / ad.n)
        let error = (p0 * (1 - p0) / control.n + p1 * (1 - p1) / ad.n).squareRoot()
        #expect(abs(p1 - p0 - truth[segment] / (control.n + ad.n)) < 4.5 * error)
        #expect(error < 0.02)
    }
}

@Test(arguments: [0, -1]) func noPopulationIsRefused(users: Int) {
    let error = #expect(throws: ImpactError.self) { _ = try messages(settings(users: users), 1) }
    #expect(error?.kind == .usage)
}
