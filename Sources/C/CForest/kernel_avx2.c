#if defined(__x86_64__)
#include <immintrin.h>
#include "tile.h"

#define AVX2 __attribute__((target("avx2,bmi,bmi2")))
typedef struct { __m256 low, high; } row_avx2;

static inline AVX2 __attribute__((always_inline)) row_avx2 load_avx2(const float *p, const int shape) {
    if (shape != FEW) return (row_avx2){_mm256_setzero_ps(), _mm256_setzero_ps()};
    return (row_avx2){_mm256_loadu_ps(p), _mm256_loadu_ps(p + 8)};
}

static inline AVX2 __attribute__((always_inline)) int32_t step_avx2(const uint8_t *tile, const float *p, row_avx2 row,
                                                                    const int shape, const int routes, const uint32_t unit) {
    if (shape == WIDE) return step_scalar(tile, p, shape, routes, unit);
    const __m256i feature = _mm256_cvtepu8_epi32(_mm_loadl_epi64((const __m128i *)(tile + TILE_FEATURES)));
    __m256 x;
    if (shape == FEW) {
        const __m256 high = _mm256_castsi256_ps(_mm256_slli_epi32(feature, 28));  // bit 3 of the index as the sign
        x = _mm256_blendv_ps(_mm256_permutevar8x32_ps(row.low, feature), _mm256_permutevar8x32_ps(row.high, feature),
                             high);
    } else {
        x = _mm256_i32gather_ps(p, feature, 4);
    }
    const __m256 threshold = _mm256_loadu_ps((const float *)tile);
    uint32_t right = (uint32_t)_mm256_movemask_ps(_mm256_cmp_ps(x, threshold, _CMP_GT_OQ));
    if (routes) right |= (uint32_t)_mm256_movemask_ps(_mm256_cmp_ps(x, x, _CMP_UNORD_Q)) & tile[TILE_MISSING];
    return tile_exit(tile, exit_place[right], unit);
}

#define KERNEL(name) name##_avx2
#define TARGET AVX2
#define ROW row_avx2
#define ROW_LOAD(p, shape) load_avx2(p, shape)
#define STEP(tile, p, row, shape, routes, unit) step_avx2(tile, p, row, shape, routes, unit)
#include "kernel.inc"

AVX2 void descend_avx2(const cforest_descent *d) {
    if (d->wide) WALK(WIDE);
    else if (d->feature_count <= 16) WALK(FEW);
    else WALK(MANY);
}
#endif
