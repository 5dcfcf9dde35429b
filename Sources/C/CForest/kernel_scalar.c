#define KERNEL(name) name##_scalar
#define TARGET
#define ROW int
#define ROW_LOAD(p, shape) 0
#define STEP(tile, p, row, shape, routes, unit) step_scalar(tile, p, shape, routes, unit)
#include "kernel.inc"

void descend_scalar(const cforest_descent *d) {
    if (d->wide) WALK(WIDE);
    else WALK(MANY);
}
