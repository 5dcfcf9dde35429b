#include "CTrees.h"
#include <math.h>
#include <string.h>

// Rounded one by one, so that every processor gives the same bits.
#pragma STDC FP_CONTRACT OFF

#if defined(__x86_64__)
#define CLONES __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define CLONES
#endif

// MARK: - Bins

void ctrees_bin_column(const float *values, uint64_t count, const float *cuts, uint32_t cut_count, uint8_t *bins,
                       float *low, float *high, double *sums, uint64_t *counts) {
    // A perfect search tree over 255 cuts: eight steps without a branch. +∞ stands where there is no cut.
    float tree[256];
    float sorted[255];
    for (uint32_t i = 0; i < 255; i++) sorted[i] = i < cut_count ? cuts[i] : INFINITY;
    // Breadth first: node k of depth d is the middle of its part.
    for (uint32_t depth = 0, node = 1; depth < 8; depth++)
        for (uint32_t k = 0; k < (1u << depth); k++, node++) tree[node] = sorted[((2 * k + 1) << (7 - depth)) - 1];
    for (uint64_t first = 0; first < count; first += 8) {
        const uint32_t many = count - first < 8 ? (uint32_t)(count - first) : 8;
        float x[8];
        uint32_t node[8];
        for (uint32_t i = 0; i < many; i++) x[i] = values[first + i];
        for (uint32_t i = many; i < 8; i++) x[i] = 0;
        for (uint32_t i = 0; i < 8; i++) node[i] = 1;
        for (int depth = 0; depth < 8; depth++)
            for (uint32_t i = 0; i < 8; i++) node[i] = 2 * node[i] + (x[i] > tree[node[i]]);
        for (uint32_t i = 0; i < many; i++) {
            uint32_t bin = node[i] - 256;
            bin = (bin > cut_count ? cut_count : bin) + 1;
            if (x[i] != x[i]) bin = 0;
            bins[(first + i) * CTREES_LANES] = (uint8_t)bin;
            if (x[i] < low[bin]) low[bin] = x[i];
            if (x[i] > high[bin]) high[bin] = x[i];
            counts[bin]++;
            if (bin) sums[bin] += (double)x[i];
        }
    }
}

static inline uint32_t key_of(float value) {
    uint32_t bits;
    value += 0.0f;
    memcpy(&bits, &value, 4);
    return bits ^ ((uint32_t)((int32_t)bits >> 31) | 0x80000000u);
}

static inline float value_of(uint32_t key) {
    const uint32_t bits = key ^ (((key >> 31) - 1) | 0x80000000u);
    float value;
    memcpy(&value, &bits, 4);
    return value;
}

// The bits of a float in its place.
typedef uint32_t __attribute__((may_alias)) word;

void ctrees_sort(float *values, float *scratch, uint64_t count) {
    word *from = (word *)values, *to = (word *)scratch;
    static _Thread_local uint64_t places[3][2048];
    memset(places, 0, sizeof places);
    for (uint64_t i = 0; i < count; i++) {
        const uint32_t key = key_of(values[i]);
        memcpy(from + i, &key, 4);
        places[0][key & 2047]++;
        places[1][key >> 11 & 2047]++;
        places[2][key >> 22]++;
    }
    for (int pass = 0; pass < 3; pass++) {
        uint64_t sum = 0;
        for (int digit = 0; digit < 2048; digit++) {
            const uint64_t size = places[pass][digit];
            places[pass][digit] = sum;
            sum += size;
        }
        for (uint64_t i = 0; i < count; i++) to[places[pass][from[i] >> (11 * pass) & 2047]++] = from[i];
        word *swap = from;
        from = to;
        to = swap;
    }
    // Three passes end in the scratch.
    for (uint64_t i = 0; i < count; i++) values[i] = value_of(from[i]);
}

// MARK: - Histograms

static inline __attribute__((always_inline)) void add_rows(const uint8_t *bins, const uint32_t lanes,
                                                           const uint32_t *rows, uint64_t count,
                                                           const int64_t *packed, int64_t *histogram) {
    for (uint64_t i = 0; i < count; i++) {
        const uint64_t row = rows ? rows[i] : i;
        uint64_t bytes;
        memcpy(&bytes, bins + row * CTREES_LANES, 8);
        const int64_t value = packed[row];
        if (rows) __builtin_prefetch(bins + (uint64_t)rows[i + 16 < count ? i + 16 : i] * CTREES_LANES);
        for (uint32_t lane = 0; lane < lanes; lane++) {
            histogram[lane * CTREES_BINS + (bytes & 255)] += value;
            bytes >>= 8;
        }
    }
}

#define ADD(n)                                                                                                         \
    case n:                                                                                                            \
        if (rows) add_rows(bins, n, rows, count, packed, histogram);                                                   \
        else add_rows(bins, n, 0, count, packed, histogram);                                                           \
        return;

void ctrees_histogram(const uint8_t *bins, uint32_t lanes, const uint32_t *rows, uint64_t count, const int64_t *packed,
                      int64_t *histogram) {
    switch (lanes) {
        ADD(1) ADD(2) ADD(3) ADD(4) ADD(5) ADD(6) ADD(7) ADD(8)
    }
}

// MARK: - Splits

// Scores of the cuts after bins 1 … count; `shift` is added to every prefix (the missing values, when they go left).
CLONES static void score_cuts(const int64_t *prefix, uint32_t count, int64_t shift, int64_t total, double l2,
                              double least, double *scores) {
    const double all_g = (double)(int32_t)(total >> 32), all_h = (double)(int32_t)total;
    for (uint32_t b = 0; b < count; b++) {
        const int64_t left = prefix[b] + shift;
        const double g = (double)(int32_t)(left >> 32), h = (double)(int32_t)left;
        const double rest_g = all_g - g, rest_h = all_h - h;
        const double score = g * g / (h + l2) + rest_g * rest_g / (rest_h + l2);
        scores[b] = ((h >= least) & (rest_h >= least)) ? score : -INFINITY;
    }
}

static void take_best(const double *scores, const int64_t *prefix, uint32_t count, int64_t shift, uint32_t missing_left,
                      ctrees_split *best) {
    for (uint32_t b = 0; b < count; b++)
        if (scores[b] > best->score) {
            best->score = scores[b];
            best->bin = b + 1;
            best->missing_left = missing_left;
            best->left = prefix[b] + shift;
        }
}

ctrees_split ctrees_best_split(const int64_t *histogram, uint32_t bin_count, int64_t total, double l2,
                               double least_hessian) {
    int64_t prefix[CTREES_BINS];
    double scores[CTREES_BINS];
    int64_t sum = 0;
    for (uint32_t b = 0; b < bin_count; b++) prefix[b] = sum += histogram[b + 1];
    ctrees_split best = {-INFINITY, 0, 0, 0};
    const double least = least_hessian > 1 ? least_hessian : 1;
    const int64_t missing = histogram[0];
    const uint32_t cuts = bin_count > 0 ? bin_count - 1 : 0;
    if (missing == 0) {
        score_cuts(prefix, cuts, 0, total, l2, least, scores);
        take_best(scores, prefix, cuts, 0, 0, &best);
        return best;
    }
    // Missing values right (the last cut: they alone), then left.
    score_cuts(prefix, bin_count, 0, total, l2, least, scores);
    take_best(scores, prefix, bin_count, 0, 0, &best);
    score_cuts(prefix, cuts, missing, total, l2, least, scores);
    take_best(scores, prefix, cuts, missing, 1, &best);
    return best;
}

uint64_t ctrees_partition(const uint8_t *bins, const uint8_t *goes_left, const uint32_t *rows, uint64_t count,
                          uint32_t *left, uint32_t *right) {
    uint64_t l = 0, r = 0;
    for (uint64_t i = 0; i < count; i++) {
        const uint32_t row = rows[i];
        __builtin_prefetch(bins + (uint64_t)rows[i + 16 < count ? i + 16 : i] * CTREES_LANES);
        const uint64_t goes = goes_left[bins[(uint64_t)row * CTREES_LANES]];
        left[l] = row;
        right[r] = row;
        l += goes;
        r += 1 - goes;
    }
    return l;
}

// MARK: - Gradients

// e^x in single precision: 2^n times a polynomial on [−ln 2 / 2, ln 2 / 2] (Cephes expf, Moshier 1992).
static inline __attribute__((always_inline)) float exp_single(float x) {
    x = x < -87.0f ? -87.0f : x > 87.0f ? 87.0f : x;
    const float n = __builtin_floorf(x * 1.44269504088896341f + 0.5f);
    const float r = (x - n * 0.693359375f) - n * -2.12194440e-4f;
    float p = 1.9875691500e-4f;
    p = p * r + 1.3981999507e-3f;
    p = p * r + 8.3334519073e-3f;
    p = p * r + 4.1665795894e-2f;
    p = p * r + 1.6666665459e-1f;
    p = p * r + 5.0000001201e-1f;
    p = p * r * r + r + 1.0f;
    const int32_t bits = ((int32_t)n + 127) << 23;
    float scale;
    memcpy(&scale, &bits, 4);
    return p * scale;
}

CLONES static void gradients_logistic(const float *scores, const float *targets, const float *weights, uint64_t count,
                                      float *gradients, float *hessians) {
    for (uint64_t i = 0; i < count; i++) {
        const float p = 1.0f / (1.0f + exp_single(-scores[i]));
        const float h = p * (1.0f - p);
        const float w = weights ? weights[i] : 1.0f;
        gradients[i] = (p - targets[i]) * w;
        hessians[i] = (h < 1e-7f ? 1e-7f : h) * w;
    }
}

CLONES static void gradients_squared(const float *scores, const float *targets, const float *weights, uint64_t count,
                                     float *gradients, float *hessians) {
    for (uint64_t i = 0; i < count; i++) {
        const float w = weights ? weights[i] : 1.0f;
        gradients[i] = (scores[i] - targets[i]) * w;
        hessians[i] = w;
    }
}

void ctrees_gradients(int logistic, const float *scores, const float *targets, const float *weights, uint64_t count,
                      float *gradients, float *hessians) {
    if (logistic) gradients_logistic(scores, targets, weights, count, gradients, hessians);
    else gradients_squared(scores, targets, weights, count, gradients, hessians);
}

// Eight running sums, added in pairs at the end: fixed for any processor.
#define LANES8(sum) (((sum[0] + sum[1]) + (sum[2] + sum[3])) + ((sum[4] + sum[5]) + (sum[6] + sum[7])))

CLONES static void totals_all(const float *gradients, const float *hessians, uint64_t count, double *size, double *sum) {
    double g[8] = {0}, h[8] = {0};
    uint64_t i = 0;
    for (; i + 8 <= count; i += 8)
        for (int k = 0; k < 8; k++) {
            g[k] += (double)__builtin_fabsf(gradients[i + k]);
            h[k] += (double)hessians[i + k];
        }
    for (; i < count; i++) {
        g[i % 8] += (double)__builtin_fabsf(gradients[i]);
        h[i % 8] += (double)hessians[i];
    }
    *size = LANES8(g);
    *sum = LANES8(h);
}

void ctrees_totals(const float *gradients, const float *hessians, const uint32_t *rows, uint64_t count,
                   double *gradient_size, double *hessian) {
    if (!rows) {
        totals_all(gradients, hessians, count, gradient_size, hessian);
        return;
    }
    double g[8] = {0}, h[8] = {0};
    for (uint64_t i = 0; i < count; i++) {
        g[i % 8] += (double)__builtin_fabsf(gradients[rows[i]]);
        h[i % 8] += (double)hessians[rows[i]];
    }
    *gradient_size = LANES8(g);
    *hessian = LANES8(h);
}

CLONES void ctrees_pack(const float *gradients, const float *hessians, uint64_t first, uint64_t end,
                        float gradient_scale, float hessian_scale, uint32_t seed, int64_t *packed) {
    for (uint64_t i = first; i < end; i++) {
        // A hash of seed and row (Mueller's integer mix), 16 bits of it for each fraction.
        uint32_t z = (uint32_t)i * 0x9E3779B9u + seed;
        z = (z ^ z >> 16) * 0x45D9F3Bu;
        z = (z ^ z >> 16) * 0x45D9F3Bu;
        z ^= z >> 16;
        const float u = (float)(int32_t)(z & 0xFFFF) * 0x1p-16f, v = (float)(int32_t)(z >> 16) * 0x1p-16f;
        const int32_t g = (int32_t)__builtin_floorf(gradients[i] * gradient_scale + u);
        int32_t h = (int32_t)__builtin_floorf(hessians[i] * hessian_scale + v);
        // A row that counts is never invisible: empty bins are told by their Hessian.
        h = h < 1 && hessians[i] > 0 ? 1 : h;
        packed[i] = (int64_t)((uint64_t)(uint32_t)g << 32) + h;
    }
}

void ctrees_leaf_sums(const float *gradients, const float *hessians, const uint32_t *rows, uint64_t count,
                      double *gradient, double *hessian) {
    double g[8] = {0}, h[8] = {0};
    uint64_t i = 0;
    for (; i + 8 <= count; i += 8)
        for (int k = 0; k < 8; k++) {
            g[k] += (double)gradients[rows[i + k]];
            h[k] += (double)hessians[rows[i + k]];
        }
    for (; i < count; i++) {
        g[i % 8] += (double)gradients[rows[i]];
        h[i % 8] += (double)hessians[rows[i]];
    }
    *gradient = LANES8(g);
    *hessian = LANES8(h);
}

void ctrees_add(float *scores, const uint32_t *rows, uint64_t count, float value) {
    for (uint64_t i = 0; i < count; i++) scores[rows[i]] += value;
}

// MARK: - Prediction over bins

void ctrees_predict(const uint8_t *planes, const ctrees_node *nodes, const uint32_t *rows, uint64_t count, float *out) {
    for (uint64_t first = 0; first < count; first += 8) {
        // Eight rows go down together, so that their loads overlap.
        const uint32_t many = count - first < 8 ? (uint32_t)(count - first) : 8;
        uint32_t node[8] = {0};
        uint64_t row[8];
        for (uint32_t i = 0; i < many; i++) row[i] = (rows ? rows[first + i] : first + i) * CTREES_LANES;
        for (int moved = 1; moved;) {
            moved = 0;
            for (uint32_t i = 0; i < many; i++) {
                const ctrees_node *n = nodes + node[i];
                if (n->left < 0) continue;
                const uint8_t bin = planes[n->place + row[i]];
                const int left = bin ? bin <= n->bin : n->missing_left;
                node[i] = (uint32_t)(left ? n->left : n->right);
                moved = 1;
            }
        }
        for (uint32_t i = 0; i < many; i++) out[first + i] += nodes[node[i]].value;
    }
}

double ctrees_loss(int logistic, const float *scores, const float *targets, const float *weights, const uint32_t *rows,
                   uint64_t count) {
    double sum[8] = {0};
    for (uint64_t i = 0; i < count; i++) {
        const uint64_t row = rows ? rows[i] : i;
        const double s = (double)scores[row], y = (double)targets[row], w = weights ? (double)weights[row] : 1.0;
        // log(1 + e^s) − y s, without overflow.
        const double loss = logistic ? (s > 0 ? s : 0) + log1p(exp(-fabs(s))) - y * s : (s - y) * (s - y) / 2;
        sum[i % 8] += loss * w;
    }
    return LANES8(sum);
}
