#pragma once
#include <stddef.h>
#include <stdint.h>

#include "decimal_scale.h"
#include "half_power.h"
#include "text_scan.h"

#ifdef __cplusplus
extern "C" {
#endif

/// Writes the shortest decimal text that reads back as `value` (C++17 `std::to_chars`) to `out`, which must hold
/// `capacity` bytes; 32 are always enough. Returns the count of bytes written, 0 when it does not fit.
/// Not for NaN or infinity: JSON has no text for them.
size_t cnumeric_write_double(char *out, size_t capacity, double value);

/// The same for a float32.
size_t cnumeric_write_float(char *out, size_t capacity, float value);

/// Reads a decimal number that spans exactly `count` bytes (C++17 `std::from_chars`, correctly rounded).
/// Returns 0 when it was read, 1 when the text is not a number or has bytes left over, 2 when it is outside the range
/// of a double (overflow).
int cnumeric_read_double(const char *text, size_t count, double *value);

/// Asks the processor to bring the cache line of `address` nearer. Never faults, whatever the address.
static inline void cnumeric_prefetch(const void *address) { __builtin_prefetch(address, 1, 3); }

/// Asks the kernel to back `bytes` from `address` with large pages (Linux's MADV_HUGEPAGE), for tables and records that
/// are read at random. Advice only: nothing depends on it.
void cnumeric_advise_large_pages(void *address, size_t bytes);

/// How many of `count` bytes are `byte`.
size_t cnumeric_count_byte(const void *bytes, size_t count, uint8_t byte);

#ifdef __cplusplus
}
#endif
