// The shortest decimal of a double: Schubfach (R. Giulietti, "The Schubfach way to render doubles", 2020), for the
// magnitudes of effects, rates and amounts, where the powers of ten it needs are exact in 128 bits. The text is
// std::to_chars's, byte for byte, at half its time; other magnitudes go to std::to_chars.
#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>

namespace shortest {
using Wide = unsigned __int128;

/// floor(log2(10^e)) for 0 <= e <= 38.
constexpr int floor_log2_pow10(int e) { return (e * 1741647) >> 19; }

/// 10^e scaled by a power of two so that its highest bit is bit 127.
constexpr std::array<Wide, 39> make_powers() {
    std::array<Wide, 39> powers{};
    Wide power = 1;
    for (int e = 0; e < 39; e++) {
        powers[e] = power << (127 - floor_log2_pow10(e));
        if (e < 38) { power *= 10; }
    }
    return powers;
}
inline constexpr std::array<Wide, 39> powers = make_powers();

/// digits × 10^exponent, without trailing zeros.
struct Decimal {
    uint64_t digits;
    int exponent;
};

/// The product's upper 64 bits (of 192), the lowest set when anything below them is not zero ("round to odd").
inline uint64_t round_to_odd(Wide g, uint64_t scaled) {
    uint64_t low = static_cast<uint64_t>((static_cast<Wide>(static_cast<uint64_t>(g)) * scaled) >> 64);
    Wide sum = static_cast<Wide>(static_cast<uint64_t>(g >> 64)) * scaled + low;
    return static_cast<uint64_t>(sum >> 64) | (static_cast<uint64_t>(sum) > 1 ? 1 : 0);
}

/// The shortest decimal in the rounding interval of c × 2^q, the nearest to it when there are several (section 9 of the
/// paper). -k, the power of ten that scales it, is 1 to 38 for the magnitudes of `is_common`.
inline Decimal decimal(uint64_t c, int q, bool lower_is_closer) {
    const bool is_even = (c & 1) == 0;
    const int k = (q * 1262611 - (lower_is_closer ? 524031 : 0)) >> 22;
    const int h = q + floor_log2_pow10(-k) + 1;
    const Wide g = powers[-k];
    // In quarters of a unit of the last place, so that the interval's ends are integers.
    const uint64_t lowest = round_to_odd(g, (4 * c - 2 + (lower_is_closer ? 1 : 0)) << h) + (is_even ? 0 : 1);
    const uint64_t middle = round_to_odd(g, (4 * c) << h);
    const uint64_t highest = round_to_odd(g, (4 * c + 2) << h) - (is_even ? 0 : 1);
    const uint64_t s = middle / 4;
    if (s >= 10) {
        const uint64_t tens = s / 10;
        const bool below = lowest <= 40 * tens, above = 40 * tens + 40 <= highest;
        if (below != above) { return {tens + (above ? 1 : 0), k + 1}; }
    }
    const bool below = lowest <= 4 * s, above = 4 * s + 4 <= highest;
    if (below != above) { return {s + (above ? 1 : 0), k}; }
    const uint64_t half = 4 * s + 2;
    return {s + (middle > half || (middle == half && (s & 1) != 0) ? 1 : 0), k};
}

/// The eight digits of a value below 10^8 as text, the first in the lowest byte: halves, quarters and eighths at once.
inline uint64_t eight_digits(uint32_t value) {
    const uint64_t halves = value / 10000 | static_cast<uint64_t>(value % 10000) << 32;
    const uint64_t hundreds = (halves * 10486 >> 20) & 0x0000007F0000007F;
    const uint64_t quarters = hundreds | (halves - 100 * hundreds) << 16;
    const uint64_t tens = (quarters * 103 >> 10) & 0x000F000F000F000F;
    return (tens | (quarters - 10 * tens) << 8) | 0x3030303030303030;
}

inline int count_digits(uint64_t value) {
    // Most have all the digits that a double takes.
    if (value >= 10000000000000000) { return 17; }
    if (value >= 1000000000000000) { return 16; }
    int count = 1;
    for (uint64_t bound = 10; value >= bound; bound *= 10) { count++; }
    return count;
}

/// The first `count` digits of the last eight, as text; eight bytes are written.
inline void store(char *out, uint32_t value, int count) {
    const uint64_t text = eight_digits(value) >> (8 * (8 - count));
    for (int i = 0; i < 8; i++) { out[i] = static_cast<char>(text >> (8 * i)); }
}

/// Writes a value of exactly `count` digits, 17 at most; eight bytes are touched when there are fewer.
inline void write_digits(char *out, uint64_t value, int count) {
    if (count > 16) {
        store(out, static_cast<uint32_t>(value / 10000000000000000), count - 16);
        out += count - 16;
        value %= 10000000000000000;
        count = 16;
    }
    if (count > 8) {
        store(out, static_cast<uint32_t>(value / 100000000), count - 8);
        out += count - 8;
        value %= 100000000;
        count = 8;
    }
    store(out, static_cast<uint32_t>(value), count);
}

/// Whether the fast path covers the value: normal, 2^-70 <= |value| < 2^50. There -k is 1 to 37.
inline bool is_common(int exponent) { return exponent >= 1023 - 70 && exponent < 1023 + 50; }

/// Writes a value that `is_common`; at most 25 bytes are written, and up to 32 touched.
inline size_t write(char *out, uint64_t bits) {
    char *start = out;
    *out = '-';
    out += bits >> 63;
    const uint64_t fraction = bits & ((1ULL << 52) - 1);
    Decimal d = decimal(fraction | 1ULL << 52, static_cast<int>(bits >> 52 & 0x7FF) - 1075, fraction == 0);
    while (d.digits % 10 == 0) {
        d.digits /= 10;
        d.exponent++;
    }
    const int n = count_digits(d.digits);
    const int scientific = n - 1 + d.exponent;
    // The shorter of the two notations, fixed when they are equal ([charconv.to.chars]). The exponent has two digits.
    const int scientific_length = n + (n > 1 ? 1 : 0) + 4;
    const int fixed_length = d.exponent >= 0 ? n + d.exponent : scientific >= 0 ? n + 1 : n + 1 - scientific;
    if (fixed_length <= scientific_length) {
        if (d.exponent >= 0) {
            write_digits(out, d.digits, n);
            // At most five zeros follow, or the other notation were shorter.
            memset(out + n, '0', 8);
        } else if (scientific >= 0) {
            write_digits(out + 1, d.digits, n);
            for (int i = 0; i <= scientific; i++) { out[i] = out[i + 1]; }
            out[scientific + 1] = '.';
        } else {
            // At most three zeros stand behind the point, or the other notation were shorter.
            memcpy(out, "0.000", 5);
            write_digits(out + 1 - scientific, d.digits, n);
        }
        return static_cast<size_t>(out + fixed_length - start);
    }
    write_digits(out + 1, d.digits, n);
    out[0] = out[1];
    out[1] = '.';
    char *end = out + n + (n > 1 ? 1 : 0);
    const int magnitude = scientific < 0 ? -scientific : scientific;
    end[0] = 'e';
    end[1] = scientific < 0 ? '-' : '+';
    end[2] = static_cast<char>('0' + magnitude / 10);
    end[3] = static_cast<char>('0' + magnitude % 10);
    return static_cast<size_t>(end + 4 - start);
}
} // namespace shortest
