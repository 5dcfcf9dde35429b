// std::to_chars and std::from_chars behind C names: the standard library's shortest and correctly rounded conversions.
#include "CNumeric.h"
#include "shortest.h"
#include <charconv>
#include <sys/mman.h>

namespace {
template <typename Value> size_t write(char *out, size_t capacity, Value value) {
    auto result = std::to_chars(out, out + capacity, value);
    return result.ec == std::errc() ? static_cast<size_t>(result.ptr - out) : 0;
}

// The power of ten of the first digit that is not 0, of a number that is known to be well formed.
long first_place(const char *text, size_t count) {
    size_t i = text[0] == '-' ? 1 : 0;
    long place = -1, found = 0;
    bool after_point = false, has_digit = false;
    for (; i < count && text[i] != 'e' && text[i] != 'E'; i++) {
        if (text[i] == '.') { after_point = true; continue; }
        if (has_digit) {
            if (!after_point) { found++; }
        } else {
            if (after_point) { place--; }
            if (text[i] != '0') { has_digit = true; found = after_point ? place + 1 : 0; }
        }
    }
    long exponent = 0;
    if (i < count) {
        i++;
        bool negative = i < count && text[i] == '-';
        if (i < count && (text[i] == '-' || text[i] == '+')) { i++; }
        for (; i < count && exponent < 100000000; i++) { exponent = exponent * 10 + (text[i] - '0'); }
        if (negative) { exponent = -exponent; }
    }
    return found + exponent;
}
} // namespace

size_t cnumeric_write_double(char *out, size_t capacity, double value) {
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    if (capacity >= 32 && shortest::is_common(static_cast<int>(bits >> 52 & 0x7FF))) { return shortest::write(out, bits); }
    return write(out, capacity, value);
}

size_t cnumeric_write_float(char *out, size_t capacity, float value) { return write(out, capacity, value); }

int cnumeric_read_double(const char *text, size_t count, double *value) {
    auto result = std::from_chars(text, text + count, *value);
    if (result.ec == std::errc::invalid_argument || result.ptr != text + count) { return 1; }
    if (result.ec == std::errc::result_out_of_range) {
        // from_chars does not say on which side; the decimal place of the first digit that is not 0 does.
        if (first_place(text, count) > 0) { return 2; }
        *value = text[0] == '-' ? -0.0 : 0.0;
    }
    return 0;
}

size_t cnumeric_count_byte(const void *bytes, size_t count, uint8_t byte) {
    const unsigned char *at = static_cast<const unsigned char *>(bytes);
    size_t found = 0;
    for (size_t i = 0; i < count; i++) { found += at[i] == byte; }
    return found;
}

void cnumeric_advise_large_pages(void *address, size_t bytes) { (void)madvise(address, bytes, MADV_HUGEPAGE); }
