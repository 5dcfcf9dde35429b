#pragma once
#include "CForest.h"

// How a step finds a row's features. FEW: the row fits the registers (16 floats); MORE: 32 floats do (AVX-512);
// MANY: from memory; WIDE: from memory, by 12-bit indices.
enum { FEW, MORE, MANY, WIDE };

#define DECLARE(name)                                                                                                  \
    void descend_##name(const cforest_descent *d);                                                                     \
    void accumulate_##name(const cforest_descent *d, uint32_t columns, int skips_empty, double *sums, uint32_t *counts); \
    void add_bags_##name(const cforest_descent *d, uint32_t number, uint32_t bag_size, uint32_t columns,               \
                         const double *coefficients, cforest_bags *state)

DECLARE(scalar);
DECLARE(avx2);
DECLARE(avx512);
DECLARE(neon);
