#include "space.h"
#include <stdlib.h>
#ifdef __GLIBC__
#include <malloc.h>
#endif
#include <string.h>

void ctraining_return_memory(void) {
#ifdef __GLIBC__
    mallopt(M_MMAP_THRESHOLD, 1 << 20);
#endif
}

static void *aligned(size_t bytes) { return aligned_alloc(64, (bytes + 127) / 64 * 64); }

ctraining_space *ctraining_space_create(uint64_t rows, uint32_t features, uint32_t width) {
    ctraining_space *s = calloc(1, sizeof *s);
    if (!s) return NULL;
    s->room = rows;
    s->features = features;
    s->planes = (features + LANES - 1) / LANES;
    s->width = width;
    const uint32_t treatments = width - 1;  // with weights one more than needed
    int ok = 1;
    for (int b = 0; b < 2; b++) {
        ok &= (s->bins[b] = aligned(rows * s->planes * LANES)) != NULL;
        ok &= (s->values[b] = aligned(rows * width * sizeof(float))) != NULL;
    }
    s->rho_room = 0;
    ok &= (s->small = aligned(SMALL_SLOTS * LANES * sizeof(int32_t))) != NULL;
    ok &= (s->big = aligned(BIG_SLOTS * LANES * sizeof(int64_t))) != NULL;
    ok &= (s->gains = aligned(2 * SMALL_SLOTS * LANES * sizeof(float))) != NULL;
    ok &= (s->big_gains = aligned(2 * BIG_SLOTS * LANES * sizeof(double))) != NULL;
    s->stack_room = 256;
    ok &= (s->stack = malloc(s->stack_room * sizeof *s->stack)) != NULL;
    const size_t padded = (size_t)s->planes * LANES;
    ok &= (s->order = malloc(padded * sizeof(uint32_t))) != NULL;
    ok &= (s->best = aligned(padded * sizeof(float))) != NULL;
    ok &= (s->slot = aligned(padded * sizeof(int32_t))) != NULL;
    ok &= (s->routes = aligned(padded)) != NULL;
    ok &= (s->bounds = aligned(4 * padded)) != NULL;
    (void)treatments;
    if (!ok) {
        ctraining_space_destroy(s);
        return NULL;
    }
    return s;
}

void ctraining_space_destroy(ctraining_space *s) {
    if (!s) return;
    for (int b = 0; b < 2; b++) {
        free(s->bins[b]);
        free(s->values[b]);
    }
    free(s->rho);
    free(s->small);
    free(s->big);
    free(s->gains);
    free(s->big_gains);
    free(s->stack);
    free(s->order);
    free(s->best);
    free(s->slot);
    free(s->routes);
    free(s->bounds);
    free(s);
}

void ctraining_tree_clear(ctraining_tree *t) {
    free(t->left);
    free(t->right);
    free(t->feature);
    free(t->leaf);
    free(t->bin);
    free(t->missing_left);
    free(t->payload);
    memset(t, 0, sizeof *t);
}

int ctraining_supports(int kernel) {
    switch (kernel) {
    case CTRAINING_SCALAR: return 1;
#if defined(__x86_64__)
    case CTRAINING_AVX2: return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi2");
    case CTRAINING_AVX512:
        return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw")
            && __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("bmi2");
#endif
    default: return 0;
    }
}

void ctraining_sample(uint64_t seed, uint64_t count, uint64_t take, uint32_t *chosen) {
    // Selection sampling (Knuth, volume 2, algorithm S). Always writes, and moves on when the number is drawn.
    uint64_t state = seed, left = take;
    for (uint64_t i = 0; i < count && left > 0; i++) {
        const uint64_t below = (uint64_t)(((unsigned __int128)draw(&state) * (count - i)) >> 64);
        *chosen = (uint32_t)i;
        const int is_drawn = below < left;
        chosen += is_drawn;
        left -= (uint64_t)is_drawn;
    }
}

int ctraining_grow(int kernel, const ctraining_rows *rows, const ctraining_settings *settings, const uint32_t *chosen,
                   uint64_t count, uint64_t seed, ctraining_space *space, ctraining_tree *tree) {
    switch (kernel) {
#if defined(__x86_64__)
    case CTRAINING_AVX2: return grow_avx2(rows, settings, chosen, count, seed, space, tree);
    case CTRAINING_AVX512: return grow_avx512(rows, settings, chosen, count, seed, space, tree);
#endif
    default: return grow_scalar(rows, settings, chosen, count, seed, space, tree);
    }
}

#define TOGETHER 16

void ctraining_steps(const ctraining_tree *tree, ctraining_step *steps) {
    for (uint32_t n = 0; n < tree->nodes; n++) {
        const int is_leaf = tree->feature[n] < 0;
        // Nothing is below bin 0: a leaf sends every row to its right, which is itself.
        steps[n].right = is_leaf ? n : (uint32_t)tree->right[n];
        steps[n].feature = is_leaf ? 0 : (uint16_t)tree->feature[n];
        steps[n].bin = is_leaf ? 0 : tree->bin[n];
        steps[n].missing_left = is_leaf ? 0 : tree->missing_left[n];
    }
}

/// Sends rows down together, so that their loads overlap. There are always sixteen: what is beyond the count is nobody's.
static inline __attribute__((always_inline)) void descend(const uint8_t *bins, uint64_t plane_bytes, int one_plane,
                                                          const ctraining_step *steps, const uint64_t *row,
                                                          uint32_t *node) {
    for (int j = 0; j < TOGETHER; j++) node[j] = 0;
    uint32_t moved = 1;
    while (moved) {
        moved = 0;
#pragma clang loop unroll(full)
        for (int j = 0; j < TOGETHER; j++) {
            // One load a node, and masks instead of branches: which way a row goes cannot be guessed.
            uint64_t step;
            memcpy(&step, steps + node[j], sizeof step);
            const uint32_t right = (uint32_t)step, feature = (uint32_t)(step >> 32) & 0xFFFF;
            const uint64_t place = one_plane ? row[j] * LANES + feature
                                             : (feature >> 4) * plane_bytes + row[j] * LANES + (feature & 15);
            const uint32_t bin = bins[place], limit = (uint32_t)(step >> 48) & 255, missing = (uint32_t)(step >> 56);
            const uint32_t below = (uint32_t)(((bin - 1) & 255) - limit) >> 31;
            const uint32_t none = ((bin - 1) >> 31) & missing;
            const uint32_t mask = 0u - (below | none);
            const uint32_t next = right ^ ((right ^ (node[j] + 1)) & mask);
            moved |= next ^ node[j];
            node[j] = next;
        }
    }
}

static void walk(const ctraining_rows *rows, const ctraining_step *steps, const uint64_t *row, uint32_t *node) {
    const uint64_t plane_bytes = rows->rows * LANES;
    if (rows->features <= LANES) descend(rows->bins, plane_bytes, 1, steps, row, node);
    else descend(rows->bins, plane_bytes, 0, steps, row, node);
}

void ctraining_add_leaves(const ctraining_rows *rows, const ctraining_tree *tree, const ctraining_step *steps,
                          const uint64_t *inside, uint64_t from, uint64_t to, uint32_t columns, float *sums) {
    uint64_t row[TOGETHER + 1];
    uint32_t node[TOGETHER];
    uint64_t next = from;
    while (next < to) {
        int count = 0;
        while (next < to && count < TOGETHER) {
            row[count] = next;
            count += !inside || !(inside[next >> 6] >> (next & 63) & 1);
            next++;
        }
        for (int j = count; j < TOGETHER; j++) row[j] = from;
        walk(rows, steps, row, node);
        for (int j = 0; j < count; j++) {
            const double *leaf = tree->payload + (uint64_t)tree->leaf[node[j]] * columns;
            float *sum = sums + row[j] * columns;
            for (uint32_t c = 0; c < columns; c++) sum[c] += (float)leaf[c];
        }
    }
}

void ctraining_leaves(const ctraining_rows *rows, const ctraining_tree *tree, const ctraining_step *steps, uint64_t from,
                      uint64_t to, int32_t *leaves) {
    uint64_t row[TOGETHER];
    uint32_t node[TOGETHER];
    for (uint64_t start = from; start < to; start += TOGETHER) {
        const int count = to - start < TOGETHER ? (int)(to - start) : TOGETHER;
        for (int j = 0; j < TOGETHER; j++) row[j] = j < count ? start + (uint64_t)j : start;
        walk(rows, steps, row, node);
        for (int j = 0; j < count; j++) leaves[start - from + (uint64_t)j] = tree->leaf[node[j]];
    }
}
