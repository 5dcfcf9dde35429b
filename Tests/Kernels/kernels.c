// Every kernel that runs here against the scalar one, on random tiles: the same leaves, sums and little bags, bit for
// bit. It needs no Swift, so scripts/check-kernels can run it for another processor, under an emulator.
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include "CForest.h"
#include "tile.h"

enum { TILES = 400, TREES = 40, LEAVES = 64, ROWS = 64, MOST_FEATURES = 600, SLOTS = 64 * TREES };
static const char *const names[] = {"scalar", "avx2", "avx512", "neon"};

static uint64_t state;
static uint64_t random64(void) {  // splitmix64
    uint64_t z = state += 0x9E3779B97F4A7C15;
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9;
    z = (z ^ z >> 27) * 0x94D049BB133111EB;
    return z ^ z >> 31;
}
static uint32_t below(uint32_t n) { return (uint32_t)(random64() % n); }

// Few different values, so that rows meet thresholds, and every special one.
static float value(void) {
    static const float special[] = {0.0f, -0.0f, INFINITY, -INFINITY, NAN, 1e-45f, -1e-45f, 3.4028235e38f};
    return below(4) ? (float)below(9) / 4 - 1 : special[below(8)];
}

// Leaves below the middle, tiles above; an exit leads to a leaf or to a later tile.
static uint8_t *make_tiles(uint32_t unit_shift, uint32_t leaf_bytes, uint32_t features, int wide) {
    const uint32_t unit = 1u << unit_shift;
    uint8_t *memory = aligned_alloc(64, LEAVES * leaf_bytes + TILES * TILE_BYTES);
    uint8_t *base = memory + LEAVES * leaf_bytes;
    for (double *leaf = (double *)memory; leaf < (double *)base; leaf++) *leaf = (double)(int64_t)random64() * 0x1p-60;
    for (uint32_t t = 0; t < TILES; t++) {
        uint8_t *tile = base + t * TILE_BYTES;
        memset(tile, 0, TILE_BYTES);
        for (int s = 0; s < 7; s++) {
            const float threshold = value();
            const uint32_t feature = below(features);
            memcpy(tile + 4 * s, &threshold, 4);
            if (wide) {
                uint16_t word;
                memcpy(&word, tile + TILE_FEATURES + s * 3 / 2, 2);
                word |= (uint16_t)(feature << (s & 1 ? 4 : 0));
                memcpy(tile + TILE_FEATURES + s * 3 / 2, &word, 2);
            } else {
                tile[TILE_FEATURES + s] = (uint8_t)feature;
            }
        }
        for (int e = 0; e < 8; e++) {
            const uint32_t first = t + 1 < TREES ? TREES : t + 1, last = first + 60 < TILES ? first + 60 : TILES;
            int32_t exit = -(int32_t)((1 + below(LEAVES)) * (leaf_bytes / unit));
            if (first < last && below(3)) exit = (int32_t)((first + below(last - first)) * (TILE_BYTES / unit));
            memcpy(tile + TILE_EXITS + 3 * e, &exit, 3);
        }
        tile[wide ? TILE_WIDE_MISSING : TILE_MISSING] = (uint8_t)below(128);
    }
    return memory;
}

typedef struct {
    int32_t exits[SLOTS];
    double sums[ROWS * 5];
    uint32_t counts[ROWS];
    cforest_bags bags[ROWS];
} result;

static void run(int kernel, cforest_descent d, uint32_t columns, const double *coefficients, result *r) {
    static uint16_t active[SLOTS];
    memset(r, 0, sizeof *r);
    d.exits = r->exits;
    d.active = active;
    cforest_descend(kernel, &d);
    cforest_accumulate(kernel, &d, columns, 0, r->sums, r->counts);
    cforest_add_bags(kernel, &d, 0, 3, columns, coefficients, r->bags);
}

int main(int count, char **arguments) {
    const uint64_t seed = count > 1 ? strtoull(arguments[1], NULL, 10) : 1;
    const int cases = count > 2 ? atoi(arguments[2]) : 300;
    static float rows[ROWS * 608] __attribute__((aligned(64)));
    static double coefficients[ROWS * 6];
    static result expected, found;
    int checked[4] = {0};
    state = seed;
    for (int c = 0; c < cases; c++) {
        static const uint32_t widths[] = {1, 10, 16, 17, 32, 33, 256, 600};
        const uint32_t features = widths[below(8)], columns = below(2) ? 4 : 5;
        const uint32_t row_count = below(3) ? 1 + below(ROWS) : 1;
        const uint32_t unit_shift = columns == 4 ? 4 + below(2) : 6, leaf_bytes = columns == 4 ? 32 : 64;
        const int wide = features > 256 || below(4) == 0;
        uint8_t *memory = make_tiles(unit_shift, leaf_bytes, features, wide);
        const uint64_t stride = (features + 15) / 16 * 16;
        for (uint64_t i = 0; i < ROWS * stride; i++) rows[i] = value();
        for (int i = 0; i < ROWS * 6; i++) coefficients[i] = (double)(int64_t)random64() * 0x1p-62;
        cforest_descent d = {
            .base = memory + LEAVES * leaf_bytes, .unit_shift = unit_shift, .rows = rows, .row_stride = stride,
            .row_count = row_count, .tree_count = 1 + below(TREES), .least_tiles = 1, .feature_count = features,
            .routes_missing = below(2), .wide = (uint32_t)wide};
        while (1u << d.row_shift < row_count) d.row_shift++;
        run(CFOREST_SCALAR, d, columns, coefficients, &expected);
        for (int kernel = 1; kernel < 4; kernel++) {
            if (!cforest_supports(kernel)) continue;
            run(kernel, d, columns, coefficients, &found);
            checked[kernel]++;
            if (memcmp(&expected, &found, sizeof found)) {
                printf("seed %llu: kernel %s differs in case %d: %u features, %u rows, %u trees, wide %d, "
                       "missing routed %u\n",
                       (unsigned long long)seed, names[kernel], c, features, row_count, d.tree_count, wide,
                       d.routes_missing);
                return 1;
            }
        }
        free(memory);
    }
    for (int kernel = 1; kernel < 4; kernel++)
        if (checked[kernel]) printf("%s: %d cases equal the scalar kernel bit for bit (seed %llu)\n", names[kernel],
                                    checked[kernel], (unsigned long long)seed);
    return !(checked[1] | checked[2] | checked[3]);
}
