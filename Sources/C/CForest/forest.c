#include "kernels.h"
#include "tile.h"

#pragma STDC FP_CONTRACT OFF

int cforest_supports(int kernel) {
    switch (kernel) {
    case CFOREST_SCALAR: return 1;
#if defined(__x86_64__)
    case CFOREST_AVX2: return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi2");
    case CFOREST_AVX512:
        return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw")
            && __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("bmi2");
#elif defined(__aarch64__)
    case CFOREST_NEON: return 1;
#endif
    default: return 0;
    }
}

void cforest_descend(int kernel, const cforest_descent *d) {
    switch (kernel) {
#if defined(__x86_64__)
    case CFOREST_AVX2: descend_avx2(d); return;
    case CFOREST_AVX512: descend_avx512(d); return;
#elif defined(__aarch64__)
    case CFOREST_NEON: descend_neon(d); return;
#endif
    default: descend_scalar(d); return;
    }
}

void cforest_accumulate(int kernel, const cforest_descent *d, uint32_t columns, int skips_empty, double *sums,
                        uint32_t *counts) {
    switch (kernel) {
#if defined(__x86_64__)
    case CFOREST_AVX2: accumulate_avx2(d, columns, skips_empty, sums, counts); return;
    case CFOREST_AVX512: accumulate_avx512(d, columns, skips_empty, sums, counts); return;
#elif defined(__aarch64__)
    case CFOREST_NEON: accumulate_neon(d, columns, skips_empty, sums, counts); return;
#endif
    default: accumulate_scalar(d, columns, skips_empty, sums, counts); return;
    }
}

void cforest_add_bags(int kernel, const cforest_descent *d, uint32_t number, uint32_t bag_size, uint32_t columns,
                      const double *coefficients, cforest_bags *state) {
    switch (kernel) {
#if defined(__x86_64__)
    case CFOREST_AVX2: add_bags_avx2(d, number, bag_size, columns, coefficients, state); return;
    case CFOREST_AVX512: add_bags_avx512(d, number, bag_size, columns, coefficients, state); return;
#elif defined(__aarch64__)
    case CFOREST_NEON: add_bags_neon(d, number, bag_size, columns, coefficients, state); return;
#endif
    default: add_bags_scalar(d, number, bag_size, columns, coefficients, state); return;
    }
}

void cforest_project(const cforest_descent *d, uint32_t row, uint32_t columns, const double *coefficients,
                     double *values) {
    for (uint32_t t = 0; t < d->tree_count; t++) {
        const double *leaf = (const double *)tile_at(d->base, d->exits[t << d->row_shift | row]);
        double value = coefficients[0];
        for (uint32_t c = 0; c < columns; c++) value += coefficients[c + 1] * leaf[c];
        values[t] = value;
    }
}
