import Base
import Features
import JSON
import Scoring

/// `/openapi.json`: OpenAPI 3.1 of the routes, with the model's own features in the schemas and examples.
struct OpenAPI: Sendable {
    let served: ServedModel
    let version: String

    var document: String {
        Self.queried(Self.template.replacing("\"/v1/model\":{", with: PredictRoutes.paths + "\"/v1/model\":{"))
            .replacing("\"$VERSION\"", with: quoted(version))
            .replacing("\"$FEATURES\"", with: features)
            .replacing("\"$PERSON\"", with: person)
            .replacing("\"$FEATURE\"", with: quoted(vary))
            .replacing("\"$CSV\"", with: quoted(csv))
            .replacing("\"$LINES\"", with: quoted("\(person)\n\(person)\n"))
            .replacing("\"$EVENT\"", with: event)
            .replacing("\"$NUMBER\"", with: #"{"type":["number","null"]}"#)
    }

    /// Adds the routes that name a person in the query to those that do it in the path: a line each.
    private static func queried(_ template: String) -> String {
        template.split(separator: "\n", omittingEmptySubsequences: false).flatMap { line -> [String] in
            guard line.hasPrefix("\"/v1/users/{id}") else { return [String(line)] }
            let other = String(line).replacing("\"/v1/users/{id}", with: "\"/v1/user", maxReplacements: 1)
                .replacing("\"in\":\"path\"", with: "\"in\":\"query\"")
                .replacing("\"operationId\":\"user", with: "\"operationId\":\"queryUser", maxReplacements: 1)
                .replacing("\"the user_id\"", with: "\"the user_id, whatever its characters\"")
            // Without the parameter.
            let problem = "\"422\":{\"$ref\":\"#/components/responses/Problem\"}"
            return [
                String(line),
                other.contains(problem) ? other : other.replacing("\"503\":{", with: "\(problem),\"503\":{"),
            ]
        }.joined(separator: "\n")
    }

    private func quoted(_ text: String) -> String {
        let out = ByteBuffer(capacity: text.utf8.count + 16)
        out.appendJSONString(text)
        return String(decoding: out.bytes, as: UTF8.self)
    }

    /// A schema for features by name.
    private var features: String {
        let properties = served.model.featureNames.indices.map { index in
            let meaning = served.model.specification.map { FeatureMeaning.words($0.features[index]) } ?? ""
            if let levels = served.model.levels(feature: index) {
                // A text that the model does not know is an answer, too: unknown.
                return "\(quoted(served.model.featureNames[index])):{\"type\":[\"string\",\"null\"],"
                    + "\"examples\":[\(levels.map(quoted).joined(separator: ","))],"
                    + "\"description\":\(quoted("a category: " + served.values.choices(feature: index)))}"
            }
            // null is a missing value, which not every model takes; the bounds are float32's.
            let null = served.model.missingValues == .refuse ? "" : ",\"null\""
            return "\(quoted(served.model.featureNames[index])):{\"type\":[\"number\",\"boolean\"\(null)],"
                + "\"minimum\":-3.4028234663852886e38,\"maximum\":3.4028234663852886e38,\"description\":\(quoted(meaning))}"
        }
        // A model that refuses missing values, and whose specification gives none, wants every feature.
        let needed = served.model.featureNames.indices.filter {
            served.model.missingValues == .refuse && served.defaults[$0].isNaN
        }
        let required = needed.map { quoted(served.model.featureNames[$0]) }.joined(separator: ",")
        return "{\"type\":\"object\",\"additionalProperties\":false,\"required\":[\(required)],"
            + "\"properties\":{\(properties.joined(separator: ","))}}"
    }

    private var person: String {
        // What follows from other features need not be given.
        let members = served.model.featureNames.indices.filter { !served.values.isDerived[$0] }.map { index in
            if let first = served.model.levels(feature: index)?.first {
                return "\(quoted(served.model.featureNames[index])):\(quoted(first))"
            }
            let value = served.ranges[index].typical
            let text = value == value.rounded() && abs(value) < 1e15 ? "\(Int(value))" : "\(value)"
            return "\(quoted(served.model.featureNames[index])):\(text)"
        }
        return "{\(members.joined(separator: ","))}"
    }

    private var csv: String {
        func field(_ text: String) -> String {
            text.contains { ",\"\n".contains($0) } ? "\"\(text.replacing("\"", with: "\"\""))\"" : text
        }
        let given = served.model.featureNames.indices.filter { !served.values.isDerived[$0] }
        let names = given.map { field(served.model.featureNames[$0]) }
        let values = given.map {
            served.model.levels(feature: $0)?.first.map(field) ?? "\(served.ranges[$0].typical)"
        }.joined(separator: ",")
        return names.joined(separator: ",") + "\n\(values)\n\(values)\n"
    }

    private var vary: String {
        let importance = ModelRoute.importance(served.model)
        let best = importance.indices.max { importance[$0] < importance[$1] } ?? 0
        return served.model.featureNames[best]
    }

    private var event: String {
        #"{"type":"page_view","time":"2026-11-21T10:00:00Z","properties":{}}"#
    }

    private static let template = #"""
        {"openapi":"3.1.0","info":{"title":"ImpactIQ","version":"$VERSION","description":"Causal effects of an ad, person by person: the numbers of the stream, on request.","license":{"name":"see LICENSE"}},
        "servers":[{"url":"/"}],"tags":[{"name":"Scores"},{"name":"Model"},{"name":"People"},{"name":"Operation"}],"security":[{},{"token":[]}],
        "paths":{
        "/v1/score":{"post":{"tags":["Scores"],"operationId":"score","summary":"Score one person","description":"By features (a number by name; one left out is what it is for a person of whom nothing is known), or by raw events, which are folded through the model's feature specification as the stream does.","requestBody":{"required":true,"content":{"application/json":{"schema":{"$ref":"#/components/schemas/ScoreRequest"},"examples":{"features":{"summary":"by features","value":{"features":"$PERSON"}},"events":{"summary":"by events","value":{"user_id":"u-17","events":["$EVENT"]}}}}}},"responses":{"200":{"description":"the score","content":{"application/json":{"schema":{"$ref":"#/components/schemas/Score"}}}},"400":{"$ref":"#/components/responses/Problem"},"401":{"$ref":"#/components/responses/Problem"},"403":{"$ref":"#/components/responses/Problem"},"413":{"$ref":"#/components/responses/Problem"},"415":{"$ref":"#/components/responses/Problem"},"422":{"$ref":"#/components/responses/Problem"},"503":{"$ref":"#/components/responses/Problem"}}}},
        "/v1/score/batch":{"post":{"tags":["Scores"],"operationId":"scoreBatch","summary":"Score 1 to 10,000 people","description":"The answer keeps the order, and the type of the request unless Accept names another. A row is features by name, or {\"user_id\":…,\"features\":{…}}.","requestBody":{"required":true,"content":{"application/json":{"schema":{"$ref":"#/components/schemas/BatchRequest"},"example":{"rows":["$PERSON","$PERSON"]}},"application/x-ndjson":{"schema":{"type":"string"},"example":"$LINES"},"text/csv":{"schema":{"type":"string"},"example":"$CSV"}}},"responses":{"200":{"description":"the scores","content":{"application/json":{"schema":{"type":"object","additionalProperties":false,"required":["scores"],"properties":{"scores":{"type":"array","items":{"$ref":"#/components/schemas/Score"}}}}},"application/x-ndjson":{"schema":{"type":"string"}},"text/csv":{"schema":{"type":"string"}}}},"400":{"$ref":"#/components/responses/Problem"},"401":{"$ref":"#/components/responses/Problem"},"403":{"$ref":"#/components/responses/Problem"},"406":{"$ref":"#/components/responses/Problem"},"413":{"$ref":"#/components/responses/Problem"},"415":{"$ref":"#/components/responses/Problem"},"422":{"$ref":"#/components/responses/Problem"},"503":{"$ref":"#/components/responses/Problem"}}}},
        "/v1/simulate":{"post":{"tags":["Scores"],"operationId":"simulate","summary":"The effect over a grid","description":"One or two features vary, the others stay. With two, the first one's steps are the rows of the answer.","requestBody":{"required":true,"content":{"application/json":{"schema":{"$ref":"#/components/schemas/SimulateRequest"},"example":{"features":"$PERSON","vary":[{"feature":"$FEATURE","steps":11}]}}}},"responses":{"200":{"description":"the effects","content":{"application/json":{"schema":{"$ref":"#/components/schemas/Simulation"}}}},"400":{"$ref":"#/components/responses/Problem"},"401":{"$ref":"#/components/responses/Problem"},"403":{"$ref":"#/components/responses/Problem"},"413":{"$ref":"#/components/responses/Problem"},"415":{"$ref":"#/components/responses/Problem"},"422":{"$ref":"#/components/responses/Problem"},"503":{"$ref":"#/components/responses/Problem"}}}},
        "/v1/explain":{"post":{"tags":["Scores"],"operationId":"explain","summary":"What each feature adds to the effect","description":"Exact Shapley values: the base and all contributions add up to the effect; of a response model to its log odds, or to the probability itself.","requestBody":{"required":true,"content":{"application/json":{"schema":{"type":"object","additionalProperties":false,"required":["features"],"properties":{"features":{"$ref":"#/components/schemas/Features"}}},"example":{"features":"$PERSON"}}}},"responses":{"200":{"description":"the contributions","content":{"application/json":{"schema":{"$ref":"#/components/schemas/Explanation"}}}},"400":{"$ref":"#/components/responses/Problem"},"401":{"$ref":"#/components/responses/Problem"},"403":{"$ref":"#/components/responses/Problem"},"413":{"$ref":"#/components/responses/Problem"},"415":{"$ref":"#/components/responses/Problem"},"422":{"$ref":"#/components/responses/Problem"},"503":{"$ref":"#/components/responses/Problem"}}}},
        "/v1/model":{"get":{"tags":["Model"],"operationId":"model","summary":"The model's card","responses":{"200":{"description":"names, forests, features with their ranges, provenance","content":{"application/json":{"schema":{"$ref":"#/components/schemas/Model"}}}},"400":{"$ref":"#/components/responses/Problem"},"401":{"$ref":"#/components/responses/Problem"},"403":{"$ref":"#/components/responses/Problem"}}}},
        "/v1/users/{id}":{"get":{"tags":["People"],"operationId":"user","summary":"A person's features and score now","parameters":[{"name":"id","in":"path","required":true,"description":"the user_id","schema":{"type":"string","minLength":1,"maxLength":256},"example":"u-17"}],"responses":{"200":{"description":"from the state of the worker that owns the person's partition","content":{"application/json":{"schema":{"$ref":"#/components/schemas/User"}}}},"400":{"$ref":"#/components/responses/Problem"},"401":{"$ref":"#/components/responses/Problem"},"403":{"$ref":"#/components/responses/Problem"},"404":{"$ref":"#/components/responses/Problem"},"421":{"$ref":"#/components/responses/Problem"},"503":{"$ref":"#/components/responses/Problem"}}}},
        "/v1/users/{id}/explain":{"get":{"tags":["People"],"operationId":"userExplain","summary":"What each feature adds to a person's effect now","parameters":[{"name":"id","in":"path","required":true,"description":"the user_id","schema":{"type":"string","minLength":1,"maxLength":256},"example":"u-17"}],"responses":{"200":{"description":"exact Shapley values","content":{"application/json":{"schema":{"$ref":"#/components/schemas/Explanation"}}}},"400":{"$ref":"#/components/responses/Problem"},"401":{"$ref":"#/components/responses/Problem"},"403":{"$ref":"#/components/responses/Problem"},"404":{"$ref":"#/components/responses/Problem"},"421":{"$ref":"#/components/responses/Problem"},"422":{"$ref":"#/components/responses/Problem"},"503":{"$ref":"#/components/responses/Problem"}}}},
        "/v1/users/{id}/scores":{"get":{"tags":["People"],"operationId":"userScores","summary":"A person's last scores","parameters":[{"name":"id","in":"path","required":true,"description":"the user_id","schema":{"type":"string","minLength":1,"maxLength":256},"example":"u-17"},{"name":"limit","in":"query","required":false,"description":"1 to 1000","schema":{"type":"integer","minimum":1,"maximum":1000,"default":100}}],"responses":{"200":{"description":"from the log store, the newest first","content":{"application/json":{"schema":{"$ref":"#/components/schemas/UserScores"}}}},"400":{"$ref":"#/components/responses/Problem"},"401":{"$ref":"#/components/responses/Problem"},"403":{"$ref":"#/components/responses/Problem"},"404":{"$ref":"#/components/responses/Problem"},"422":{"$ref":"#/components/responses/Problem"},"503":{"$ref":"#/components/responses/Problem"}}}},
        "/v1/people":{"get":{"tags":["People"],"operationId":"people","summary":"People seen of late, a sample","responses":{"200":{"description":"with their features and last effect","content":{"application/json":{"schema":{"type":"object","required":["people"],"properties":{"people":{"type":"array","items":{"type":"object","required":["user_id","uplift","decision","features"],"properties":{"user_id":{"type":"string"},"uplift":"$NUMBER","decision":{"type":"string"},"features":{"type":"object","additionalProperties":"$NUMBER"}}}}}}}}},"400":{"$ref":"#/components/responses/Problem"},"401":{"$ref":"#/components/responses/Problem"},"403":{"$ref":"#/components/responses/Problem"}}}},
        "/v1/attribution":{"get":{"tags":["People"],"operationId":"attribution","summary":"Which channel gets the credit","description":"The channel report that impactiq attribute keeps: cost, credit and revenue by channel and by day. CPO is null without credit and where no spend is known at all, ROAS without spend; with_spend is the sum of the channels that have spend. Where scores are known: incremental conversions, those that the scored sessions caused.","responses":{"200":{"description":"the report","content":{"application/json":{"schema":{"$ref":"#/components/schemas/Attribution"}}}},"400":{"$ref":"#/components/responses/Problem"},"401":{"$ref":"#/components/responses/Problem"},"403":{"$ref":"#/components/responses/Problem"},"404":{"$ref":"#/components/responses/Problem"},"503":{"$ref":"#/components/responses/Problem"}}}},
        "/health":{"get":{"tags":["Operation"],"operationId":"health","summary":"The process answers","security":[],"responses":{"200":{"description":"alive","content":{"application/json":{"schema":{"$ref":"#/components/schemas/Health"}}}},"400":{"$ref":"#/components/responses/Problem"},"403":{"$ref":"#/components/responses/Problem"}}}},
        "/ready":{"get":{"tags":["Operation"],"operationId":"ready","summary":"The process does its work","security":[],"responses":{"200":{"description":"at work","content":{"application/json":{"schema":{"$ref":"#/components/schemas/Health"}}}},"400":{"$ref":"#/components/responses/Problem"},"403":{"$ref":"#/components/responses/Problem"},"503":{"$ref":"#/components/responses/Problem"}}}},
        "/metrics":{"get":{"tags":["Operation"],"operationId":"metrics","summary":"Metrics in Prometheus's text format","responses":{"200":{"description":"everything that is counted","content":{"text/plain":{"schema":{"type":"string"}}}},"400":{"$ref":"#/components/responses/Problem"},"401":{"$ref":"#/components/responses/Problem"},"403":{"$ref":"#/components/responses/Problem"}}}},
        "/openapi.json":{"get":{"tags":["Operation"],"operationId":"openapi","summary":"This description","responses":{"200":{"description":"OpenAPI 3.1","content":{"application/json":{"schema":{"type":"object"}}}},"400":{"$ref":"#/components/responses/Problem"},"401":{"$ref":"#/components/responses/Problem"},"403":{"$ref":"#/components/responses/Problem"}}}},
        "/v1/live":{"get":{"tags":["Operation"],"operationId":"live","summary":"The last hour in steps of five seconds","responses":{"200":{"description":"what the dashboard draws","content":{"application/json":{"schema":{"type":"object","required":["step_seconds","fields","history","detail"],"properties":{"step_seconds":{"type":"integer"},"fields":{"type":"array","items":{"type":"string"}},"history":{"type":"array","items":{"type":"array","items":"$NUMBER"}},"detail":{"type":"object"}}}}}},"400":{"$ref":"#/components/responses/Problem"},"401":{"$ref":"#/components/responses/Problem"},"403":{"$ref":"#/components/responses/Problem"}}}},
        "/v1/stream":{"get":{"tags":["Operation"],"operationId":"stream","summary":"Server-sent events: tick each second, detail every five","responses":{"200":{"description":"a stream that does not end","content":{"text/event-stream":{"schema":{"type":"string"}}}},"400":{"$ref":"#/components/responses/Problem"},"401":{"$ref":"#/components/responses/Problem"},"403":{"$ref":"#/components/responses/Problem"},"429":{"$ref":"#/components/responses/Problem"}}}}
        },
        "components":{"securitySchemes":{"token":{"type":"http","scheme":"bearer"}},
        "responses":{"Problem":{"description":"a problem","content":{"application/problem+json":{"schema":{"$ref":"#/components/schemas/Problem"}}}}},
        "schemas":{
        "Problem":{"type":"object","required":["type","title","status","detail"],"properties":{"type":{"type":"string"},"title":{"type":"string"},"status":{"type":"integer"},"detail":{"type":"string"},"field":{"type":"string"}}},
        "Features":"$FEATURES",
        "UserID":{"oneOf":[{"type":"string","minLength":1,"maxLength":256,"description":"at most 256 bytes of UTF-8"},{"type":"integer","minimum":-9007199254740991,"maximum":9007199254740991}]},
        "ScoreRequest":{"oneOf":[{"type":"object","additionalProperties":false,"required":["features"],"properties":{"user_id":{"$ref":"#/components/schemas/UserID"},"features":{"$ref":"#/components/schemas/Features"}}},{"type":"object","additionalProperties":false,"required":["user_id","events"],"properties":{"user_id":{"$ref":"#/components/schemas/UserID"},"events":{"type":"array","minItems":1,"maxItems":10000,"items":{"$ref":"#/components/schemas/Event"}}}}]},
        "Event":{"type":"object","required":["type","time"],"properties":{"id":{"type":"string"},"user_id":{"$ref":"#/components/schemas/UserID"},"type":{"type":"string","minLength":1,"maxLength":60},"time":{"oneOf":[{"type":"string","format":"date-time"},{"type":"integer","minimum":100000000000,"maximum":7258118399999,"description":"milliseconds since 1970"}]},"campaign_id":{"type":["string","null"],"maxLength":60},"channel":{"type":["string","null"],"maxLength":60},"value":{"type":["number","null"]},"currency":{"type":["string","null"],"maxLength":60},"properties":{"type":["object","null"]}}},
        "BatchRequest":{"type":"object","additionalProperties":false,"required":["rows"],"properties":{"rows":{"type":"array","minItems":1,"maxItems":10000,"items":{"$ref":"#/components/schemas/Features"}}}},
        "Axis":{"description":"values as they are listed, or so many steps from … to …, a feature's own range by default","oneOf":[{"type":"object","additionalProperties":false,"required":["feature","values"],"properties":{"feature":{"type":"string"},"values":{"type":"array","minItems":1,"maxItems":10000,"items":{"type":["number","string"]}},"from":{"type":"null"},"to":{"type":"null"},"steps":{"type":"null"}}},{"type":"object","additionalProperties":false,"required":["feature"],"properties":{"feature":{"type":"string"},"from":{"type":["number","null"]},"to":{"type":["number","null"]},"steps":{"type":["integer","null"],"minimum":2,"maximum":10000}}}]},
        "SimulateRequest":{"type":"object","additionalProperties":false,"required":["vary"],"properties":{"features":{"$ref":"#/components/schemas/Features"},"vary":{"type":"array","minItems":1,"maxItems":2,"items":{"$ref":"#/components/schemas/Axis"}},"treatment":{"type":["string","null"]},"outcome":{"type":["string","null"]}}},
        "Effect":{"type":"object","required":["treatment","outcome","uplift","std_error","ci_lower","ci_upper"],"properties":{"treatment":{"type":"string"},"outcome":{"type":"string"},"uplift":"$NUMBER","std_error":"$NUMBER","ci_lower":"$NUMBER","ci_upper":"$NUMBER"}},
        "Score":{"type":"object","additionalProperties":false,"required":["treatment","outcome","uplift","std_error","ci_lower","ci_upper","ci_level","decision","model","model_version","model_sha256"],"properties":{"user_id":{"type":"string"},"time":{"type":"integer"},"event_type":{"type":"string"},"treatment":{"type":"string"},"outcome":{"type":"string"},"uplift":"$NUMBER","std_error":"$NUMBER","ci_lower":"$NUMBER","ci_upper":"$NUMBER","ci_level":{"type":"number"},"decision":{"enum":["treat","suppress","uncertain"]},"model":{"type":"string"},"model_version":{"type":"string"},"model_sha256":{"type":"string"},"probability":"$NUMBER","prediction":"$NUMBER","effects":{"type":"array","items":{"$ref":"#/components/schemas/Effect"}}}},
        "Simulation":{"type":"object","required":["treatment","outcome","base","vary","uplift","std_error","ci_lower","ci_upper","ci_level","decision"],"properties":{"treatment":{"type":"string"},"outcome":{"type":"string"},"base":{"$ref":"#/components/schemas/Score"},"vary":{"type":"array","items":{"type":"object","required":["feature","values"],"properties":{"feature":{"type":"string"},"values":{"type":"array","items":{"type":"number"}},"texts":{"type":"array","items":{"type":["string","null"]}}}}},"uplift":{"type":"array","items":"$NUMBER"},"std_error":{"type":"array","items":"$NUMBER"},"ci_lower":{"type":"array","items":"$NUMBER"},"ci_upper":{"type":"array","items":"$NUMBER"},"ci_level":{"type":"number"},"decision":{"type":"array","items":{"enum":["treat","suppress","uncertain"]}}}},
        "Explanation":{"type":"object","required":["outcome","method","background","base","contributions"],"properties":{"background":{"type":"object","description":"the rows whose mean the base is about","required":["source","rows"],"properties":{"source":{"enum":["training_quantiles","people","even"]},"rows":{"type":"integer"}}},"user_id":{"type":"string"},"treatment":{"type":"string"},"outcome":{"type":"string"},"method":{"type":"string"},"base":"$NUMBER","uplift":"$NUMBER","scale":{"enum":["log_odds","probability","prediction"]},"log_odds":"$NUMBER","probability":"$NUMBER","prediction":"$NUMBER","contributions":{"type":"array","items":{"type":"object","required":["feature","value","contribution"],"properties":{"feature":{"type":"string"},"value":{"type":["number","string","null"]},"contribution":"$NUMBER"}}}}},
        "User":{"type":"object","required":["user_id","partition","clock","events","features","score"],"properties":{"user_id":{"type":"string"},"partition":{"type":"integer"},"clock":{"type":"integer","description":"latest event time, milliseconds since 1970"},"events":{"type":"integer"},"features":{"type":"object","additionalProperties":"$NUMBER"},"refuses":{"type":"array","items":{"enum":["scoring","storing"]},"description":"what the user refuses (user.consent); then there is no score"},"score":{"oneOf":[{"$ref":"#/components/schemas/Score"},{"type":"null"}]}}},
        "UserScores":{"type":"object","required":["user_id","scores"],"properties":{"user_id":{"type":"string"},"scores":{"type":"array","items":{"type":"object","required":["time","uplift","decision","source"],"properties":{"time":{"type":"integer"},"event_type":{"type":"string"},"treatment":{"type":["string","null"]},"outcome":{"type":["string","null"]},"uplift":"$NUMBER","std_error":"$NUMBER","ci_lower":"$NUMBER","ci_upper":"$NUMBER","ci_level":"$NUMBER","decision":{"type":"string"},"model":{"type":"string"},"model_version":{"type":"string"},"model_sha256":{"type":"string"},"source":{"type":"object"}}}}}},
        "ChannelLine":{"type":"object","required":["cost","ihc","ihc_revenue","cpo","roas"],"properties":{"channel_name":{"type":"string"},"date":{"type":"string","format":"date"},"cost":"$NUMBER","ihc":"$NUMBER","ihc_revenue":"$NUMBER","cpo":"$NUMBER","roas":"$NUMBER","scored_sessions":{"type":"integer"},"incremental":"$NUMBER","incremental_std_error":"$NUMBER"}},
        "Attribution":{"type":"object","required":["model","latest_conversion","total","channels","days"],"properties":{"model":{"type":["string","null"]},"latest_conversion":{"type":["integer","null"],"description":"milliseconds since 1970"},"total":{"$ref":"#/components/schemas/ChannelLine"},"with_spend":{"$ref":"#/components/schemas/ChannelLine"},"notes":{"type":"array","items":{"type":"string"},"description":"what was left out or read otherwise, a class each"},"channels":{"type":"array","items":{"$ref":"#/components/schemas/ChannelLine"}},"days":{"type":"array","items":{"$ref":"#/components/schemas/ChannelLine"}}}},
        "Health":{"type":"object","required":["status","model_loaded","version","model_info"],"properties":{"status":{"type":"string"},"model_loaded":{"type":"boolean"},"version":{"type":"string"},"model_info":{"type":"object","required":["name","version","sha256"],"properties":{"name":{"type":"string"},"version":{"type":"string"},"sha256":{"type":"string"},"trees":{"type":"integer"},"features":{"type":"integer"}}}}},
        "Model":{"type":"object","required":["name","version","sha256","treatments","outcomes","features","forests"],"properties":{"name":{"type":"string"},"version":{"type":"string"},"sha256":{"type":"string"},"treatments":{"type":"array","items":{"type":"string"}},"outcomes":{"type":"array","items":{"type":"string"}},"missing_values":{"enum":["route","refuse"]},"predicts":{"enum":["effect","probability","prediction"]},"ads":{"type":["array","null"],"description":"of probabilities: for each outcome, above which an ad is shown","items":{"type":"number"}},"intervals":{"type":"boolean"},"scores_events":{"type":"boolean"},"ci_level":{"type":"number"},"threshold":{"type":"number"},"features":{"type":"array","items":{"type":"object","required":["name","importance","low","high","typical"],"properties":{"name":{"type":"string"},"meaning":{"type":"string"},"importance":"$NUMBER","default":"$NUMBER","low":"$NUMBER","high":"$NUMBER","typical":"$NUMBER","whole":{"type":"boolean"},"derived":{"type":"boolean"},"choices":{"type":["array","null"],"items":{"type":["number","string"]}},"range_from":{"type":"string"},"seen":{"type":["array","null"],"items":{"type":"number"},"description":"least and largest of the training data"},"never":{"type":["number","null"],"description":"the value that stands for never"}}}},"forests":{"type":"array","items":{"type":"object"}},"provenance":{"type":"object"},"specification":{"type":["object","null"]}}}
        }}}
        """#
}
