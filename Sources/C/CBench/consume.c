#include "CBench.h"
#include <librdkafka/rdkafka.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

enum { batch_size = 1024 };

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static rd_kafka_t *open_consumer(const char *bootstrap, const char *const *keys, const char *const *values,
                                 size_t settings, struct cbench_result *result) {
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    rd_kafka_conf_set(conf, "bootstrap.servers", bootstrap, NULL, 0);
    rd_kafka_conf_set(conf, "group.id", "impactiq-bench-raw", NULL, 0);
    for (size_t i = 0; i < settings; i++) {
        if (rd_kafka_conf_set(conf, keys[i], values[i], result->error, sizeof result->error) != RD_KAFKA_CONF_OK) {
            rd_kafka_conf_destroy(conf);
            return NULL;
        }
    }
    rd_kafka_t *consumer = rd_kafka_new(RD_KAFKA_CONSUMER, conf, result->error, sizeof result->error);
    if (consumer == NULL) { rd_kafka_conf_destroy(conf); }
    return consumer;
}

static void assign_from_beginning(rd_kafka_t *consumer, const char *topic, int partitions) {
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(partitions);
    for (int p = 0; p < partitions; p++) {
        rd_kafka_topic_partition_list_add(list, topic, p)->offset = RD_KAFKA_OFFSET_BEGINNING;
    }
    rd_kafka_assign(consumer, list);
    rd_kafka_topic_partition_list_destroy(list);
}

struct cbench_result cbench_consume(const char *bootstrap, const char *topic, int partitions, int64_t expected,
                                    const char *const *keys, const char *const *values, size_t settings,
                                    double deadline_seconds) {
    struct cbench_result result = {0};
    rd_kafka_t *consumer = open_consumer(bootstrap, keys, values, settings, &result);
    if (consumer == NULL) { return result; }
    rd_kafka_poll_set_consumer(consumer);
    assign_from_beginning(consumer, topic, partitions);
    rd_kafka_queue_t *queue = rd_kafka_queue_get_consumer(consumer);
    rd_kafka_message_t *messages[batch_size];
    double deadline = now() + deadline_seconds, first = 0, last = 0;
    while (result.messages < expected && now() < deadline) {
        // The call waits until its array is full: the last one asks for no more than what is left.
        int64_t left = expected - result.messages;
        size_t room = left < batch_size ? (size_t)left : batch_size;
        ssize_t count = rd_kafka_consume_batch_queue(queue, 100, messages, room);
        if (count <= 0) { continue; }
        last = now();
        if (first == 0) { first = last; }
        for (ssize_t i = 0; i < count; i++) {
            if (messages[i]->err == 0) {
                result.messages++;
                result.bytes += (int64_t)messages[i]->len;
            }
            rd_kafka_message_destroy(messages[i]);
        }
    }
    result.seconds = last - first;
    if (result.messages < expected) {
        snprintf(result.error, sizeof result.error, "only %lld of %lld messages came", (long long)result.messages,
                 (long long)expected);
    }
    rd_kafka_queue_destroy(queue);
    rd_kafka_consumer_close(consumer);
    rd_kafka_destroy(consumer);
    return result;
}
