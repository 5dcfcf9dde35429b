#pragma once
#include "CTraining.h"

#define LANES 16
/// Nodes up to this many rows use 64 local bins and 32-bit sums; the count of rows has 9 bits there.
#define SMALL_ROWS 400
#define SMALL_SLOTS 64
#define SMALL_COUNT_BITS 9
#define BIG_SLOTS 256
#define BIG_COUNT_BITS 26

typedef struct {
    uint64_t split_from, split_count, estimate_from, estimate_count;
    int32_t parent;
    uint32_t depth;
    uint8_t is_right, buffer;
} frame;

struct ctraining_space {
    uint64_t room;
    uint32_t planes, features, width;
    /// Two buffers: a node's rows are in one, its children's in the other, in the same range. Rows that decide splits grow
    /// from the start, rows that estimate stand behind them.
    uint8_t *bins[2];
    float *values[2];
    /// Pseudo-outcomes: as floats, then in place as integers. `treatments` of them a row, one after the other.
    float *rho;
    uint64_t rho_room;
    int32_t *small;
    int64_t *big;
    float *gains;
    double *big_gains;
    frame *stack;
    size_t stack_room;
    uint32_t *order;
    float *best;
    int32_t *slot;
    uint8_t *routes;
    uint8_t *bounds;
};

int grow_scalar(const ctraining_rows *, const ctraining_settings *, const uint32_t *, uint64_t, uint64_t, ctraining_space *,
                ctraining_tree *);
int grow_avx2(const ctraining_rows *, const ctraining_settings *, const uint32_t *, uint64_t, uint64_t, ctraining_space *,
              ctraining_tree *);
int grow_avx512(const ctraining_rows *, const ctraining_settings *, const uint32_t *, uint64_t, uint64_t,
                ctraining_space *, ctraining_tree *);

static inline uint64_t mix(uint64_t z) {
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
}

/// The next number of a SplitMix64 stream.
static inline uint64_t draw(uint64_t *state) { return mix(*state += 0x9E3779B97F4A7C15u); }
