#if defined(__aarch64__)
#include <arm_neon.h>
#include "tile.h"

typedef struct { uint8x16x4_t bytes; } row_neon;

static inline __attribute__((always_inline)) row_neon load_neon(const float *p, const int shape) {
    row_neon row;
    for (int i = 0; i < 4; i++) row.bytes.val[i] = shape == FEW ? vld1q_u8((const uint8_t *)(p + 4 * i)) : vdupq_n_u8(0);
    return row;
}

// Four features of a row in registers: each index becomes the addresses of its four bytes, which a table look-up takes.
static inline __attribute__((always_inline)) float32x4_t pick_neon(row_neon row, uint32x4_t feature) {
    const uint32x4_t bytes = vaddq_u32(vmulq_n_u32(feature, 0x04040404), vdupq_n_u32(0x03020100));
    return vreinterpretq_f32_u8(vqtbl4q_u8(row.bytes, vreinterpretq_u8_u32(bytes)));
}

static inline __attribute__((always_inline)) uint32_t bits_neon(uint32x4_t low, uint32x4_t high) {
    static const uint32_t weights[8] = {1, 2, 4, 8, 16, 32, 64, 128};
    return vaddvq_u32(vorrq_u32(vandq_u32(low, vld1q_u32(weights)), vandq_u32(high, vld1q_u32(weights + 4))));
}

static inline __attribute__((always_inline)) int32_t step_neon(const uint8_t *tile, const float *p, row_neon row,
                                                               const int shape, const int routes, const uint32_t unit) {
    if (shape == WIDE) return step_scalar(tile, p, shape, routes, unit);
    float32x4_t low, high;
    if (shape == FEW) {
        const uint16x8_t feature = vmovl_u8(vld1_u8(tile + TILE_FEATURES));
        low = pick_neon(row, vmovl_u16(vget_low_u16(feature)));
        high = pick_neon(row, vmovl_u16(vget_high_u16(feature)));
    } else {
        const uint8_t *f = tile + TILE_FEATURES;
        low = (float32x4_t){p[f[0]], p[f[1]], p[f[2]], p[f[3]]};
        high = (float32x4_t){p[f[4]], p[f[5]], p[f[6]], p[f[7]]};
    }
    const float *threshold = (const float *)tile;
    uint32_t right = bits_neon(vcgtq_f32(low, vld1q_f32(threshold)), vcgtq_f32(high, vld1q_f32(threshold + 4)));
    if (routes) right |= bits_neon(vmvnq_u32(vceqq_f32(low, low)), vmvnq_u32(vceqq_f32(high, high))) & tile[TILE_MISSING];
    return tile_exit(tile, exit_place[right & 0xFF], unit);
}

#define KERNEL(name) name##_neon
#define TARGET
#define ROW row_neon
#define ROW_LOAD(p, shape) load_neon(p, shape)
#define STEP(tile, p, row, shape, routes, unit) step_neon(tile, p, row, shape, routes, unit)
#include "kernel.inc"

void descend_neon(const cforest_descent *d) {
    if (d->wide) WALK(WIDE);
    else if (d->feature_count <= 16) WALK(FEW);
    else WALK(MANY);
}
#endif
