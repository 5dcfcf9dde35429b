import Base
import JSON

/// What an IHC model is made of: curves and how they combine.
///
/// - Initializer: 1 for the first session, later ones by the gap since the session before them (``initializer``).
/// - A gap of ``restartHours`` or more is a new start: sessions before the last such gap get nothing.
/// - Closer: 1 for the last session, others by the hours left until it (``closer``) when they have closer engagement.
/// - Holder: what is left by the other two, see ``holder(initializer:closer:)``, when they have holder engagement.
///
/// - Each phase may have a curve over the position in the journey, which its memberships are multiplied by (``Positions``).
///
/// Each phase is scaled to 1 and the phases are weighted; a phase that no session has leaves its weight to the others.
package struct IHCParameters: Sendable, Equatable {
    package var initializer: IHCCurve
    package var closer: IHCCurve
    package var restartHours: Double
    package var initializerWeight: Double
    package var holderWeight: Double
    package var closerWeight: Double
    package var positions: Positions

    /// Curves over the position of a session in its journey, from 0 for the first to 1 for the last since the last new start;
    /// nil is a flat one. Only the shape counts, since phases are scaled.
    package struct Positions: Sendable, Equatable {
        package var initializer: IHCCurve?
        package var holder: IHCCurve?
        package var closer: IHCCurve?

        package init(initializer: IHCCurve? = nil, holder: IHCCurve? = nil, closer: IHCCurve? = nil) {
            self.initializer = initializer
            self.holder = holder
            self.closer = closer
        }

        package static let flat = Positions()
    }

    package init(
        initializer: IHCCurve, closer: IHCCurve, restartHours: Double, initializerWeight: Double, holderWeight: Double,
        closerWeight: Double, positions: Positions = .flat
    ) {
        self.positions = positions
        self.initializer = initializer
        self.closer = closer
        self.restartHours = restartHours
        self.initializerWeight = initializerWeight
        self.holderWeight = holderWeight
        self.closerWeight = closerWeight
    }

    /// The holder's membership from the shares of the other two phases, both 0 … 1: halfway between the arithmetic and the
    /// harmonic mean of what the two leave. 1 where both are 0, 1/4 where one of them is 1, 0 where both are. Reproduces an
    /// IHC API's answers to the fourth decimal.
    package static func holder(initializer: Double, closer: Double) -> Double {
        let (x, y) = (max(0, 1 - initializer), max(0, 1 - closer))
        return x + y > 0 ? (x + y) / 4 + x * y / (x + y) : 0
    }
}

extension IHCParameters {
    package static let format = "impactiq-ihc"

    /// Reads what ``json(fit:)`` wrote.
    package init(json: JSONValue, name: String) throws(ImpactError) {
        func fail(_ what: String) -> ImpactError {
            ImpactError(
                .badInput, code: "ihc_file", "\(name): \(what). Make the file with 'impactiq attribute fit-ihc'")
        }
        guard json["format"]?.string == Self.format else { throw fail("this is not a file of IHC curves") }
        guard json["version"]?.number == 1 else { throw fail("its version is not 1") }
        func number(_ value: JSONValue?, _ what: String) throws(ImpactError) -> Double {
            guard let number = value?.number, number.isFinite, number >= 0 else {
                throw fail("\(what) must be a number of at least 0")
            }
            return number
        }
        func curve(_ member: String, in given: JSONValue, over axis: String) throws(ImpactError) -> IHCCurve {
            guard let hours = given[member]?[axis]?.array?.map(\.number),
                let values = given[member]?["value"]?.array?.map(\.number), !hours.isEmpty, hours.count == values.count
            else { throw fail("\(member) must have '\(axis)' and 'value', two lists of one length") }
            let x = hours.compactMap { $0 }
            let y = values.compactMap { $0 }
            guard x.count == hours.count, y.count == values.count, zip(x, x.dropFirst()).allSatisfy({ $0 < $1 }),
                y.allSatisfy({ $0 >= 0 && $0 <= 1 })
            else { throw fail("\(member): \(axis) must rise and values lie between 0 and 1") }
            return IHCCurve(hours: x, values: y)
        }
        func position(_ phase: String) throws(ImpactError) -> IHCCurve? {
            guard let given = json["position"], given[phase] != nil, given[phase] != .null else { return nil }
            let curve = try curve(phase, in: given, over: "position")
            guard curve.values.contains(where: { $0 > 0 }) else { throw fail("position.\(phase) is 0 everywhere") }
            return curve
        }
        let weights = json["weights"]
        initializerWeight = try number(weights?["initializer"], "weights.initializer")
        holderWeight = try number(weights?["holder"], "weights.holder")
        closerWeight = try number(weights?["closer"], "weights.closer")
        guard initializerWeight + holderWeight + closerWeight > 0 else { throw fail("the weights are all 0") }
        restartHours = json["restart_hours"] == .null ? .infinity : try number(json["restart_hours"], "restart_hours")
        initializer = try curve("initializer", in: json, over: "hours")
        closer = try curve("closer", in: json, over: "hours")
        positions = Positions(
            initializer: try position("initializer"), holder: try position("holder"), closer: try position("closer"))
    }

    /// The file's content; `fit` says how well the curves reproduce what they were fitted to.
    package func json(fit: IHCFitQuality?) -> JSONValue {
        func numbers(_ values: [Double], _ scale: Double) -> JSONValue {
            .array(values.map { .number(($0 * scale).rounded() / scale) })
        }
        func curve(_ curve: IHCCurve, over axis: String = "hours") -> JSONValue {
            .object([
                .init(axis, .array(curve.hours.map { .number($0) })), .init("value", numbers(curve.values, 1e6)),
            ])
        }
        var members: [JSONValue.Member] = [
            .init("format", .string(Self.format)), .init("version", .number(1)),
            .init(
                "weights",
                .object([
                    .init("initializer", .number(initializerWeight)), .init("holder", .number(holderWeight)),
                    .init("closer", .number(closerWeight)),
                ])),
            .init("restart_hours", restartHours.isFinite ? .number(restartHours) : .null),
            .init("initializer", curve(initializer)), .init("closer", curve(closer)),
        ]
        let over = [
            ("initializer", positions.initializer), ("holder", positions.holder), ("closer", positions.closer),
        ].compactMap { name, found in found.map { JSONValue.Member(name, curve($0, over: "position")) } }
        if !over.isEmpty { members.append(.init("position", .object(over))) }
        if let fit { members.append(.init("fit", fit.json)) }
        return .object(members)
    }
}
