import Base
import Features
import Foundation
import TestSupport
import Testing

@Suite("Stored records")
struct UserRecordCodecTests {
    private func filled(_ plan: FeaturePlan, _ events: [Oracle.Event]) -> PartitionState {
        let state = PartitionState(plan: plan)
        let columns = Columns(events, plan.schema)
        for i in events.indices { _ = columns.apply(i, to: state) }
        state.commit()
        return state
    }

    private func restore(_ state: PartitionState, _ user: String, _ record: [UInt8]?) throws(ImpactError) {
        // Rethrowing with a typed error does not pass through closures: carry the result out.
        let result: Result<Void, ImpactError> = Array(user.utf8).withUnsafeBytes { id in
            guard let record else {
                do throws(ImpactError) { return .success(try state.restore(user: id, record: nil)) } catch {
                    return .failure(error)
                }
            }
            return record.withUnsafeBytes { bytes in
                do throws(ImpactError) { return .success(try state.restore(user: id, record: bytes)) } catch {
                    return .failure(error)
                }
            }
        }
        try result.get()
    }

    @Test("A restored state goes on exactly as the one it was stored from")
    func restoredStateGoesOn() throws {
        let plan = try FeaturePlan(specification(everyAggregate))
        var stream = Stream(.announced(), users: 20)
        stream.dyadic = false
        let state = filled(plan, (0..<2_000).map { _ in stream.next() })
        let copy = PartitionState(plan: plan)
        for (user, record) in state.image {
            // Once too often: the second one replaces the first.
            try restore(copy, user, record)
            try restore(copy, user, record)
        }
        #expect(copy.dirtyCount == 0)
        #expect(copy.userCount == state.userCount)
        #expect(copy.image == state.image)
        let later = (0..<1_000).map { _ in stream.next() }
        let columns = Columns(later, plan.schema)
        for (i, event) in later.enumerated() {
            let a = columns.apply(i, to: state)
            let b = columns.apply(i, to: copy)
            #expect((a == .duplicate) == (b == .duplicate))
            #expect(agree(state.features(of: event.user) ?? [], copy.features(of: event.user) ?? []))
        }
        #expect(copy.image == state.image)
        copy.commit()
        for user in state.image.keys { try restore(copy, user, nil) }
        #expect(copy.userCount == 0)
    }

    @Test("A damaged, cut, lengthened or moved record is refused, and changes nothing")
    func damageIsRefused() throws {
        let plan = try FeaturePlan(specification(everyAggregate))
        var stream = Stream(.announced(), users: 3)
        let state = filled(plan, (0..<500).map { _ in stream.next() })
        let image = state.image
        let (user, record) = try #require(image.max { $0.value.count < $1.value.count })
        /// What a tool says that does not know the features.
        func isIntact(_ record: [UInt8], _ user: String = user) -> Bool {
            Array(user.utf8).withUnsafeBytes { id in record.withUnsafeBytes { UserRecordCodec.isIntact($0, user: id) } }
        }
        #expect(isIntact(record) && !isIntact(record, "somebody") && !isIntact([]) && !isIntact(record + [0]))
        for i in record.indices {
            for bit in 0..<8 {
                var damaged = record
                damaged[i] ^= 1 << UInt8(bit)
                // The count of words is held against the features alone, where the bitmap stays as long.
                if i != 2 { #expect(!isIntact(damaged), "bit \(bit) of byte \(i)") }
                #expect(throws: ImpactError.self, "bit \(bit) of byte \(i)") { try restore(state, user, damaged) }
            }
            #expect(throws: ImpactError.self, "cut to \(i)") { try restore(state, user, Array(record[..<i])) }
        }
        #expect(throws: ImpactError.self) { try restore(state, user, record + [0]) }
        #expect(throws: ImpactError.self) { try restore(state, user, record + [UInt8](repeating: 0, count: 8)) }
        #expect(throws: ImpactError.self, "under another user's key") { try restore(state, "somebody", record) }
        #expect(state.image == image)
    }

    @Test("A record that contradicts itself is refused or harmless, its checksum right")
    func contradictionsAreHarmless() throws {
        let plan = try FeaturePlan(specification(everyAggregate))
        var stream = Stream(.announced(), users: 1)
        let state = filled(plan, (0..<300).map { _ in stream.next() })
        let (user, record) = try #require(state.image.first)
        let codec = UserRecordCodec(plan)
        let later = (0..<20).map { _ in stream.next() }
        let columns = Columns(later, plan.schema)
        var refused = 0
        var taken = 0
        for _ in 0..<4_000 {
            var changed = record
            for _ in 0...stream.uniform(3) {
                changed[16 + stream.uniform(record.count - 16)] = UInt8(stream.uniform(256))
            }
            if stream.uniform(4) == 0 { changed[2] = UInt8(stream.uniform(256)) }
            if stream.uniform(4) == 0 { changed.removeLast(8 * stream.uniform(4)) }
            withBytes(user) { codec.seal(&changed, user: $0) }
            let target = PartitionState(plan: plan, seed: 1)
            do throws(ImpactError) {
                try restore(target, user, changed)
                taken += 1
            } catch {
                refused += 1
                #expect(error.kind == .badInput)
                continue
            }
            for i in later.indices { _ = columns.apply(i, to: target) }
            #expect(target.features(of: user) != nil)
            let image = target.image
            target.commit()
            for (user, record) in image { try restore(target, user, record) }
            #expect(target.image == image)
        }
        print("refused \(refused), taken \(taken)")
        #expect(refused > 100)
        #expect(taken > 100)
    }

    @Test("Each reason has its code")
    func reasonsHaveCodes() throws {
        let plan = try FeaturePlan(specification(everyAggregate))
        var stream = Stream(.announced(), users: 1)
        let state = filled(plan, (0..<50).map { _ in stream.next() })
        let (user, record) = try #require(state.image.first)
        func code(_ record: [UInt8], in target: PartitionState) -> String {
            do throws(ImpactError) { try restore(target, user, record) } catch {
                #expect(error.kind == .badInput)
                #expect(error.message.contains(user))
                return error.code
            }
            return "none"
        }
        #expect(code([], in: state) == "state_record_truncated")
        #expect(code([9] + record[1...], in: state) == "state_record_version")
        #expect(code(Array(record[..<40]), in: state) == "state_record_truncated")
        #expect(code(record.dropLast() + [record[record.count - 1] ^ 1], in: state) == "state_record_damaged")
        let other = try FeaturePlan(
            specification(everyAggregate.replacingOccurrences(of: "\"half_life\":\"1d\"", with: "\"half_life\":\"2d\""))
        )
        #expect(code(record, in: PartitionState(plan: other)) == "state_record_specification")
        // Names, defaults and ratios are read from the record and not kept in it: it stays good when they change.
        let renamed = try FeaturePlan(
            specification(
                everyAggregate.replacingOccurrences(of: "since_any", with: "since_event")
                    .replacingOccurrences(of: "\"default\":-7", with: "\"default\":3")))
        #expect(renamed.fingerprint == plan.fingerprint)
        #expect(code(record, in: PartitionState(plan: renamed)) == "none")
    }

    @Test("Restoring into an open transaction is refused")
    func restoreIsNoPartOfATransaction() throws {
        let plan = try FeaturePlan(specification(everyAggregate))
        var stream = Stream(.announced(), users: 1)
        let events = (0..<10).map { _ in stream.next() }
        let state = filled(plan, events)
        let (user, record) = try #require(state.image.first)
        let columns = Columns([Oracle.Event(user: "new", type: "click", time: 5)], plan.schema)
        _ = columns.apply(0, to: state)
        #expect(throws: ImpactError.self) { try restore(state, user, record) }
        state.commit()
        try restore(state, user, record)
    }
}
