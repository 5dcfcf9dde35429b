#pragma once
#include <stddef.h>
#include <stdint.h>

// The inner loops of the forest trainer: histograms over binned rows, the search for a split, the partition of rows.
// Every kernel gives the same bits: scores are added up as integers, and what is added up in floating point has a fixed
// order of sixteen lanes.

enum { CTRAINING_SCALAR, CTRAINING_AVX2, CTRAINING_AVX512 };

/// Whether this machine can run a kernel.
int ctraining_supports(int kernel);

/// From now on memory of a megabyte and more goes back to the system when it is freed: what one phase had is not kept for the
/// next. (glibc learns to keep blocks of up to 32 MB otherwise.)
void ctraining_return_memory(void);

/// Rows in bins. Bin 0 is a missing value.
typedef struct {
    /// planes × rows × 16 bytes: a plane holds the bins of 16 features, a row's together.
    const uint8_t *bins;
    uint64_t rows;
    uint32_t features;
    /// rows × width floats: q residuals of the treatment, the residual of the outcome, and the weight when has_weights.
    const float *values;
    uint32_t treatments;
    uint32_t has_weights;
    /// For each row the number of its cluster; NULL: every row is its own.
    const uint32_t *clusters;
} ctraining_rows;

typedef struct {
    /// The least rows of a child among those that decide splits, and among those that estimate.
    uint32_t split_leaf, estimate_leaf;
    /// Features that a node looks at.
    uint32_t features_tried;
    uint32_t max_depth;
    /// The least share of a node's rows in each child.
    float balance;
    /// The least mean square of the treatment's residual in a child, relative to the whole sample's; 0: no bound.
    float least_variance;
    /// Shares of the half-sample that decide splits, and that estimate; the rest of it is left out.
    float split_share, estimate_share;
    /// A sign a feature: +1 the effect may only rise with it, −1 fall, 0 either; NULL: no bound.
    const int8_t *monotone;
} ctraining_settings;

/// A tree in bins. A node's row goes left when its bin is at most `bin`, and a missing value when `missing_left`.
typedef struct {
    uint32_t nodes, leaves;
    int32_t *left, *right, *feature, *leaf;
    /// The last bin that goes left: 0 when only missing values do, 255 when only missing values go right.
    uint8_t *bin, *missing_left;
    /// q + q·q doubles a leaf: the means of w·y·T and of w·T·Tᵀ over the rows that estimate.
    double *payload;
    // Room.
    uint32_t node_room, leaf_room;
} ctraining_tree;

typedef struct ctraining_space ctraining_space;

/// Memory for one thread that grows trees on at most `rows` rows at a time. NULL when there is none.
ctraining_space *ctraining_space_create(uint64_t rows, uint32_t features, uint32_t width);
void ctraining_space_destroy(ctraining_space *space);
void ctraining_tree_clear(ctraining_tree *tree);

/// Draws `take` of `count` numbers without replacement, in ascending order.
void ctraining_sample(uint64_t seed, uint64_t count, uint64_t take, uint32_t *chosen);

/// Grows one tree on the rows `chosen`. Returns 0 when out of memory.
int ctraining_grow(int kernel, const ctraining_rows *rows, const ctraining_settings *settings, const uint32_t *chosen,
                   uint64_t count, uint64_t seed, ctraining_space *space, ctraining_tree *tree);

/// A node as rows go down: eight bytes, so that a tree's stay near. Left is the next node; a leaf leads to itself.
typedef struct {
    uint32_t right;
    uint16_t feature;
    uint8_t bin, missing_left;
} ctraining_step;

/// A tree's nodes for `ctraining_add_leaves`: `tree->nodes` of them.
void ctraining_steps(const ctraining_tree *tree, ctraining_step *steps);

/// Sends the rows from …< to through a tree, those left out whose bit in `inside` is set (NULL: none), and adds each one's
/// leaf to its sums: `columns` floats a row.
void ctraining_add_leaves(const ctraining_rows *rows, const ctraining_tree *tree, const ctraining_step *steps,
                          const uint64_t *inside, uint64_t from, uint64_t to, uint32_t columns, float *sums);

/// The leaf of each of the rows from …< to.
void ctraining_leaves(const ctraining_rows *rows, const ctraining_tree *tree, const ctraining_step *steps, uint64_t from,
                      uint64_t to, int32_t *leaves);
