#define GROW grow_scalar
#include "grow.inc"
