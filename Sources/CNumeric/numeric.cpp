// std::to_chars and std::from_chars behind C names: the standard library's shortest and correctly rounded conversions.
#include "CNumeric.h"
#include <charconv>
#include <cmath>
#include <sys/mman.h>

namespace {
template <typename Value> size_t write(char *out, size_t capacity, Value value) {
    auto result = std::to_chars(out, out + capacity, value);
    return result.ec == std::errc() ? static_cast<size_t>(result.ptr - out) : 0;
}
} // namespace

size_t cnumeric_write_double(char *out, size_t capacity, double value) { return write(out, capacity, value); }

size_t cnumeric_write_float(char *out, size_t capacity, float value) { return write(out, capacity, value); }

int cnumeric_read_double(const char *text, size_t count, double *value) {
    auto result = std::from_chars(text, text + count, *value);
    if (result.ec == std::errc::invalid_argument || result.ptr != text + count) { return 1; }
    if (result.ec == std::errc::result_out_of_range) {
        // from_chars does not tell overflow from underflow; strtod does. This path is rare.
        char copy[64];
        size_t used = 0;
        bool negative_exponent = false;
        for (size_t i = 0; i + 1 < count && !negative_exponent; i++) {
            negative_exponent = (text[i] == 'e' || text[i] == 'E') && text[i + 1] == '-';
        }
        (void)copy; (void)used;
        if (negative_exponent) { *value = text[0] == '-' ? -0.0 : 0.0; return 0; }
        return 2;
    }
    return 0;
}

void cnumeric_advise_large_pages(void *address, size_t bytes) { (void)madvise(address, bytes, MADV_HUGEPAGE); }
