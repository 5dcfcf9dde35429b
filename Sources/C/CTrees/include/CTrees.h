#pragma once
#include <stdint.h>

// The inner loops of tree learning on a binned matrix: Sources/Learning/Trees calls them and sizes every buffer.
//
// The matrix: planes of 16 features, 16 bytes per row; bin 0 is a missing value, bins 1 … n are in the order of the values.
// A gradient and a Hessian are one 64-bit integer, the gradient (signed) above the Hessian (32 bits each): sums of
// integers do not depend on their order, so neither do trees on the number of threads.

enum { CTREES_LANES = 16, CTREES_BINS = 256, CTREES_GROUP = 8 };

/// Bins one column. `cuts`: bin b holds the values above cuts[b - 2] and up to cuts[b - 1]; `cut_count` ≤ 254 of them,
/// so that the last bin is cut_count + 1. A NaN goes to bin 0. `bins` is the first byte of the column in its plane.
/// `low` and `high` (256 each) take note of the least and the greatest value of each bin, `sums` and `counts` of their sum
/// and how many there are.
void ctrees_bin_column(const float *values, uint64_t count, const float *cuts, uint32_t cut_count, uint8_t *bins,
                       float *low, float *high, double *sums, uint64_t *counts);

/// Sorts floats without NaN in ascending order; −0 stands as 0. `scratch` has as much room.
void ctrees_sort(float *values, float *scratch, uint64_t count);

/// Adds `packed` of each row to the bins of `lanes` (1 … 8) features of a plane that stand together, the first of them
/// at `bins`. `histogram` has 256 bins a feature. `rows` nil: the rows 0 ..< count. The plane is readable 8 bytes beyond.
void ctrees_histogram(const uint8_t *bins, uint32_t lanes, const uint32_t *rows, uint64_t count, const int64_t *packed,
                      int64_t *histogram);

/// A split of one feature.
typedef struct {
    /// GL² / (HL + l2) + GR² / (HR + l2), in the histogram's units; −∞ when no split is allowed.
    double score;
    /// The last bin that goes left; bin_count when only missing values go right.
    uint32_t bin;
    uint32_t missing_left;
    /// Gradient and Hessian of the left side.
    int64_t left;
} ctrees_split;

/// The best split of one feature. `bin_count`: bins besides that of missing values; `total`: sums of the node.
/// `least_hessian`: of either side.
ctrees_split ctrees_best_split(const int64_t *histogram, uint32_t bin_count, int64_t total, double l2,
                               double least_hessian);

/// Moves the rows whose bin's entry in `goes_left` (0 or 1) is 1 to `left` and the others to `right`, both in their order.
/// Returns how many went left. `rows` may be `left`. Both have room for count + 1.
uint64_t ctrees_partition(const uint8_t *bins, const uint8_t *goes_left, const uint32_t *rows, uint64_t count,
                          uint32_t *left, uint32_t *right);

/// Gradients and Hessians of the logistic loss (target 0 … 1) or of the squared loss, times the weight (nil: 1).
void ctrees_gradients(int logistic, const float *scores, const float *targets, const float *weights, uint64_t count,
                      float *gradients, float *hessians);

/// Σ|gradient| and Σ Hessian over rows (nil: all), in a fixed order.
void ctrees_totals(const float *gradients, const float *hessians, const uint32_t *rows, uint64_t count,
                   double *gradient_size, double *hessian);

/// Packs rows `first ..< end`; the fraction is rounded up with a probability of its size, drawn from seed and row.
void ctrees_pack(const float *gradients, const float *hessians, uint64_t first, uint64_t end, float gradient_scale,
                 float hessian_scale, uint32_t seed, int64_t *packed);

/// Σ gradient and Σ Hessian over rows, in a fixed order.
void ctrees_leaf_sums(const float *gradients, const float *hessians, const uint32_t *rows, uint64_t count,
                      double *gradient, double *hessian);

/// scores[row] += value.
void ctrees_add(float *scores, const uint32_t *rows, uint64_t count, float value);

/// A tree over bins. Node 0 is the root; a node whose `left` is negative is a leaf.
typedef struct {
    int32_t left, right;
    /// Place of the feature's byte of row 0 in the planes.
    uint64_t place;
    uint8_t bin, missing_left;
    float value;
} ctrees_node;

/// out[i] += the value of the leaf of row rows[i] (nil: i).
void ctrees_predict(const uint8_t *planes, const ctrees_node *nodes, const uint32_t *rows, uint64_t count, float *out);

/// Σ over rows of the loss × weight, in a fixed order: log loss of scores against 0 … 1, or half the squared error.
double ctrees_loss(int logistic, const float *scores, const float *targets, const float *weights, const uint32_t *rows,
                   uint64_t count);
