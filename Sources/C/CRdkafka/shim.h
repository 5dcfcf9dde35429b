#pragma once
#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>

/// `rd_kafka_producev` behind a fixed signature, since Swift imports no variadic function. Copies key and value.
///
/// The only produce call with a timestamp that reports a full queue without allocating an error object. A null `key`
/// or `value` is Kafka's null; a non-null pointer of length 0 is empty. `timestamp` 0 means "now" to librdkafka.
static inline rd_kafka_resp_err_t crdkafka_produce(
    rd_kafka_t *client, rd_kafka_topic_t *topic, int32_t partition, int64_t timestamp,
    const void *key, size_t key_count, const void *value, size_t value_count) {
    return rd_kafka_producev(
        client, RD_KAFKA_V_RKT(topic), RD_KAFKA_V_PARTITION(partition), RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY),
        RD_KAFKA_V_TIMESTAMP(timestamp), RD_KAFKA_V_KEY(key, key_count),
        RD_KAFKA_V_VALUE((void *)value, value_count), RD_KAFKA_V_END);
}

/// The same with headers, which librdkafka owns when the call succeeds and the caller keeps when it fails.
static inline rd_kafka_resp_err_t crdkafka_produce_with_headers(
    rd_kafka_t *client, rd_kafka_topic_t *topic, int32_t partition, int64_t timestamp,
    const void *key, size_t key_count, const void *value, size_t value_count, rd_kafka_headers_t *headers) {
    return rd_kafka_producev(
        client, RD_KAFKA_V_RKT(topic), RD_KAFKA_V_PARTITION(partition), RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY),
        RD_KAFKA_V_TIMESTAMP(timestamp), RD_KAFKA_V_KEY(key, key_count),
        RD_KAFKA_V_VALUE((void *)value, value_count), RD_KAFKA_V_HEADERS(headers), RD_KAFKA_V_END);
}
