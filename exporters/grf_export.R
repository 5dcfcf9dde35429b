# Export a grf causal_forest for ImpactIQ: `impactiq model import grf FILE.txt.gz`.
#
#     source("grf_export.R")
#     export_forest(forest, "forest.txt.gz", treatment = "ad", outcome = "conversion", fitted_on = "2026-11-21")
#
# or, for a forest that was saved with saveRDS,
#
#     Rscript grf_export.R forest.rds forest.txt.gz [--treatment NAME] [--outcome NAME] [--features a,b,c] [--fitted-on DATE]
#
# The text has header lines that begin with "# ", then "trees ci_group_size features", then for each tree "nodes root"
# and one line a node:
#
#     left right split_var split_value send_missing_left values [Y W Z YZ WZ ZZ G]
#
# Children, root and split_var count from 0; both children 0 marks a leaf; `values` is 7 at a leaf that holds the
# honest averages and 0 at an empty leaf and above the leaves. Numbers have 17 digits, so nothing is rounded.
# A tree is written at a time; a name ending in .gz is compressed. Base R is enough (grf itself need not be loaded).
# Written for the object of grf 2.0 ... 2.6.

export_forest <- function(forest, path, feature_names = NULL, treatment = "W", outcome = "Y", fitted_on = NULL,
                          notes = NULL) {
  trees <- check_forest(forest)
  names <- check_names(forest, feature_names)
  partial <- paste0(path, ".partial")
  out <- if (grepl("\\.gz$", path)) gzfile(partial, "wb") else file(partial, "wb")
  on.exit({
    if (!is.null(out)) close(out)
    if (file.exists(partial)) file.remove(partial)
  })
  writeLines(header(forest, names, treatment, outcome, fitted_on, notes), out, sep = "\n")
  writeLines(sprintf("%d %d %d", trees, as.integer(forest[["_ci_group_size"]]), length(names)), out, sep = "\n")
  for (tree in seq_len(trees)) {
    writeLines(tree_lines(forest, tree), out, sep = "\n")
  }
  close(out)
  out <- NULL
  if (!file.rename(partial, path)) stop("cannot rename ", partial, " to ", path)
  invisible(list(trees = trees, features = names, bytes = file.size(path)))
}

# Refuses what is not a causal forest with the seven leaf averages, saying why; returns the number of trees.
check_forest <- function(forest) {
  if (!inherits(forest, "causal_forest")) {
    stop("grf_export: an object of class ", paste(class(forest), collapse = "/"),
         " cannot be exported: only a grf causal_forest", call. = FALSE)
  }
  needed <- c("_ci_group_size", "_num_trees", "_num_variables", "_root_nodes", "_child_nodes", "_split_vars",
              "_split_values", "_send_missing_left", "_pv_values", "_pv_num_types")
  absent <- setdiff(needed, names(forest))
  if (length(absent) > 0) {
    stop("grf_export: this forest has no ", paste(absent, collapse = ", "),
         ": it was fitted by a grf older than 2.0, or saved without its trees; fit it anew", call. = FALSE)
  }
  if (forest[["_pv_num_types"]] != 7) {
    stop("grf_export: the leaves of this forest hold ", forest[["_pv_num_types"]],
         " averages, not the 7 of a causal_forest of grf 2.x; fit it anew", call. = FALSE)
  }
  trees <- as.integer(forest[["_num_trees"]])
  for (field in c("_root_nodes", "_child_nodes", "_split_vars", "_split_values", "_send_missing_left", "_pv_values")) {
    if (length(forest[[field]]) != trees) {
      stop("grf_export: ", field, " holds ", length(forest[[field]]), " trees, not ", trees, call. = FALSE)
    }
  }
  trees
}

# The names of the features: given, or the columns of X, or X1 ... Xn as grf's own print has them.
check_names <- function(forest, given) {
  original <- forest[["X.orig"]]
  count <- if (is.null(original)) NA else ncol(original)
  names <- if (!is.null(given)) as.character(given) else colnames(original)
  if (is.null(names)) {
    if (is.na(count)) stop("grf_export: the forest was saved without X.orig; give feature_names", call. = FALSE)
    names <- paste0("X", seq_len(count))
  }
  if (!is.na(count) && length(names) != count) {
    stop("grf_export: ", length(names), " feature names for a forest of ", count, " features", call. = FALSE)
  }
  if (anyDuplicated(names)) {
    stop("grf_export: the feature name ", names[anyDuplicated(names)], " stands twice", call. = FALSE)
  }
  names
}

header <- function(forest, names, treatment, outcome, fitted_on, notes) {
  line <- function(key, values) if (length(values) > 0) paste0("# ", key, " ", values)
  plain <- Filter(function(v) is.atomic(v) && length(v) == 1 && !is.na(v), forest[["tunable.params"]])
  rows <- if (is.null(forest[["X.orig"]])) NULL else nrow(forest[["X.orig"]])
  # grf does not keep its version in the object: the installed one is named only when there is one.
  version <- tryCatch(as.character(utils::packageVersion("grf")), error = function(e) NULL)
  lines <- c(
    line("impactiq-grf", 1),
    line("grf", version),
    line("r", as.character(getRversion())),
    line("training_rows", rows),
    line("fitted_on", fitted_on),
    line("treatment", treatment),
    line("outcome", outcome),
    line("missing_values", if (isTRUE(forest[["has.missing.values"]])) "seen" else "not_seen"),
    if (length(plain) > 0) paste0("# parameter ", names(plain), " ", vapply(plain, format, "", digits = 15)),
    line("note", notes),
    line("feature", names)
  )
  broken <- grepl("[\r\n]", lines)
  if (any(broken)) stop("grf_export: a line break in ", deparse(lines[broken][1]), call. = FALSE)
  enc2utf8(lines)
}

tree_lines <- function(forest, tree) {
  left <- forest[["_child_nodes"]][[tree]][[1]]
  right <- forest[["_child_nodes"]][[tree]][[2]]
  values <- forest[["_pv_values"]][[tree]]
  nodes <- length(left)
  # grf keeps no values for trees without any leaf that holds samples.
  if (length(values) == 0) values <- vector("list", nodes)
  for (part in list(right, forest[["_split_vars"]][[tree]], forest[["_split_values"]][[tree]],
                    forest[["_send_missing_left"]][[tree]], values)) {
    if (length(part) != nodes) {
      stop("grf_export: tree ", tree - 1, " has ", nodes, " nodes, but an array of ", length(part), call. = FALSE)
    }
  }
  counts <- lengths(values)
  wrong <- which(counts != 0 & counts != 7)
  if (length(wrong) > 0) {
    stop("grf_export: node ", wrong[1] - 1, " of tree ", tree - 1, " holds ", counts[wrong[1]], " values, not 7",
         call. = FALSE)
  }
  text <- character(nodes)
  full <- counts == 7
  if (any(full)) {
    table <- matrix(sprintf("%.17g", unlist(values[full])), nrow = 7)
    text[full] <- paste0(" ", do.call(paste, lapply(1:7, function(i) table[i, ])))
  }
  split <- sprintf("%.17g", forest[["_split_values"]][[tree]])
  split[is.nan(forest[["_split_values"]][[tree]])] <- "nan"
  c(sprintf("%d %d", nodes, as.integer(forest[["_root_nodes"]][[tree]])),
    sprintf("%d %d %d %s %d %d%s", as.integer(left), as.integer(right), as.integer(forest[["_split_vars"]][[tree]]),
            split, as.integer(forest[["_send_missing_left"]][[tree]]), counts, text))
}

# The command line.
main <- function(arguments) {
  usage <- paste("usage: Rscript grf_export.R FOREST.rds OUT.txt.gz [--treatment NAME] [--outcome NAME]",
                 "[--features a,b,c] [--fitted-on DATE]\n")
  options <- list()
  files <- character()
  while (length(arguments) > 0) {
    if (startsWith(arguments[1], "--")) {
      key <- substring(arguments[1], 3)
      if (!key %in% c("treatment", "outcome", "features", "fitted-on") || length(arguments) < 2) {
        cat(usage, file = stderr())
        quit(status = 64)
      }
      options[[key]] <- arguments[2]
      arguments <- arguments[-(1:2)]
    } else {
      files <- c(files, arguments[1])
      arguments <- arguments[-1]
    }
  }
  if (length(files) != 2) {
    cat(usage, file = stderr())
    quit(status = 64)
  }
  or <- function(a, b) if (is.null(a)) b else a
  time <- format(file.mtime(files[1]), "%Y-%m-%dT%H:%M:%SZ", tz = "UTC")
  result <- tryCatch(
    export_forest(
      readRDS(files[1]), files[2],
      feature_names = if (is.null(options[["features"]])) NULL else strsplit(options[["features"]], ",")[[1]],
      treatment = or(options[["treatment"]], "W"), outcome = or(options[["outcome"]], "Y"),
      fitted_on = or(options[["fitted-on"]], time)),
    error = function(e) {
      cat(conditionMessage(e), "\n", sep = "", file = stderr())
      quit(status = 65)
    })
  cat(sprintf("%s: %d trees, %d features, %.0f bytes\n", files[2], result$trees, length(result$features), result$bytes))
}

if (sys.nframe() == 0 && !interactive()) main(commandArgs(trailingOnly = TRUE))
