// Sixteenth powers of one half; a table that Swift can read without a bounds check or a lock.
#pragma once
#include <stdint.h>

/// 2^(−k/16), correctly rounded, for k from 0 to 15. Other k are taken modulo 16, so that nothing reads past the table.
static inline double cnumeric_half_power(int64_t k) {
    static const double powers[16] = {
        0x1.0000000000000p+0, 0x1.ea4afa2a490dap-1, 0x1.d5818dcfba487p-1, 0x1.c199bdd85529cp-1,
        0x1.ae89f995ad3adp-1, 0x1.9c49182a3f090p-1, 0x1.8ace5422aa0dbp-1, 0x1.7a11473eb0187p-1,
        0x1.6a09e667f3bcdp-1, 0x1.5ab07dd485429p-1, 0x1.4bfdad5362a27p-1, 0x1.3dea64c123422p-1,
        0x1.306fe0a31b715p-1, 0x1.2387a6e756238p-1, 0x1.172b83c7d517bp-1, 0x1.0b5586cf9890fp-1};
    return powers[k & 15];
}
