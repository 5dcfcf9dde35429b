import Base
import Features
import Foundation
import Rows
import Tabular

/// Which columns are features, and how each is read.
extension TrainingPlan.PlanMaker {
    mutating func features(
        _ specification: FeatureSpecification?, taken: Set<String>
    ) throws(ImpactError) -> [TrainingPlan.Feature] {
        if let specification { return try specified(specification) }
        var features: [TrainingPlan.Feature] = []
        let named = Set(request.features)
        for name in request.features { _ = try require(name, "feature") }
        for name in request.ordered { _ = try require(name, "ordered") }
        let hasTruth = TrainingPlan.truth.allSatisfy { profile($0) != nil }
        for profile in profiles where !taken.contains(profile.name) {
            let name = profile.name
            if !named.isEmpty {
                if named.contains(name) { try append(profile, to: &features) }
                continue
            }
            if request.ignored.contains(name) || request.ids.contains(name) { continue }
            if name.isEmpty {
                ignored.append(("a column", "no name"))
            } else if TrainingPlan.bookkeeping.contains(name) || (hasTruth && TrainingPlan.truth.contains(name)) {
                ignored.append((name, "not a feature by its name"))
            } else if sidecar?.outcomes.contains(name) == true {
                ignored.append((name, "another outcome"))
            } else {
                try append(profile, to: &features)
            }
        }
        return features
    }

    private mutating func append(_ profile: ColumnProfile, to features: inout [TrainingPlan.Feature])
        throws(ImpactError)
    {
        if request.ordered.contains(profile.name) {
            features.append(ranked(profile.name))
            return
        }
        let isCategory = request.categories.contains(profile.name)
        if !isCategory { try profile.checkIsOneKind(path: request.rows) }
        if profile.isNumeric, !isCategory {
            guard profile.levels?.isEmpty != true else {
                ignored.append((profile.name, "no values"))
                return
            }
            guard profile.levels?.count != 1 || profile.missing > 0 else {
                ignored.append((profile.name, "one value only"))
                return
            }
            features.append(TrainingPlan.Feature(name: profile.name, field: RowField(profile.name)))
            return
        }
        guard let levels = profile.levels else {
            ignored.append(
                (profile.name, "text with more than \(ColumnProfile.mostLevels) values; --ordered keeps it"))
            return
        }
        if levels.count > TrainingPlan.mostLevels {
            notes.append(
                "'\(profile.name)' has more than \(TrainingPlan.mostLevels) texts; their ranks by frequency are one feature"
            )
            features.append(ranked(profile.name))
            return
        }
        for level in levels.sorted() {
            let name = "\(profile.name)=\(level)"
            features.append(
                TrainingPlan.Feature(name: name, field: RowField(name, column: profile.name, .equals(level))))
        }
    }

    private func ranked(_ name: String) -> TrainingPlan.Feature {
        var field = RowField(name, .level(only: nil), option: "--ordered")
        field.mostLevels = TrainingPlan.mostRanks
        return TrainingPlan.Feature(name: name, field: field)
    }

    /// The specification's features: columns of their names, or the raw property that a `last` reads.
    private func specified(_ specification: FeatureSpecification) throws(ImpactError) -> [TrainingPlan.Feature] {
        var features: [TrainingPlan.Feature] = []
        for feature in specification.features {
            if profile(feature.name) != nil {
                features.append(TrainingPlan.Feature(name: feature.name, field: RowField(feature.name)))
                continue
            }
            let raw = feature.field.map { $0.hasPrefix("properties.") ? String($0.dropFirst(11)) : $0 }
            guard feature.aggregate == .last, let raw, profile(raw) != nil else {
                throw fault(
                    "csv_column", "there is no column '\(feature.name)', which the feature specification names")
            }
            switch feature.equals {
            case .text(let text)?:
                features.append(
                    TrainingPlan.Feature(name: feature.name, field: RowField(feature.name, column: raw, .equals(text))))
            case .number(let number)?:
                let text = number == number.rounded() ? String(Int(number)) : String(number)
                features.append(
                    TrainingPlan.Feature(name: feature.name, field: RowField(feature.name, column: raw, .equals(text))))
            case .bool(let bool)?:
                features.append(
                    TrainingPlan.Feature(
                        name: feature.name,
                        field: RowField(feature.name, column: raw, .equals(bool ? "true" : "false"))
                    ))
            case nil:
                features.append(TrainingPlan.Feature(name: feature.name, field: RowField(feature.name, column: raw)))
            }
        }
        return features
    }
}
