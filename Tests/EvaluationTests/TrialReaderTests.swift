import Base
import Evaluation
import Foundation
import Statistics
import TestSupport
import Testing

@Suite("Reading a trial")
struct TrialReaderTests {
    /// Reads `text` as a file; the file is removed afterwards.
    private func read(_ text: String, _ columns: TrialColumns = TrialColumns()) throws -> TrialReading {
        let path = FileManager.default.temporaryDirectory.appending(path: "trial-\(UUID().uuidString).csv")
        try Data(text.utf8).write(to: path)
        defer { try? FileManager.default.removeItem(at: path) }
        return try TrialReader.read(path.path, columns)
    }

    private func columns(_ change: (inout TrialColumns) -> Void) -> TrialColumns {
        var columns = TrialColumns()
        change(&columns)
        return columns
    }

    @Test func columnsByName() throws {
        let reading = try read(
            "user,out,arm,\"my \"\"score\"\"\",w,propensity,std_error\r\n"
                + "\"a,b\",1,1,0.25,2,0.5,0.01\r\nc,0,0,-1e-3,1.5,0.25,0\r\n",
            columns {
                $0.score = "my \"score\""
                $0.treatment = "arm"
                $0.outcome = "out"
                $0.standardError = "std_error"
                $0.weight = "w"
            })
        #expect(reading.trial.score == [0.25, -0.001])
        #expect(reading.trial.treatment == [1, 0])
        #expect(reading.trial.outcome == [1, 0])
        #expect(reading.trial.weight == [2, 1.5])
        #expect(reading.trial.propensity == [0.5, 0.25])
        #expect(reading.trial.standardError == [0.01, 0])
        #expect(reading.treatedLabel == "1" && reading.controlLabel == "0" && reading.rowsRead == 2)
    }

    /// Every number that follows is that of the rows written out, whatever it rests on.
    @Test("A frequency is so many rows: all that is read is that of the rows written out")
    func frequencies() throws {
        var generator = SeededGenerator.announced()
        let head = "uplift,treatment,outcome,w,p,c,x\n"
        var (counted, written) = (head, head)
        for row in 0..<300 {
            let times = Int.random(in: 0...3, using: &generator)
            let line = "\(Double(row) / 7),\(row % 2),\(row % 3 == 0 ? 1 : 0),\(times),0.5,c\(row % 20),\(row)\n"
            counted += line
            for _ in 0..<times { written += line }
        }
        func trial(_ text: String, _ weight: String?) throws -> TrialReading {
            try read(
                text,
                columns {
                    $0.weight = weight
                    $0.repeatsRows = weight != nil
                    $0.propensity = "p"
                    $0.cluster = "c"
                    $0.covariates = ["x"]
                })
        }
        let (a, b) = (try trial(counted, "w"), try trial(written, nil))
        #expect(a.trial.weight == nil && a.trial.count == b.trial.count && a.trial.count > 300)
        #expect(a.trial.score == b.trial.score && a.trial.treatment == b.trial.treatment)
        #expect(a.trial.outcome == b.trial.outcome && a.trial.propensity == b.trial.propensity)
        #expect(a.trial.clusters?.code == b.trial.clusters?.code)
        #expect(a.extras.covariates.columns == b.extras.covariates.columns)
        #expect(throws: ImpactError.self) { try trial(counted.replacing(",2,0.5", with: ",2.5,0.5"), "w") }
    }

    @Test("Outcome and treatment have no second role", arguments: ["outcome", "treatment"])
    func secondRoles(_ column: String) throws {
        let text = "uplift,treatment,outcome\n1,1,1\n2,0,0\n"
        _ = try read(text)
        for change: (inout TrialColumns) -> Void in [
            { $0.score = column }, { $0.weight = column }, { $0.covariates = ["uplift", column] },
            { $0.challenger = column }, { $0.cluster = column }, { $0.cost = column }, { $0.propensity = column },
            { (columns: inout TrialColumns) in
                columns.outcome = column
                columns.treatment = column
            },
        ] {
            let error = #expect(throws: ImpactError.self) { try read(text, columns(change)) }
            #expect(error?.message.contains("'\(column)' is the") == true, "\(error?.message ?? "")")
        }
    }

    @Test func labelsOfArms() throws {
        let text = "uplift,treatment,outcome\n1,Mens E-Mail,1\n2,Womens E-Mail,0\n3,No E-Mail,1\n4,Mens E-Mail,0\n"
        let women = try read(
            text,
            columns {
                $0.treated = "Womens E-Mail"
                $0.control = "No E-Mail"
            })
        #expect(women.trial.score == [2, 3] && women.trial.treatment == [1, 0])
        #expect(women.otherArms.map(\.label) == ["Mens E-Mail"] && women.otherArms.map(\.rows) == [2])
        // One of two labels named: the other is the other.
        let two = try read("uplift,treatment,outcome\n1,ad,1\n2,psa,0\n", columns { $0.treated = "ad" })
        #expect(two.trial.treatment == [1, 0] && two.controlLabel == "psa")
        for words in [("true", "false"), ("Treatment", "Control"), ("treated", "none"), ("1.0", "0.0")] {
            let reading = try read("uplift,treatment,outcome\n1,\(words.0),1\n2,\(words.1),0\n")
            #expect(reading.trial.treatment == [1, 0])
        }
    }

    @Test("A file of arms and conversions is read as it is; of two labels, the one beside a name of control is treated")
    func rowsAsTheyAre() throws {
        let reading = try read("uplift,arm,conversion\n1,ad,1\n2,control,0\n3,ad,0\n")
        #expect(reading.trial.treatment == [1, 0, 1] && reading.trial.outcome == [1, 0, 0])
        #expect(reading.treatedLabel == "ad" && reading.controlLabel == "control")
        #expect {
            try read(
                "uplift,arm,outcome,region\n1,ad,1,north\n2,control,0,south\n", columns { $0.covariates = ["region"] })
        } throws: {
            let message = ($0 as? ImpactError)?.message ?? ""
            return message.contains("'north' is not a number")
                && message.contains("one column of 0 and 1 for each text")
        }
    }

    @Test("With several arms and their effects in one column, uplift is not taken for an arm's own effect")
    func effectsColumn() throws {
        let text = "uplift,effects,arm,outcome\n1,[],a,1\n2,[],control,0\n3,[],b,0\n"
        #expect { try read(text, columns { $0.treated = "a" }) } throws: {
            ($0 as? ImpactError)?.code == "several_effects"
        }
        let meant = try read(
            text,
            columns {
                $0.treated = "a"
                $0.score = "uplift"
            })
        #expect(meant.trial.score == [1, 2])
    }

    /// What is wrong, and the words that must be in the message.
    @Test(arguments: [
        ("", "csv_empty", "is empty"),
        ("uplift,treatment,outcome\n", "csv_empty", "no rows"),
        ("uplift,treatment,uplift\n1,1,1\n", "csv_heading", "two columns are named 'uplift'"),
        ("uplft,treatment,outcome\n1,1,1\n", "csv_column", "did you mean 'uplft'?"),
        ("uplift,treatment,outcome\n1,1,1\n2,0\n", "csv_record", "line 3 has 2 fields, its heading has 3"),
        ("uplift,treatment,outcome\n1,1,1\n2,0,yes\n", "csv_value", "line 3, column 'outcome': 'yes' is not a number"),
        ("uplift,treatment,outcome\n1,1,1\nnan,0,0\n", "csv_value", "line 3, column 'uplift': the value is missing"),
        ("uplift,treatment,outcome\n1,1,1\n1e999,0,0\n", "csv_value", "too large"),
        (
            "uplift,treatment,outcome\n1,1,1\n2,,0\n", "csv_value",
            "line 3, column 'treatment': the treatment is missing"
        ),
        ("uplift,treatment,outcome\n1,1,1\n\"2,0,0\n", "csv_record", "a quote is never closed"),
        ("uplift,treatment,outcome\n1,1,1\n2\"3,0,0\n", "csv_record", "line 3, field 1: a quote stands inside"),
        ("uplift,treatment,outcome\n1,a,1\n2,b,0\n", "treatment_labels", "the labels are 'a', 'b'"),
        ("uplift,treatment,outcome\n1,1,1\n2,1,0\n", "treatment_labels", "--treated LABEL --control LABEL"),
        ("uplift,treatment,outcome,propensity\n1,1,1,1\n2,0,0,0.5\n", "csv_value", "strictly between 0 and 1"),
        ("note,uplift,treatment,outcome\n\"a\nb\",1,1,1\nc,2,0,x\n", "csv_value", "line 4"),
    ])
    func saysWhatIsWrong(_ text: String, _ code: String, _ words: String) throws {
        do {
            _ = try read(text)
            Issue.record("accepted: \(text)")
        } catch let error as ImpactError {
            #expect(error.code == code && error.message.contains(words), "\(error.code): \(error.message)")
            #expect(error.kind == .badInput)
        }
    }

    @Test func labelsThatNoRowHas() throws {
        let text = "uplift,treatment,outcome\n1,1,1\n2,0,0\n"
        do {
            _ = try read(
                text,
                columns {
                    $0.treated = "ad"; $0.control = "0"
                })
            Issue.record("accepted")
        } catch let error as ImpactError {
            #expect(error.message.contains("no row is 'ad'"), "\(error.message)")
        }
        #expect { try TrialReader.read("/no/such/file.csv") } throws: {
            ($0 as? ImpactError)?.message.contains("/no/such/file.csv") == true
        }
    }

    @Test func rowsWithMissingValuesAreCounted() throws {
        let text = "uplift,treatment,outcome\n1,1,1\n,1,1\n2,0,NA\n3,,1\n4,0,0\n\n"
        let reading = try read(text, columns { $0.skipsMissing = true })
        #expect(reading.trial.score == [1, 4] && reading.rowsMissing == 3 && reading.rowsRead == 5)
        #expect(EvaluationProvenance(reading).remarks == ["3 rows with missing values are left out"])
    }

    /// Records straddle the reader's buffer many times; what is read is what was written.
    @Test func manyBuffers() throws {
        var random = SeededGenerator.announced()
        let rows = RandomTrial(60_000, &random)
        var text = "\u{FEFF}id,uplift,treatment,outcome\n"
        for row in 0..<60_000 {
            text += "\"user \(row), \"\"x\"\"\",\(rows.score[row]),\(rows.treatment[row]),\(Int(rows.outcome[row]))\n"
        }
        let trial = try read(text).trial
        // A Bool: the library would look long for the difference of long arrays.
        let same = trial.score == rows.score && trial.treatment == rows.treatment && trial.outcome == rows.outcome
        #expect(same)
    }
}
