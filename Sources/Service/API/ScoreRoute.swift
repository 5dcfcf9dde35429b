import Base
import Engine
import Events
import Features
import JSON
import Scoring

/// `POST /v1/score`: one person, by features or by raw events.
struct ScoreRoute: Sendable {
    let served: ServedModel

    /// Events of one request at the most.
    static let maxEvents = 10_000

    private enum Member: CaseIterable {
        case features, events, userID

        var name: String {
            switch self {
            case .features: "features"
            case .events: "events"
            case .userID: "user_id"
            }
        }
    }

    func answer(_ exchange: Exchange) throws(Problem) {
        let session = ScoringSession.of(exchange, served)
        var scanner = JSONScanner(exchange.body, maxDepth: 32)
        session.users.removeAll()
        var user: Range<Int>?
        var hasFeatures = false
        var events: JSONScanner?
        var more = try Self.enter(&scanner)
        while more {
            switch try member(&scanner, session) {
            case .features:
                guard !hasFeatures else { throw Self.twice("features") }
                hasFeatures = true
                session.clear(session.row(0))
                guard scanner.current == 0x7B else { throw Self.notAnObject(scanner, "features") }
                try session.readFeatures(&scanner, into: session.row(0), place: "features")
                session.complete(session.row(0))
            case .userID:
                guard user == nil else { throw Self.twice("user_id") }
                user = try session.readUser(&scanner, field: "user_id")
            case .events:
                guard events == nil else { throw Self.twice("events") }
                events = scanner
                do throws(InputError) { try scanner.skipValue(depth: 1) } catch {
                    throw Problem(error, field: "events")
                }
            }
            more = try Self.next(&scanner)
        }
        do throws(InputError) { try scanner.expectEnd() } catch { throw Problem(error) }
        if var events {
            if hasFeatures {
                throw Problem(422, "ambiguous", "give features or events, not both", field: "events")
            }
            return try fold(&events, user, exchange, session)
        }
        guard hasFeatures else {
            throw Problem(
                422, "missing_field", "give \"features\" (a number by name) or \"events\" (raw events of one user)",
                field: "features")
        }
        try session.score(1) { _ in "features" }
        session.write(0, user: user.map { session.users.bytes($0) }, into: exchange.out)
    }

    private func member(_ scanner: inout JSONScanner, _ session: ScoringSession) throws(Problem) -> Member {
        let name: JSONScanner.Text
        do throws(InputError) { name = try scanner.scanName() } catch { throw Problem(error) }
        let bytes = scanner.decoded(name, session.scratch)
        switch bytes.count {
        case 8 where bytes.elementsEqual("features".utf8): return .features
        case 6 where bytes.elementsEqual("events".utf8): return .events
        case 7 where bytes.elementsEqual("user_id".utf8): return .userID
        default: break
        }
        throw Self.unknownMember(session.text(scanner, name), Member.allCases.map(\.name))
    }

    // MARK: Events

    /// Milliseconds since 1970; what is less was meant as seconds.
    private static let earliest: Int64 = 100_000_000_000

    private func fold(
        _ scanner: inout JSONScanner, _ user: Range<Int>?, _ exchange: Exchange, _ session: ScoringSession
    ) throws(Problem) {
        guard let user else {
            throw Problem(422, "missing_field", "name the user whose events these are", field: "user_id")
        }
        let folding = try session.folding()
        let state = folding.begin()
        var result = UserFold.Result()
        let event = ByteBuffer(capacity: 1_024)
        var index = 0
        var more = try Self.enterArray(&scanner, "events")
        while more {
            if index == Self.maxEvents {
                throw Problem(422, "too_many_events", "at most \(Self.maxEvents) events are read", field: "events")
            }
            let place = "events[\(index)]"
            try compose(&scanner, user, session, into: event, place)
            do throws(InputError) { try folding.apply(event.bytes, to: state, &result) } catch {
                let member = error.field.name(in: folding.plan.schema)
                throw Problem(
                    422, error.code.name, "\(place): \(error.message(schema: folding.plan.schema))",
                    field: member.map { "\(place).\($0)" } ?? place)
            }
            // The stream refuses such a time, for it lies too far before its message.
            if result.time < Self.earliest {
                throw Problem(
                    422, "time_too_old",
                    "\(place): the time lies before 1973: give milliseconds since 1970, not seconds",
                    field: "\(place).time")
            }
            index += 1
            more = try Self.nextElement(&scanner, "events")
        }
        if folding.refusesScoring(session.users.bytes(user), in: state) {
            throw Problem(
                422, "scoring_refused", "the user refuses scoring by a \"user.consent\" event", field: "events")
        }
        session.clear(session.row(0))
        guard folding.row(of: session.users.bytes(user), in: state, into: session.row(0)) else {
            throw Problem(422, "no_events", "there is no event to score at", field: "events")
        }
        try session.score(1) { _ in "features" }
        result.type.withUnsafeBytes {
            session.write(0, user: session.users.bytes(user), time: result.time, type: $0, into: exchange.out)
        }
    }

    /// Copies one event, with the user's id put into one that names none.
    private func compose(
        _ scanner: inout JSONScanner, _ user: Range<Int>, _ session: ScoringSession, into event: ByteBuffer,
        _ place: String
    ) throws(Problem) {
        event.removeAll()
        let start = scanner.position
        guard scanner.current == 0x7B else { throw Self.notAnObject(scanner, place) }
        var names = false
        var isEmpty = true
        do throws(InputError) {
            var members = scanner
            var more = try members.enterObject()
            while more {
                isEmpty = false
                let name = try members.scanName()
                if members.decoded(name, session.scratch).elementsEqual("user_id".utf8) {
                    names = true
                    let kept = session.users.count
                    let own = try Self.userID(&members, session.users)
                    let same = session.users.bytes(own).elementsEqual(session.users.bytes(user))
                    session.users.truncate(to: kept)
                    if !same { throw InputError(.keyMismatch) }
                } else {
                    try members.skipValue(depth: 3)
                }
                more = try members.nextMember()
            }
            scanner.position = members.position
        } catch {
            if error.code == .keyMismatch {
                throw Problem(
                    422, "other_user", "the event is of another user than the request", field: "\(place).user_id")
            }
            throw Problem(error, field: place)
        }
        let own = UnsafeRawBufferPointer(start: scanner.base + start, count: scanner.position - start)
        if names { return event.append(own) }
        event.append("{\"user_id\":")
        event.appendJSONString(session.users.bytes(user))
        if !isEmpty { event.append(",") }
        event.append(UnsafeRawBufferPointer(rebasing: own.dropFirst()))
    }

    /// A user's id whatever it is; what is none stays for the event's reader to refuse.
    private static func userID(_ scanner: inout JSONScanner, _ users: ByteBuffer) throws(InputError) -> Range<Int> {
        let start = users.count
        if scanner.current == 0x22 {
            scanner.decode(try scanner.scanString(), into: users)
        } else if scanner.isAtNumber, let id = scanner.integer(try scanner.scanNumber()) {
            users.append(id)
        } else {
            throw InputError(.fieldType, position: scanner.position)
        }
        return start..<users.count
    }
}

// MARK: Steps that every route takes through JSON

extension ScoreRoute {
    static func enter(_ scanner: inout JSONScanner) throws(Problem) -> Bool {
        scanner.skipWhitespace()
        guard scanner.current == 0x7B else {
            if scanner.count == 0 { throw Problem(400, "empty_body", "the body is empty; send a JSON object") }
            throw notAnObject(scanner, nil)
        }
        do throws(InputError) { return try scanner.enterObject() } catch { throw Problem(error) }
    }

    static func next(_ scanner: inout JSONScanner) throws(Problem) -> Bool {
        do throws(InputError) { return try scanner.nextMember() } catch { throw Problem(error) }
    }

    static func enterArray(_ scanner: inout JSONScanner, _ field: String) throws(Problem) -> Bool {
        guard scanner.current == 0x5B else {
            do throws(InputError) { throw try scanner.typeFault() } catch {
                throw Problem(422, error.code.name, "must be an array", field: field)
            }
        }
        scanner.position += 1
        scanner.skipWhitespace()
        if scanner.current == 0x5D {
            scanner.position += 1
            return false
        }
        return true
    }

    static func nextElement(_ scanner: inout JSONScanner, _ field: String) throws(Problem) -> Bool {
        scanner.skipWhitespace()
        if scanner.current == 0x2C {
            scanner.position += 1
            scanner.skipWhitespace()
            return true
        }
        do throws(InputError) { try scanner.expect(0x5D) } catch { throw Problem(error, field: field) }
        return false
    }

    /// What stands where an object must: no JSON at all, or JSON of another kind.
    static func notAnObject(_ scanner: JSONScanner, _ field: String?) -> Problem {
        var scanner = scanner
        do throws(InputError) { try scanner.skipValue(depth: 2) } catch { return Problem(error, field: field) }
        return Problem(field == nil ? 400 : 422, "not_an_object", "must be a JSON object", field: field)
    }

    static func twice(_ field: String) -> Problem {
        Problem(422, "duplicate_field", "given twice", field: field)
    }

    static func unknownMember(_ name: String, _ known: [String]) -> Problem {
        let hint = NearestName.find(name, among: known)
        return Problem(
            422, "unknown_field",
            "there is no \"\(name.prefix(100))\" here; "
                + (hint.map { "did you mean \"\($0)\"?" } ?? "known are \(known.joined(separator: ", "))"),
            field: String(name.prefix(100)))
    }
}
