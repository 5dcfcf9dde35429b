import Base
import Features
import TestSupport
import Testing

/// The features of a propensity model: arithmetic, lifetime counts, conditions of several tests.
@Suite("Features of propensity models")
struct ResponseFeatureTests {
    /// Equal specifications have equal bytes, and old ones the bytes they always had.
    @Test func canonicalBytes() throws {
        let first = try specification(everyAggregate)
        let again = try FeatureSpecification(json: first.canonicalJSON)
        #expect(again == first && again.canonicalJSON == first.canonicalJSON)
        let old = try specification(
            #"{"features":[{"name":"a","aggregate":"sum","field":"value","window":"7d","where":{"field":"channel","equals":"mail"}}]}"#
        )
        let text = String(decoding: old.canonicalJSON, as: UTF8.self)
        #expect(
            text
                == #"{"features":[{"aggregate":"sum","bucket":"12h","field":"value","name":"a","where":{"equals":"mail","field":"channel"},"window":"7d"}],"deduplication":{"ids":16}}"#
                || text
                    == #"{"deduplication":{"ids":16},"features":[{"aggregate":"sum","bucket":"12h","field":"value","name":"a","where":{"equals":"mail","field":"channel"},"window":"7d"}]}"#
        )
    }

    /// Arithmetic keeps no state: with or without it, the records are the same.
    @Test func arithmeticDoesNotChangeTheRecord() throws {
        let base = #"{"name":"a","aggregate":"count","window":"7d"}"#
        let plain = try FeaturePlan(specification("{\"features\":[\(base)]}"))
        let more = try FeaturePlan(
            specification("{\"features\":[\(base),{\"name\":\"b\",\"aggregate\":\"add\",\"of\":[\"a\",1]}]}"))
        #expect(plain.fingerprint == more.fingerprint)
        let lifetime = try FeaturePlan(
            specification(#"{"features":[{"name":"a","aggregate":"count","window":"lifetime"}]}"#))
        #expect(plain.fingerprint != lifetime.fingerprint)
    }

    @Test(arguments: [
        (#"{"name":"a","aggregate":"add","of":["b",1]}"#, "b"),
        (#"{"name":"a","aggregate":"add","of":["a",1]}"#, "above"),
        (#"{"name":"a","aggregate":"add","of":[1]}"#, "2 to 64"),
        (#"{"name":"a","aggregate":"divide","of":[1,2,3]}"#, "takes 2"),
        (#"{"name":"a","aggregate":"scale","of":[1],"from":2,"to":2}"#, "upper end"),
        (#"{"name":"a","aggregate":"compare","of":[1,2],"is":"=>"}"#, "=>"),
        (#"{"name":"a","aggregate":"count","window":"lifetime","bucket":"1h"}"#, "bucket"),
        (#"{"name":"a","aggregate":"mean","field":"value","window":"lifetime"}"#, "lifetime"),
        (
            #"{"name":"a","aggregate":"count","window":"1d","where":{"or":[{"field":"channel","equals":"x"}]}}"#,
            "two tests"
        ),
        (#"{"name":"a","aggregate":"count","window":"1d","of":["b"]}"#, "of"),
    ])
    func faultsSayWhatIsAllowed(_ feature: String, _ words: String) {
        do {
            _ = try specification("{\"features\":[\(feature)]}")
            Issue.record("\(feature) was accepted")
        } catch let error as ImpactError {
            #expect(error.message.contains(words), "\(error.message)")
        } catch { Issue.record("\(error)") }
    }
}
