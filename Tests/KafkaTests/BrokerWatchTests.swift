import Kafka
import Testing

@Suite("What a person reads about brokers")
struct BrokerWatchTests {
    @Test("That all brokers are away is said once, that one is back once, with the time between")
    func awayAndBack() {
        var watch = BrokerWatch(bootstrap: "host:9092")
        #expect(watch.report(anyBrokerUp: true, now: 0) == nil)
        guard case .warning(let text) = watch.allBrokersDown(now: 10) else {
            Issue.record("nothing was said")
            return
        }
        #expect(text.contains("host:9092"))
        #expect(watch.allBrokersDown(now: 11) == nil)
        #expect(watch.isAway)
        #expect(watch.report(anyBrokerUp: false, now: 12) == nil)
        #expect(watch.report(anyBrokerUp: true, now: 20) == nil)
        #expect(watch.report(anyBrokerUp: true, now: 22) == .info("a broker answers again at host:9092, after 10 s"))
        #expect(!watch.isAway)
        #expect(watch.report(anyBrokerUp: true, now: 24) == nil)
        #expect(watch.allBrokersDown(now: 30) != nil)
    }

    @Test("An outage begins with the connection that was lost, and ends with the first good report")
    func trueLength() {
        var watch = BrokerWatch(bootstrap: "h")
        watch.connectionLost(now: 3)
        _ = watch.report(anyBrokerUp: true, now: 4)
        watch.connectionLost(now: 5)
        watch.connectionLost(now: 6)
        #expect(watch.allBrokersDown(now: 8) != nil)
        #expect(watch.report(anyBrokerUp: true, now: 20) == nil)
        #expect(watch.report(anyBrokerUp: true, now: 22) == .info("a broker answers again at h, after 15 s"))
    }

    @Test("A report from before the loss does not count as being back")
    func staleReport() {
        var watch = BrokerWatch(bootstrap: "h")
        _ = watch.allBrokersDown(now: 0)
        #expect(watch.report(anyBrokerUp: true, now: 1) == nil)
        #expect(watch.report(anyBrokerUp: false, now: 2) == nil)
        #expect(watch.report(anyBrokerUp: true, now: 3) == nil)
        #expect(watch.isAway)
    }

    @Test("Other errors are said at most every 30 s a name, with the count of those left out")
    func limited() {
        var watch = BrokerWatch(bootstrap: "h")
        #expect(
            watch.error(name: "_SSL", reason: "bad certificate", lasting: true, now: 0) == .error("bad certificate"))
        #expect(watch.error(name: "_SSL", reason: "bad certificate", lasting: true, now: 10) == nil)
        #expect(watch.error(name: "_TRANSPORT", reason: "reset", lasting: false, now: 10) == .warning("reset"))
        #expect(watch.error(name: "_SSL", reason: "bad certificate", lasting: true, now: 29) == nil)
        #expect(
            watch.error(name: "_SSL", reason: "bad certificate", lasting: true, now: 31)
                == .error("bad certificate (and 2 like it in the last while)"))
    }
}
