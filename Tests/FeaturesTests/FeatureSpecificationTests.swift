import Base
import Events
import Features
import Testing

@Suite("Feature specification")
struct FeatureSpecificationTests {
    /// The example of the contract (design/product.md).
    private static let contract = """
        {"features":[
          {"name":"clicks_7d","aggregate":"count","events":["click"],"window":"7d"},
          {"name":"spend_30d","aggregate":"sum","events":["purchase"],"field":"value","window":"30d"},
          {"name":"since_click","aggregate":"recency","events":["click"]},
          {"name":"campaigns_30d","aggregate":"distinct","field":"campaign_id","window":"30d"},
          {"name":"mobile","aggregate":"last","field":"properties.device_type","equals":"Mobile"},
          {"name":"recency","aggregate":"last","field":"properties.recency"}]}
        """

    @Test("The contract's example is read, and asks for its fields and types alone")
    func contractExample() throws {
        let specification = try specification(Self.contract)
        #expect(
            specification.names == ["clicks_7d", "spend_30d", "since_click", "campaigns_30d", "mobile", "recency"])
        #expect(specification.deduplicationIDs == 16)
        let schema = try specification.eventSchema(extraTypes: ["click", "installed"])
        #expect(
            schema.fields == [
                .init("value", expects: .number), .init("campaign_id"), .init("properties.device_type"),
                .init("properties.recency", expects: .number),
            ])
        #expect(schema.types == EventSchema.contractTypes + ["installed"])
    }

    @Test("Canonical JSON is read as the same specification, and does not depend on how it was written")
    func canonicalForm() throws {
        for json in [Self.contract, everyAggregate] {
            let read = try specification(json)
            let again = try FeatureSpecification(json: read.canonicalJSON)
            #expect(again == read)
            #expect(again.canonicalJSON == read.canonicalJSON)
            #expect(again.sha256 == read.sha256)
        }
        let a = try specification(
            #"{"features":[{"name":"n","aggregate":"count","events":["click","ad_view"],"window":"24h"}]}"#)
        let b = try specification(
            """
            { "deduplication": {"ids": 16},
              "features": [{"window": "1d", "bucket": "120m", "events": ["ad_view", "click"], "aggregate": "count",
                            "name": "n"}] }
            """)
        #expect(a == b)
        #expect(a.sha256 == b.sha256)
    }

    struct Mistake: Sendable, CustomTestStringConvertible {
        let json: String
        let code: String
        let says: [String]

        init(_ json: String, _ code: String, _ says: String...) {
            self.json = json
            self.code = code
            self.says = says
        }

        /// A mistake in the only feature.
        static func feature(_ keys: String, _ code: String, _ says: String...) -> Mistake {
            var mistake = Mistake(#"{"features":[{"name":"f one","aggregate":\#(keys)}]}"#, code)
            mistake = Mistake(json: mistake.json, code: code, says: says + ["feature 1 \"f one\""])
            return mistake
        }

        private init(json: String, code: String, says: [String]) {
            self.json = json
            self.code = code
            self.says = says
        }

        var testDescription: String { code + " " + String(json.prefix(70)) }
    }

    static let mistakes: [Mistake] = [
        Mistake("", "invalid_json", "1:1"),
        Mistake("[]", "wrong_type", "an array", "an object"),
        Mistake("{}", "missing_key", "features"),
        Mistake(#"{"features":{}}"#, "wrong_type", "an object", "an array of features"),
        Mistake(#"{"features":[]}"#, "out_of_range", "1 to 1024"),
        Mistake(#"{"feature":[]}"#, "unknown_key", "did you mean \"features\"?", "deduplication"),
        Mistake(#"{"features":[1]}"#, "wrong_type", "feature 1", "a number"),
        Mistake(#"{"features":[{"aggregate":"recency"}]}"#, "missing_key", "name", "feature 1"),
        Mistake(#"{"features":[{"name":"","aggregate":"recency"}]}"#, "invalid_name", "0 bytes"),
        Mistake(#"{"features":[{"name":"a\n","aggregate":"recency"}]}"#, "invalid_name", "control"),
        Mistake(
            #"{"features":[{"name":"a","aggregate":"recency"},{"name":"a","aggregate":"recency"}]}"#,
            "duplicate_feature", "feature 2", "feature 1", "\"a\""),
        Mistake(
            #"{"features":[{"name":"a","aggregate":"recency"}],"deduplication":{"ids":65}}"#, "out_of_range", "0 to 64"),
        Mistake(
            #"{"features":[{"name":"a","aggregate":"recency"}],"deduplication":{"id":6}}"#, "unknown_key", "\"ids\""),
        Mistake(#"{"features":[{"name":"a","name":"b"}]}"#, "duplicate_field"),
        .feature(#""cuont","window":"7d""#, "unknown_aggregate", "did you mean \"count\"?", "decayed_sum, ratio"),
        .feature("3", "wrong_type", "aggregate", "a string"),
        .feature(#""count""#, "missing_key", "window", "count needs window"),
        .feature(#""count","windw":"7d""#, "unknown_key", "windw", "did you mean \"window\"?"),
        .feature(#""count","window":"7""#, "invalid_window", "\"7\"", "from 1h to 90d"),
        .feature(#""count","window":"59m""#, "invalid_window", "from 1h to 90d"),
        .feature(#""count","window":"91d""#, "invalid_window", "from 1h to 90d"),
        .feature(#""count","window":"-7d""#, "invalid_window"),
        .feature(#""count","window":"7 d""#, "invalid_window"),
        .feature(#""count","window":"99999999999999999999d""#, "invalid_window"),
        .feature(#""count","window":7"#, "wrong_type", "window", "a number", "a string"),
        .feature(#""count","window":"7d","bucket":"5h""#, "invalid_bucket", "7d", "5h"),
        .feature(#""count","window":"7d","bucket":"8d""#, "invalid_bucket", "from 1m to 7d"),
        .feature(#""count","window":"7d","bucket":"0m""#, "invalid_bucket"),
        .feature(#""count","window":"7d","half_life":"1d""#, "key_not_applicable", "half_life", "count"),
        .feature(#""count","window":"7d","capacity":3"#, "key_not_applicable", "capacity"),
        .feature(#""count","window":"7d","events":[]"#, "out_of_range", "events", "leave it out"),
        .feature(#""count","window":"7d","events":"click""#, "wrong_type", "events"),
        .feature(#""count","window":"7d","events":[1]"#, "wrong_type", "events"),
        .feature(#""count","window":"7d","equals":"x""#, "missing_key", "equals", "field"),
        .feature(#""count","window":"7d","field":"channel","equals":null"#, "wrong_type", "equals"),
        .feature(#""count","window":"7d","field":"chanel""#, "unknown_field", "did you mean \"channel\"?"),
        .feature(#""count","window":"7d","field":"properties.""#, "unknown_field", "properties.NAME"),
        .feature(#""count","window":"7d","where":{"field":"channel"}"#, "missing_key", "where", "equals"),
        .feature(#""count","window":"7d","where":{"fields":"channel"}"#, "unknown_key", "fields"),
        .feature(#""count","window":"7d","default":1e39"#, "out_of_range", "default"),
        .feature(#""count","window":"7d","default":"0""#, "wrong_type", "default"),
        .feature(#""sum","window":"7d""#, "missing_key", "field"),
        .feature(#""sum","window":"7d","field":"channel""#, "field_not_number", "channel", "equals"),
        .feature(#""last""#, "missing_key", "field"),
        .feature(#""last","field":"value","window":"7d""#, "key_not_applicable", "window"),
        .feature(#""recency","window":"7d""#, "key_not_applicable", "window"),
        .feature(#""distinct","window":"7d","field":"channel","equals":"x""#, "key_not_applicable", "equals"),
        .feature(#""distinct","window":"7d","field":"channel","capacity":0"#, "out_of_range", "1 to 256"),
        .feature(#""distinct","window":"7d","field":"channel","capacity":2.5"#, "out_of_range", "capacity"),
        .feature(#""decayed_count""#, "missing_key", "half_life"),
        .feature(#""decayed_count","half_life":"1w""#, "invalid_half_life", "from 1m to 365d"),
        .feature(#""ratio","numerator":"x""#, "missing_key", "denominator"),
        .feature(#""ratio","numerator":"x","denominator":"y""#, "unknown_feature", "numerator", "\"x\""),
        .feature(#""ratio","numerator":"f one","denominator":"f one""#, "ratio_of_ratio", "f one"),
        Mistake(
            """
            {"features":[{"name":"clicks","aggregate":"count","window":"1h"},
                         {"name":"r","aggregate":"ratio","numerator":"click","denominator":"clicks"}]}
            """, "unknown_feature", "feature 2 \"r\"", "did you mean \"clicks\"?"),
        Mistake(
            """
            {"features":[{"name":"a","aggregate":"recency","events":[\((0..<49).map { "\"t\($0)\"" }
                .joined(separator: ","))]}]}
            """, "too_many_event_types", "48"),
    ]

    @Test("Every mistake is named, with its place, its code and what is allowed", arguments: mistakes)
    func mistakesAreNamed(mistake: Mistake) {
        do throws(ImpactError) {
            _ = try FeatureSpecification(json: Array(mistake.json.utf8), name: "features.json")
            Issue.record("accepted")
        } catch {
            #expect(error.kind == .badInput)
            #expect(error.code == mistake.code, "\(error.message)")
            #expect(error.message.hasPrefix("features.json"))
            for words in mistake.says { #expect(error.message.contains(words), "\(error.message) lacks \(words)") }
        }
    }

    @Test("1,024 features are allowed, 1,025 are not")
    func mostFeatures() throws {
        func json(_ n: Int) -> String {
            let features = (0..<n).map { #"{"name":"f\#($0)","aggregate":"last","field":"properties.p\#($0)"}"# }
            return #"{"features":[\#(features.joined(separator: ","))]}"#
        }
        let plan = try FeaturePlan(specification(json(1_024)))
        let state = PartitionState(plan: plan)
        let event = Oracle.Event(user: "u", type: "x", time: 7, fields: ["properties.p1023": .number(5)])
        _ = Columns([event], plan.schema).apply(0, to: state)
        #expect(state.features(of: "u")?.last == 5)
        #expect(throws: ImpactError.self) { try specification(json(1_025)) }
    }

    @Test("Features whose records would be too large are refused with the window at fault")
    func tooLarge() throws {
        let wide = try specification(
            #"{"features":[{"name":"n","aggregate":"sum","field":"value","window":"90d","bucket":"1m"}]}"#)
        do throws(ImpactError) {
            _ = try FeaturePlan(wide)
            Issue.record("accepted")
        } catch {
            #expect(error.code == "record_too_large")
            #expect(error.message.contains("buckets of 1m"))
        }
    }

    @Test("A schema that lacks what the features need is refused")
    func schemaMustFit() throws {
        let specification = try specification(Self.contract)
        #expect(throws: ImpactError.self) { try FeaturePlan(specification, schema: EventSchema()) }
        let types = (0..<60).map { "t\($0)" }
        #expect(throws: ImpactError.self) { try specification.eventSchema(extraTypes: types) }
    }
}
