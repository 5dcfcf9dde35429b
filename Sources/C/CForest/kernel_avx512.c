#if defined(__x86_64__)
#include <immintrin.h>
#include "tile.h"

#define AVX512 __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx2,bmi,bmi2")))
typedef struct { __m512 low, high; } row_avx512;

static inline AVX512 __attribute__((always_inline)) row_avx512 load_avx512(const float *p, const int shape) {
    const __m512 zero = _mm512_setzero_ps();
    return (row_avx512){shape <= MORE ? _mm512_loadu_ps(p) : zero, shape == MORE ? _mm512_loadu_ps(p + 16) : zero};
}

static inline AVX512 __attribute__((always_inline)) int32_t step_avx512(const uint8_t *tile, const float *p,
                                                                        row_avx512 row, const int shape,
                                                                        const int routes, const uint32_t unit) {
    if (shape == WIDE) return step_scalar(tile, p, shape, routes, unit);
    const __m256i feature = _mm256_cvtepu8_epi32(_mm_loadl_epi64((const __m128i *)(tile + TILE_FEATURES)));
    const __m512i wide = _mm512_castsi256_si512(feature);
    __m256 x;
    if (shape == FEW) x = _mm512_castps512_ps256(_mm512_permutexvar_ps(wide, row.low));
    else if (shape == MORE) x = _mm512_castps512_ps256(_mm512_permutex2var_ps(row.low, wide, row.high));
    else x = _mm256_i32gather_ps(p, feature, 4);
    uint32_t right = _mm256_cmp_ps_mask(x, _mm256_loadu_ps((const float *)tile), _CMP_GT_OQ);
    if (routes) right |= _mm256_cmp_ps_mask(x, x, _CMP_UNORD_Q) & tile[TILE_MISSING];
    return tile_exit(tile, exit_place[right], unit);
}

#define KERNEL(name) name##_avx512
#define TARGET AVX512
#define ROW row_avx512
#define ROW_LOAD(p, shape) load_avx512(p, shape)
#define STEP(tile, p, row, shape, routes, unit) step_avx512(tile, p, row, shape, routes, unit)
#include "kernel.inc"

AVX512 void descend_avx512(const cforest_descent *d) {
    if (d->wide) WALK(WIDE);
    else if (d->feature_count <= 16) WALK(FEW);
    else if (d->feature_count <= 32) WALK(MORE);
    else WALK(MANY);
}
#endif
