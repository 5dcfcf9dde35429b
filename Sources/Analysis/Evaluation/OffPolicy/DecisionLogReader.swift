import Base
import Statistics
import Tabular

/// Which columns of a CSV are which in a log of decisions.
package struct DecisionColumns: Sendable, Equatable {
    package var action = "action"
    package var reward = "reward"
    /// The probability with which the logging policy took the action of the row.
    package var propensity = "propensity"
    package var stratum: String?
    package var weight: String?
    /// Decisions of one value belong together.
    package var cluster: String?
    /// `PREFIX` + an action's label names the column of the target policy's probability of that action.
    package var policyPrefix: String?
    package var skipsMissing = false

    package init() {}
}

/// A policy that can be valued from a log's columns.
package enum LoggedPolicy: Sendable, Equatable {
    case uniform
    /// This action at every decision.
    case always(String)
    /// What another log did: each action's mean logged propensity in each stratum, normalised to sum to 1.
    case log(String)
    /// Probabilities in columns of the log itself.
    case columns(String)

    /// The other log.
    package var path: String? { if case .log(let path) = self { path } else { nil } }
    /// The action that must be known although the log may never have taken it.
    package var action: String? { if case .always(let action) = self { action } else { nil } }
}

/// A log read from a file, with its labels, and that of the policy when it comes from another log.
package struct DecisionReading: Sendable {
    package let log: DecisionLog
    package let source: String
    /// The labels of the actions by number; actions that no log took have none and come last.
    package let actions: [String]
    package let strata: [String]
    package let rowsMissing: Int
    let policyTable: [Double]?
    let policyColumns: [Double]?

    /// The policy over this log's actions.
    ///
    /// - Throws: `bad_policy` for an action that is not known.
    package func policy(_ policy: LoggedPolicy) throws(ImpactError) -> TargetPolicy {
        switch policy {
        case .uniform: return .uniform
        case .always(let label):
            guard let action = actions.firstIndex(of: label) else {
                throw ImpactError(.badInput, code: "bad_policy", "\(source) knows no action '\(label)'")
            }
            return TargetPolicy("always \(label)") { _, out in
                out.update(repeating: 0)
                out[action] = 1
            }
        case .log(let path): return .table("that of \(path)", policyTable ?? [], log: log)
        case .columns(let prefix):
            let table = policyColumns ?? []
            return TargetPolicy("columns \(prefix)…") { row, out in
                for action in 0..<out.count { out[action] = table[row * out.count + action] }
            }
        }
    }
}

/// Reads a log of decisions from a CSV with a heading.
package enum DecisionLogReader {
    /// - Parameters:
    ///   - policyLog: a second log with the same columns whose policy is to be valued.
    ///   - extraAction: an action that exists although no row took it.
    ///   - actions: how many actions there are, when the logs have not taken all.
    /// - Throws: `csv_…` naming file, line and column; `bad_log`; `bad_policy`.
    package static func read(
        _ path: String, _ columns: DecisionColumns, policyLog: String? = nil, extraAction: String? = nil,
        actions: Int? = nil
    ) throws(ImpactError) -> DecisionReading {
        let own = try DecisionRows(path, columns)
        var policyColumns = columns
        policyColumns.policyPrefix = nil
        var other: DecisionRows?
        if let policyLog { other = try DecisionRows(policyLog, policyColumns) }
        var labels = Set(own.actions).union(other?.actions ?? [])
        labels.formUnion(own.policyLabels)
        if let extraAction, !labels.contains(extraAction) {
            let known = labels.sorted { ($0.count, $0) < ($1.count, $1) }
            throw ImpactError(
                .badInput, code: "bad_policy",
                "no decision of \(own.name) took the action '\(extraAction)', so that nothing is known of it: its actions are "
                    + known.prefix(20).joined(separator: ", ")
                    + (known.count > 20 ? " and \(known.count - 20) more" : ""))
        }
        let sorted = labels.sorted { ($0.count, $0) < ($1.count, $1) }
        if let actions, actions < sorted.count {
            throw ImpactError(
                .badInput, code: "bad_log", "the logs have \(sorted.count) actions, more than the \(actions) given")
        }
        let count = actions ?? sorted.count
        let code = Dictionary(uniqueKeysWithValues: sorted.enumerated().map { ($1, Int32($0)) })
        let strata = Set(own.strata).union(other?.strata ?? []).sorted { ($0.count, $0) < ($1.count, $1) }
        let stratumCode = Dictionary(uniqueKeysWithValues: strata.enumerated().map { ($1, Int32($0)) })
        func log(_ rows: DecisionRows) throws(ImpactError) -> DecisionLog {
            do throws(ImpactError) {
                return try DecisionLog(
                    action: rows.actionCodes.map { code[rows.actions[$0]] ?? 0 }, actionCount: count,
                    reward: rows.reward, propensity: rows.propensity,
                    stratum: rows.stratumCodes.map { stratumCode[rows.strata[$0]] ?? 0 }, stratumCount: strata.count,
                    weight: columns.weight == nil ? nil : rows.weight,
                    clusters: columns.cluster == nil ? nil : Clusters(labels: rows.clusterLabels))
            } catch {
                throw ImpactError(error.kind, code: error.code, "\(rows.name): \(error.message)")
            }
        }
        var table: [Double]?
        if let other { table = try Self.table(of: log(other), name: other.name, strata: strata) }
        return DecisionReading(
            log: try log(own), source: own.name, actions: sorted, strata: strata, rowsMissing: own.missing,
            policyTable: table, policyColumns: own.policy(over: sorted, count: count))
    }

    /// Each action's mean logged propensity in each stratum, normalised.
    private static func table(of log: DecisionLog, name: String, strata: [String]) throws(ImpactError) -> [Double] {
        var sum = [Double](repeating: 0, count: log.actionCount * log.stratumCount)
        var rows = sum
        for row in 0..<log.count {
            let cell = Int(log.stratum[row]) * log.actionCount + Int(log.action[row])
            sum[cell] += log.propensity[row]
            rows[cell] += 1
        }
        var table = zip(sum, rows).map { $1 > 0 ? $0 / $1 : 0 }
        for stratum in 0..<log.stratumCount {
            let cells = stratum * log.actionCount..<(stratum + 1) * log.actionCount
            let total = table[cells].reduce(0, +)
            guard total > 0 else {
                throw ImpactError(
                    .badInput, code: "bad_policy",
                    "\(name) has no decision in stratum '\(strata[stratum])': its policy there is not known")
            }
            for cell in cells { table[cell] /= total }
        }
        return table
    }
}

/// A log's columns as they stand in the file; labels as codes in the order in which they come.
private struct DecisionRows {
    let name: String
    var actions: [String] = []
    var strata: [String] = []
    var actionCodes: [Int] = []
    var stratumCodes: [Int] = []
    var reward: [Double] = []
    var propensity: [Double] = []
    var weight: [Double] = []
    var clusterLabels: [String] = []
    var missing = 0
    /// Labels of the actions that have a column of the target policy, and its values row by row.
    private(set) var policyLabels: [String] = []
    private var policyValues: [Double] = []

    init(_ path: String, _ columns: DecisionColumns) throws(ImpactError) {
        let table = try CSVTable(path: path)
        name = table.name
        let action = try table.index(of: columns.action, role: "action", option: "--action")
        let stratum = try columns.stratum.map { name throws(ImpactError) in
            try table.index(of: name, role: "stratum", option: "--stratum")
        }
        let cluster = try columns.cluster.map { name throws(ImpactError) in
            try table.index(of: name, role: "cluster", option: "--cluster")
        }
        var numbers = [
            try table.index(of: columns.reward, role: "reward", option: "--outcome"),
            try table.index(of: columns.propensity, role: "propensity", option: "--propensity"),
        ]
        if let weight = columns.weight {
            numbers.append(try table.index(of: weight, role: "weight", option: "--weight"))
        }
        let fixed = numbers.count
        if let prefix = columns.policyPrefix {
            for (index, column) in table.columns.enumerated() where column.hasPrefix(prefix) && column != prefix {
                policyLabels.append(String(column.dropFirst(prefix.count)))
                numbers.append(index)
            }
            guard !policyLabels.isEmpty else {
                throw ImpactError(
                    .badInput, code: "csv_column", "\(name) has no column that begins with '\(prefix)' (--policy)")
            }
        }
        var actionCode: [String: Int] = [:]
        var stratumCode: [String: Int] = [:]
        var row = [Double](repeating: 0, count: numbers.count)
        while try table.advance() {
            let label = table.record.text(table.text, action)
            let place = stratum.map { table.record.text(table.text, $0) } ?? ""
            guard try Self.read(table, numbers, columns, into: &row), !label.isEmpty || !columns.skipsMissing else {
                missing += 1
                continue
            }
            guard !label.isEmpty else { throw table.fault(action, "the action is missing") }
            actionCodes.append(Self.code(label, &actionCode, &actions))
            stratumCodes.append(Self.code(place, &stratumCode, &strata))
            if let cluster { clusterLabels.append(table.record.text(table.text, cluster)) }
            reward.append(row[0])
            propensity.append(row[1])
            if columns.weight != nil { weight.append(row[2]) }
            policyValues += row[fixed...]
        }
    }

    private static func code(_ label: String, _ codes: inout [String: Int], _ labels: inout [String]) -> Int {
        if let code = codes[label] { return code }
        codes[label] = labels.count
        labels.append(label)
        return labels.count - 1
    }

    /// False when a value is missing and such rows are left out.
    private static func read(
        _ table: CSVTable, _ numbers: [Int], _ columns: DecisionColumns, into row: inout [Double]
    ) throws(ImpactError) -> Bool {
        for (slot, index) in numbers.enumerated() {
            switch CSVDouble.read(table.text, table.record[index]) {
            case .value(let value): row[slot] = value
            case .missing where columns.skipsMissing: return false
            case .missing:
                throw table.fault(
                    index, "the value is missing; fill it in, or leave such rows out with --skip-missing")
            case .notANumber, .outOfRange: throw table.fault(index, "is not a number")
            }
        }
        return true
    }

    /// The target policy's probabilities over the actions in their final order; 0 where there is no column.
    func policy(over actions: [String], count: Int) -> [Double]? {
        guard !policyLabels.isEmpty else { return nil }
        let places = policyLabels.map { label in actions.firstIndex(of: label) ?? 0 }
        var values = [Double](repeating: 0, count: actionCodes.count * count)
        for row in actionCodes.indices {
            for (column, place) in places.enumerated() {
                values[row * count + place] = policyValues[row * places.count + column]
            }
        }
        return values
    }
}
