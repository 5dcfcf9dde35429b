#pragma once
#include <stdint.h>

// The inner loops of the forest engine: descent through tiles, sums over leaves. docs/forest-engine.md has the layout.
//
// Nothing here checks its input: Scoring validates every tile when it opens a model, and sizes every buffer.

/// The instruction sets that a kernel is compiled for; the numbers are those of Scoring.Kernel.
enum { CFOREST_SCALAR = 0, CFOREST_AVX2 = 1, CFOREST_AVX512 = 2, CFOREST_NEON = 3 };

/// Rows × trees slots that go down together. The slot of a row and a tree is `tree << row_shift | row`, both counted
/// from the first of this descent.
typedef struct {
    /// Tile 0. Tiles lie above, leaf payloads below.
    const uint8_t *base;
    /// log2 of the unit of exits, in bytes: 4, 5 or 6.
    uint32_t unit_shift;
    uint32_t row_shift;
    /// Row-major; `row_stride` floats a row, a multiple of 16.
    const float *rows;
    uint64_t row_stride;
    uint32_t row_count;
    uint32_t first_tree;
    uint32_t tree_count;
    /// Tiles that every one of these trees passes at the least; 1 or more.
    uint32_t least_tiles;
    uint32_t feature_count;
    /// Whether a missing value goes where the split says; otherwise it goes left.
    uint32_t routes_missing;
    /// Tiles with 12-bit features instead of 8-bit ones.
    uint32_t wide;
    /// `tree_count << row_shift` places: where each slot is, in bytes from the base. All are leaves (negative) at the end.
    int32_t *exits;
    /// As many elements of scratch.
    uint16_t *active;
} cforest_descent;

/// Whether this build and this processor can run a kernel.
int cforest_supports(int kernel);

/// Walks every slot down to its leaf.
void cforest_descend(int kernel, const cforest_descent *d);

/// Adds the leaf payloads of each row's trees, in tree order, to `sums` (row_count × columns). With `skips_empty` a
/// leaf whose first column is NaN is skipped; otherwise counts[row] grows by one a tree.
void cforest_accumulate(int kernel, const cforest_descent *d, uint32_t columns, int skips_empty, double *sums,
                        uint32_t *counts);

/// Where one row stands in its bag of little bootstraps. All zero at first.
typedef struct {
    /// Of the bag at hand: the sum of the trees' values and of their squares.
    double bag, squares;
    /// Of the bags that are complete: sums of the bag means, of their squares, and of the means of the trees' squares.
    double mean, second, total;
    /// Complete bags; one with an empty leaf (NaN) does not count.
    uint64_t bags;
} cforest_bags;

/// For each row and tree of a descent, value = constant + Σ coefficients[c] · leaf[c], summed in the order of c, goes
/// into the row's little bags. `coefficients`: row_count × (columns + 1), the constant first. Trees are numbered from
/// `number` in the forest; a bag is `bag_size` trees and may go on in the next call.
void cforest_add_bags(int kernel, const cforest_descent *d, uint32_t number, uint32_t bag_size, uint32_t columns,
                      const double *coefficients, cforest_bags *state);

/// The same values of one row, one a tree: for covariances.
void cforest_project(const cforest_descent *d, uint32_t row, uint32_t columns, const double *coefficients,
                     double *values);
