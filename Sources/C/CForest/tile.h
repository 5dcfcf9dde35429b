#pragma once
#include <stdint.h>
#include <string.h>
#include "kernels.h"

// A tile: 64 bytes, a perfect subtree of three levels in heap order (slot 0 the root, children of s at 2s+1 and 2s+2).
//
//   0  float32 threshold[7]   x > threshold goes right; NaN where there is no split, which goes left
//  28  int24   exit[8]        in units from the base: tile when >= 0, leaf payload when < 0
//  52  uint8   feature[7]     then a zero byte; or, in a wide tile, 7 features of 12 bits over 11 bytes
//  60  uint8   missing_right  bit s: a missing value at slot s goes right (byte 63 in a wide tile)
enum { TILE_BYTES = 64, TILE_EXITS = 28, TILE_FEATURES = 52, TILE_MISSING = 60, TILE_WIDE_MISSING = 63 };

// The exit to which a comparison mask (bit s: slot s goes right) leads, in bytes from the base. `exit_place` gives where
// it stands, less one byte: a 32-bit load there holds the signed 24-bit exit above 8 bits of something else, and what
// is left of a shift by 8 is the shift by the unit. `unit` is 8 − log2 of the unit's bytes. Bit 7 of a mask is whatever
// the unused lane compares to.
static inline __attribute__((always_inline)) int32_t tile_exit(const uint8_t *tile, uint32_t place, uint32_t unit) {
    int32_t word;
    memcpy(&word, tile + place, 4);
    return (word & ~0xFF) >> unit;
}

#define E_(s, m) (2 * (s) + 1 + (((m) >> (s)) & 1))
#define PLACE(m) (TILE_EXITS - 1 + 3 * (E_(E_(E_(0, m), m), m) - 7))
#define P4(m) PLACE(m), PLACE(m + 1), PLACE(m + 2), PLACE(m + 3)
#define P16(m) P4(m), P4(m + 4), P4(m + 8), P4(m + 12)
#define P64(m) P16(m), P16(m + 16), P16(m + 32), P16(m + 48)
static const uint8_t exit_place[256] __attribute__((aligned(64))) = {P64(0), P64(64), P64(128), P64(192)};

static inline __attribute__((always_inline)) uint32_t wide_feature(const uint8_t *tile, uint32_t slot) {
    uint16_t word;
    memcpy(&word, tile + TILE_FEATURES + slot * 3 / 2, 2);
    return slot & 1 ? word >> 4 : word & 0xFFF;
}

// The tile or leaf at an offset.
static inline __attribute__((always_inline)) const uint8_t *tile_at(const uint8_t *base, int32_t exit) {
    return base + exit;
}

// One step without vector instructions: the reference of all others, and their way through wide tiles.
static inline __attribute__((always_inline)) int32_t step_scalar(const uint8_t *tile, const float *row, const int shape,
                                                                 const int routes, uint32_t unit) {
    const float *threshold = (const float *)tile;
    const uint32_t missing_right = tile[shape == WIDE ? TILE_WIDE_MISSING : TILE_MISSING];
    uint32_t slot = 0;
    for (int level = 0; level < 3; level++) {
        const float x = row[shape == WIDE ? wide_feature(tile, slot) : tile[TILE_FEATURES + slot]];
        uint32_t right = x > threshold[slot];
        if (routes) right |= (x != x) & (missing_right >> slot);
        slot = 2 * slot + 1 + right;
    }
    return tile_exit(tile, TILE_EXITS - 1 + 3 * (slot - 7), unit);
}
