// Any CSV as a trial, and as a log of decisions: refused with its line, or a whole report in all its forms.
import Base
import Evaluation
import Foundation
import Terminal

private let path = NSTemporaryDirectory() + "/fuzz.csv"

@_cdecl("LLVMFuzzerTestOneInput")
package func fuzz(_ data: UnsafePointer<UInt8>, _ size: Int) -> CInt {
    let rows = String(decoding: UnsafeBufferPointer(start: data, count: size), as: UTF8.self)
    func write(_ heading: String) -> Bool {
        (try? Data((heading + "\n" + rows).utf8).write(to: URL(filePath: path))) != nil
    }
    if write("uplift,treatment,outcome,weight,propensity") {
        var columns = TrialColumns()
        columns.weight = "weight"
        if size % 2 == 0 { columns.propensity = "propensity" }
        var options = EvaluationOptions()
        options.replicates = 3
        options.threads = 1
        do {
            let reading = try TrialReader.read(path, columns)
            let report = try EvaluationReport.compute(
                reading.trial, options: options, provenance: EvaluationProvenance(reading))
            precondition(report.html.hasPrefix("<!DOCTYPE html>") && !report.text(width: 80).isEmpty)
            precondition((try? JSONSerialization.jsonObject(with: Data(report.json.line.utf8))) != nil)
            _ = report.plot(width: 60)
        } catch {
            precondition((error as? ImpactError)?.message.isEmpty == false, "refused without a reason")
        }
    }
    if write("action,reward,propensity") {
        var columns = DecisionColumns()
        columns.action = "action"
        columns.reward = "reward"
        columns.propensity = "propensity"
        do {
            let reading = try DecisionLogReader.read(path, columns)
            let value = try OffPolicyValue(reading.policy(.uniform), reading.log, seed: 1, level: 0.95)
            let report = OffPolicyReport(
                value: value, reading: reading, level: 0.95, provenance: OffPolicyProvenance())
            precondition(report.html.hasPrefix("<!DOCTYPE html>") && !report.text(width: 80).isEmpty)
            precondition((try? JSONSerialization.jsonObject(with: Data(report.json.line.utf8))) != nil)
        } catch {
            precondition((error as? ImpactError)?.message.isEmpty == false, "refused without a reason")
        }
    }
    return 0
}
