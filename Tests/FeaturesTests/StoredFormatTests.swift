import Base
import Features
import TestSupport
import Testing

/// The state's fingerprint and the changelog's records: a change of a byte here makes every user's stored state
/// unreadable, or worse, read as something else.
@Suite("Stored state, byte for byte")
struct StoredFormatTests {
    private let day: Int64 = 86_400_000
    private let start: Int64 = 1_795_255_200_000

    private func event(
        _ type: String, _ time: Int64, id: String? = nil, _ fields: [String: Oracle.Value] = [:]
    ) -> Oracle.Event {
        Oracle.Event(user: "u-17", type: type, time: time, id: id, fields: fields)
    }

    private var events: [Oracle.Event] {
        [
            event("ad_view", start, id: "e-1", ["channel": .text("social"), "campaign_id": .text("c-9")]),
            event("click", start + 1_000, id: "e-2", ["channel": .text("mail"), "value": .number(2.5)]),
            event("purchase", start + day, ["value": .number(12.125), "properties.mixed": .bool(true)]),
            event("refund", start + 3 * day, id: "e-3", ["value": .number(-3), "properties.mixed": .number(2)]),
            event("own_type", start + 40 * day, ["campaign_id": .text("c-1"), "properties.mixed": .text("seven")]),
            event("page_view", start + 41 * day + 7, id: "e-2"),
        ]
    }

    @Test("The layout's text and its fingerprint")
    func layout() throws {
        let plan = try FeaturePlan(specification(storedAggregates))
        let text = plan.layoutDescription + "\nfingerprint \(String(plan.fingerprint, radix: 16))\n"
        #expect(try Golden.difference(text, from: "state-layout.txt") == nil)
    }

    @Test("A user's record")
    func record() throws {
        let plan = try FeaturePlan(specification(storedAggregates))
        let state = PartitionState(plan: plan)
        let columns = Columns(events, plan.schema)
        for i in events.indices { _ = columns.apply(i, to: state) }
        #expect(try Golden.difference(Golden.hex(state.image["u-17"] ?? []), from: "changelog-record.hex") == nil)
    }

    @Test("The specification with every default written out")
    func specificationText() throws {
        let text = String(decoding: try specification(storedAggregates).canonicalJSON, as: UTF8.self)
        #expect(try Golden.difference(text, from: "feature-specification.json") == nil)
    }
}

/// A specification of users' stored state. It never changes: what is stored under it must stay readable.
private let storedAggregates = """
    {"features":[
      {"name":"views_1h","aggregate":"count","events":["ad_view"],"window":"1h"},
      {"name":"views_7d","aggregate":"count","events":["ad_view"],"window":"7d"},
      {"name":"views_6d","aggregate":"count","events":["ad_view"],"window":"6d","bucket":"12h"},
      {"name":"all_30d","aggregate":"count","window":"30d"},
      {"name":"social_30d","aggregate":"count","field":"channel","equals":"social","window":"30d"},
      {"name":"with_campaign","aggregate":"count","field":"campaign_id","events":["click","own_type"],"window":"1d"},
      {"name":"spend_30d","aggregate":"sum","events":["purchase","refund"],"field":"value","window":"30d"},
      {"name":"spend_1h","aggregate":"sum","events":["purchase","refund"],"field":"value","window":"1h","bucket":"1m"},
      {"name":"spend_social","aggregate":"sum","field":"value","window":"30d",
       "where":{"field":"channel","equals":"social"}},
      {"name":"mean_7d","aggregate":"mean","field":"value","window":"7d"},
      {"name":"share_mail","aggregate":"mean","field":"channel","equals":"mail","window":"7d"},
      {"name":"min_30d","aggregate":"min","field":"value","events":["purchase"],"window":"30d"},
      {"name":"max_2h","aggregate":"max","field":"value","window":"2h","default":-1},
      {"name":"max_mixed","aggregate":"max","field":"properties.mixed","window":"90d"},
      {"name":"last_value","aggregate":"last","field":"value"},
      {"name":"last_click_mail","aggregate":"last","events":["click"],"field":"channel","equals":"mail"},
      {"name":"mixed_is_true","aggregate":"last","field":"properties.mixed","equals":true,"default":0.5},
      {"name":"mixed_is_two","aggregate":"last","field":"properties.mixed","equals":2},
      {"name":"last_value_social","aggregate":"last","field":"value","where":{"field":"channel","equals":"social"}},
      {"name":"last_is_mail","aggregate":"last","field":"channel","equals":"mail",
       "where":{"field":"properties.mixed","equals":"seven"}},
      {"name":"since_any","aggregate":"recency"},
      {"name":"since_purchase","aggregate":"recency","events":["purchase"]},
      {"name":"since_seven","aggregate":"recency","field":"properties.mixed","equals":"seven"},
      {"name":"campaigns_30d","aggregate":"distinct","field":"campaign_id","window":"30d"},
      {"name":"mixed_1h","aggregate":"distinct","field":"properties.mixed","window":"1h","events":["ad_view","click"],
       "where":{"field":"channel","equals":"search"}},
      {"name":"warm_views","aggregate":"decayed_count","events":["ad_view"],"half_life":"1d"},
      {"name":"warm_spend","aggregate":"decayed_sum","events":["purchase"],"field":"value","half_life":"6h"},
      {"name":"rate","aggregate":"ratio","numerator":"views_1h","denominator":"views_7d"},
      {"name":"rate_default","aggregate":"ratio","numerator":"spend_30d","denominator":"later","default":-7},
      {"name":"later","aggregate":"count","events":["click"],"window":"1h"}
    ],"deduplication":{"ids":5}}
    """
