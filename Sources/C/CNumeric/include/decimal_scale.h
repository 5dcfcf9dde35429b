// Exact powers of ten for the fast path of reading a double; a table that Swift can read without a bounds check or a lock.
#pragma once
#include <stdint.h>

/// `mantissa` × 10^`exponent`, correctly rounded when the mantissa is at most 2^53 and the exponent within ±22, since both
/// factors are then exact (Clinger 1990). Outside those bounds the caller reads the text instead; the exponent is
/// clamped here so that no input can read past the table.
static inline double cnumeric_scale(uint64_t mantissa, int64_t exponent) {
    static const double powers[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
                                    1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
    if (exponent < 0) { return (double)mantissa / powers[exponent < -22 ? 22 : -exponent]; }
    return (double)mantissa * powers[exponent > 22 ? 22 : exponent];
}
