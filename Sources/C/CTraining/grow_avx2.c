#if defined(__x86_64__)
#pragma clang attribute push(__attribute__((target("avx2,bmi,bmi2"))), apply_to = function)
#define GROW grow_avx2
#include "grow.inc"
#pragma clang attribute pop
#endif
