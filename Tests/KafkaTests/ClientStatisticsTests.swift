import Kafka
import Testing

@Suite struct ClientStatisticsTests {
    private func broker(_ id: Int, rtt: Int, throttle: Int, errors: Int, lost: Int) -> String {
        """
        "b\(id)":{"name":"b\(id)","nodeid":\(id),"state":"UP","tx":9,"txbytes":900,"txerrs":\(errors),"rxbytes":800,\
        "rxerrs":0,"req_timeouts":1,"connects":2,"disconnects":\(lost),"int_latency":{"avg":1,"p99":99999999},\
        "rtt":{"min":1,"max":9,"avg":2,"sum":3,"p50":4,"p99":\(rtt)},"throttle":{"min":0,"max":9,"avg":\(throttle)},\
        "toppars":{"events-0":{"topic":"events","partition":0}}}
        """
    }

    /// The order of members is librdkafka's (STATISTICS.md).
    private func report(_ brokers: [String]) -> String {
        """
        {"name":"c","type":"consumer","ts":1,"replyq":0,"msg_cnt":42,"msg_size":100,"brokers":{ \
        \(brokers.joined(separator: ","))},"topics":{"nodeid":{"topic":"\\"nodeid\\":","partitions":{"0":\
        {"txbytes":5,"rxbytes":6,"txerrs":7,"disconnects":1000}}}},"cgrp":{"state":"up"},"tx":10,"tx_bytes":12345,"rx":9,\
        "rx_bytes":67890}
        """
    }

    @Test func brokersAreSummedAndTheWorstIsTold() {
        let text = report([
            broker(1, rtt: 2_500, throttle: 0, errors: 3, lost: 2),
            broker(2, rtt: 900, throttle: 40, errors: 0, lost: 1),
        ])
        var expected = ClientStatistics(json: "{}")
        expected.sentBytes = 12_345
        expected.receivedBytes = 67_890
        expected.queuedMessages = 42
        expected.roundTripSeconds = 0.0025
        expected.throttleSeconds = 0.04
        expected.errors = 5
        expected.disconnects = 3
        #expect(ClientStatistics(json: text) == expected)
    }

    @Test func aClientWithoutBrokersHasNone() {
        let found = ClientStatistics(json: report([]))
        #expect(found.disconnects == 0 && found.errors == 0 && found.sentBytes == 12_345)
    }
}
