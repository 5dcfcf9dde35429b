// A copy that leaves the caches to those who need them.
#pragma once
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#if defined(__SSE2__)
#include <emmintrin.h>
#endif

/// Copies `bytes`, a multiple of 8, from `from` to `to`, which is aligned to 8 bytes and overlaps nothing. For memory that is
/// not read again soon: it is written without being fetched first. The thread that writes sees it at once; another one must
/// be handed it by something stronger than a plain store.
static inline void cnumeric_copy_past_caches(void *to, const void *from, size_t bytes) {
#if defined(__SSE2__) && defined(__x86_64__)
    const char *source = (const char *)from;
    long long *target = (long long *)to;
    for (size_t i = 0; i < bytes / 8; i++) {
        long long word;
        memcpy(&word, source + 8 * i, 8);
        _mm_stream_si64(target + i, word);
    }
#else
    memcpy(to, from, bytes);
#endif
}
