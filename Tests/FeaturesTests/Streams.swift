import Base
import Events
import Features
import TestSupport

/// Randomised events for a specification, in the form of the oracle and in that of the module.
struct Stream {
    typealias Event = Oracle.Event

    var generator: SeededGenerator
    let users: Int
    /// Values are multiples of 1/8 below 2⁷, so that sums are exact whatever their order.
    var dyadic = true
    private var now: Int64 = 1_795_255_200_000
    private var recentIDs: [(user: String, id: String)] = []

    init(_ generator: SeededGenerator, users: Int) {
        self.generator = generator
        self.users = users
    }

    mutating func uniform(_ n: Int) -> Int { Int.random(in: 0..<n, using: &generator) }

    mutating func next() -> Event {
        // Mostly minutes apart, sometimes days, rarely months, so that windows slide and empty.
        let step: Int64 =
            switch uniform(100) {
            case 0: 86_400_000 * Int64(uniform(60))
            case 1..<10: 3_600_000 * Int64(uniform(48))
            default: Int64(uniform(600_000))
            }
        now += step / Int64(max(1, users / 4))
        var time = now
        switch uniform(10) {
        case 0: time -= Int64(uniform(3_600_000 * 24 * 40)) * Int64(1 + uniform(4))
        case 1: time -= Int64(uniform(600_000))
        // The very time of an earlier event, on a bucket's border.
        case 2: time -= time % 300_000
        default: break
        }
        var event = Event(user: "user-\(uniform(users))", type: "ad_view", time: time)
        let types = ["ad_view", "click", "purchase", "refund", "page_view", "invented", "own_type"]
        event.type = types[uniform(types.count)]
        if uniform(10) < 8 {
            event.id = "e-\(uniform(1 << 40))"
            if uniform(8) == 0, let known = recentIDs.randomElement(using: &generator) {
                event.user = known.user
                event.id = known.id
            }
            recentIDs.append((event.user, event.id ?? ""))
            if recentIDs.count > 60 { recentIDs.removeFirst() }
        }
        addFields(&event)
        return event
    }

    private mutating func addFields(_ event: inout Event) {
        if uniform(5) > 0 {
            let value = dyadic ? Double(uniform(1_000) - 200) / 8 : Double.random(in: -100...900, using: &generator)
            event.fields["value"] = .number(value)
        }
        if uniform(5) > 0 { event.fields["campaign_id"] = .text("c-\(uniform(12))") }
        if uniform(3) > 0 { event.fields["channel"] = .text(["social", "mail", "search"][uniform(3)]) }
        switch uniform(5) {
        case 0: break
        case 1: event.fields["properties.mixed"] = .text("seven")
        case 2: event.fields["properties.mixed"] = .bool(uniform(2) == 0)
        default: event.fields["properties.mixed"] = .number(Double(uniform(4)))
        }
    }
}

/// Events of the oracle's form held in the memory the module reads.
final class Columns {
    let events: UnsafeMutablePointer<Event>
    let users: UnsafeMutablePointer<UnsafeRawBufferPointer>
    let values: UnsafeMutablePointer<FieldValue>
    let fieldCount: Int
    let count: Int
    private var ids: [UnsafeMutableRawBufferPointer] = []

    init(_ source: [Oracle.Event], _ schema: EventSchema) {
        count = source.count
        fieldCount = schema.fields.count
        events = .allocate(capacity: max(1, count))
        users = .allocate(capacity: max(1, count))
        values = .allocate(capacity: max(1, count * fieldCount))
        for (i, event) in source.enumerated() {
            var made = Event()
            made.type = schema.typeNumber(event.type).map { UInt8($0) } ?? Event.unknownType
            made.time = event.time
            if let id = event.id {
                made.hasID = true
                made.idHash = StableHash.hash(id)
            }
            events[i] = made
            let id = UnsafeMutableRawBufferPointer.allocate(byteCount: max(1, event.user.utf8.count), alignment: 1)
            id.copyBytes(from: event.user.utf8)
            ids.append(id)
            users[i] = UnsafeRawBufferPointer(rebasing: id[..<event.user.utf8.count])
            for (k, field) in schema.fields.enumerated() {
                let value: FieldValue =
                    switch event.fields[field.path] {
                    case nil: .missing
                    case .number(let number): FieldValue(number)
                    case .text(let text): FieldValue(textHash: StableHash.hash(text))
                    case .bool(let truth): FieldValue(truth)
                    }
                values[i * fieldCount + k] = value
            }
        }
    }

    deinit {
        for id in ids { id.deallocate() }
        events.deallocate()
        users.deallocate()
        values.deallocate()
    }

    var columns: EventColumns {
        EventColumns(events: events, users: users, values: values, fieldCount: fieldCount)
    }

    func fields(_ i: Int) -> UnsafeBufferPointer<FieldValue> {
        UnsafeBufferPointer(start: values + i * fieldCount, count: fieldCount)
    }

    func apply(_ i: Int, to state: PartitionState) -> PartitionState.Applied {
        state.apply(events[i], fields: fields(i), user: users[i])
    }
}

extension PartitionState {
    func features(of user: String) -> [Float]? {
        withBytes(user) { features(ofUser: $0) }
    }

    /// Every user's stored form.
    var image: [String: [UInt8]] {
        var image: [String: [UInt8]] = [:]
        forEachUser { user, slot in image[String(decoding: user, as: UTF8.self)] = encoded(slot) }
        return image
    }
}

func withBytes<Result>(_ text: String, _ body: (UnsafeRawBufferPointer) throws -> Result) rethrows -> Result {
    try Array(text.utf8).withUnsafeBytes(body)
}

/// Rows are equal number by number, NaN with NaN; beyond `relative` they are not.
func agree(_ a: [Float], _ b: [Float], relative: Float = 0) -> Bool {
    a.count == b.count
        && zip(a, b).allSatisfy { x, y in
            x == y || (x.isNaN && y.isNaN) || abs(x - y) <= relative * max(abs(x), abs(y))
        }
}

let everyAggregate = """
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
      {"name":"later","aggregate":"count","events":["click"],"window":"1h"},
      {"name":"orders","aggregate":"count","events":["purchase"],"window":"lifetime"},
      {"name":"spent","aggregate":"sum","events":["purchase","refund"],"field":"value","window":"lifetime"},
      {"name":"social_or_mail","aggregate":"count","window":"30d",
       "where":{"or":[{"field":"channel","equals":"social"},{"field":"channel","equals":"mail"}]}},
      {"name":"mail_and_two","aggregate":"sum","field":"value","window":"lifetime",
       "where":{"and":[{"field":"properties.mixed","equals":2},
        {"or":[{"field":"channel","equals":"mail"},{"field":"channel","equals":"search"}]}]}},
      {"name":"mixed_social","aggregate":"distinct","field":"campaign_id","window":"1h",
       "where":{"and":[{"field":"channel","equals":"social"},{"field":"properties.mixed","equals":"seven"}]}},
      {"name":"average_order","aggregate":"divide","of":["spent","orders"],"default":0},
      {"name":"one_more","aggregate":"add","of":["views_7d",1]},
      {"name":"intensity","aggregate":"divide","of":["last_value","one_more"]},
      {"name":"long","aggregate":"compare","of":["intensity","mean_7d"],"is":">"},
      {"name":"few","aggregate":"compare","of":["views_7d",3],"is":"<="},
      {"name":"both","aggregate":"multiply","of":["long","few"],"default":0},
      {"name":"engaged","aggregate":"scale","of":["spend_30d"],"from":-10,"to":50},
      {"name":"near","aggregate":"clip","of":["last_value"],"least":0,"most":9.5},
      {"name":"gap","aggregate":"subtract","of":["near",2.5],"default":-1},
      {"name":"score","aggregate":"average","of":["engaged","few",0.25]},
      {"name":"segment","aggregate":"choose","of":["both","few","long"]}
    ],"deduplication":{"ids":5}}
    """

func specification(_ json: String) throws -> FeatureSpecification { try FeatureSpecification(json: Array(json.utf8)) }
