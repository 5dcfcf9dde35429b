#pragma once
#include <stddef.h>
#include <stdint.h>

/// What a raw consume loop saw.
struct cbench_result {
    int64_t messages;
    int64_t bytes;
    /// Seconds from the first message to the last.
    double seconds;
    /// Empty, or what went wrong.
    char error[256];
};

/// The baseline of every throughput row: plain C over `rd_kafka_consume_batch_queue`, nothing done with the bytes.
///
/// Assigns `partitions` partitions of `topic` from their beginnings and reads until `expected` messages came or
/// `deadline_seconds` passed. The consumer's settings are the product's own.
struct cbench_result cbench_consume(const char *bootstrap, const char *topic, int partitions, int64_t expected,
                                    const char *const *keys, const char *const *values, size_t settings,
                                    double deadline_seconds);

/// Begins to count the allocations of threads whose names begin with the prefix; of the calling thread when it is null.
void cbench_allocations_start(const char *thread_prefix);
void cbench_allocations_stop(void);
/// Goes on counting after a stop, the same threads.
void cbench_allocations_resume(void);

/// The allocations that a library of the process asked for while they were counted. Returns 0 behind the last library.
int cbench_allocations_get(int index, const char **name, int64_t *count, int64_t *bytes);
