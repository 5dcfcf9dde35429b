// Sixteen bytes of a JSON text at a time: which of them end the plain run? Inlined into Swift by the importer, since
// Swift's SIMD types have no "move mask".
#pragma once
#include <stdint.h>
#include <string.h>
#if defined(__SSE2__)
#include <emmintrin.h>
#endif

/// The same as `cnumeric_text_stops` in plain 64-bit arithmetic, for machines without SSE2.
static inline uint32_t cnumeric_text_stops_portable(const void *bytes) {
    const uint64_t ones = 0x0101010101010101u, tops = 0x8080808080808080u;
    uint32_t mask = 0;
    for (int half = 0; half < 2; half++) {
        const unsigned char *part = (const unsigned char *)bytes + 8 * half;
        uint64_t word = 0;
        for (int i = 7; i >= 0; i--) { word = word << 8 | part[i]; }
        // Exact per-byte tests on the low seven bits, so that no carry leaves its byte; bytes above 0x7f are stops anyway.
        uint64_t low = word & ~tops;
        uint64_t at_least_space = low + ones * (0x80 - 0x20);
        uint64_t not_quote = (low ^ ones * 0x22) + ones * 0x7f;
        uint64_t not_backslash = (low ^ ones * 0x5c) + ones * 0x7f;
        uint64_t stops = (word | ~(at_least_space & not_quote & not_backslash)) & tops;
        mask |= (uint32_t)(((stops >> 7) * 0x0102040810204080u) >> 56) << (8 * half);
    }
    return mask;
}

/// Bit i is set when byte i of the 16 at `bytes` is a quote, a backslash, a control character (below 0x20) or not ASCII.
/// Reads exactly 16 bytes.
static inline uint32_t cnumeric_text_stops(const void *bytes) {
#if defined(__SSE2__)
    __m128i block = _mm_loadu_si128((const __m128i *)bytes);
    // Signed: bytes from 0x80 on are negative, so one comparison finds them and the control characters.
    __m128i outside = _mm_cmplt_epi8(block, _mm_set1_epi8(0x20));
    __m128i quote = _mm_cmpeq_epi8(block, _mm_set1_epi8(0x22));
    __m128i backslash = _mm_cmpeq_epi8(block, _mm_set1_epi8(0x5c));
    return (uint32_t)_mm_movemask_epi8(_mm_or_si128(outside, _mm_or_si128(quote, backslash)));
#else
    return cnumeric_text_stops_portable(bytes);
#endif
}
