import Base
import Propensity
import Scoring

/// The weights and baselines of a server, checked against its model before it answers anybody.
enum ImpactWeights {
    static func read(_ file: String, _ model: Model) throws(ImpactError) -> ImpactAnalysis {
        let analysis = try ImpactAnalysis(json: try OpenFile.contents(of: file), name: file)
        let foreign = try analysis.check(model, name: file)
        if !foreign.isEmpty {
            Log.warning(
                "http",
                "\(file): \(NameList.text(foreign, quoted: true)) \(foreign.count == 1 ? "is" : "are") not of the model; its "
                    + "impact is known where a request gives a value")
        }
        return analysis
    }
}
