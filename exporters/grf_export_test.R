# Checks grf_export.R without grf: builds objects of the list shape that grf gives a causal_forest from the text of
# forests that grf 2.6.1 fitted, exports them, and compares the text. What this cannot show is that a forest straight
# from an installed grf has that shape; grf is not to be had where this was written.
#
#     Rscript exporters/grf_export_test.R FOLDER_WITH_forest_na.txt.gz_AND_forest_nona.txt.gz

here <- dirname(sub("^--file=", "", grep("^--file=", commandArgs(FALSE), value = TRUE)[1]))
source(file.path(here, "grf_export.R"))

rebuild <- function(lines) {
  head <- scan(text = lines[1], quiet = TRUE)
  at <- 2
  forest <- list(`_ci_group_size` = head[2], `_num_variables` = head[3] + 2, `_num_trees` = head[1],
                 `_root_nodes` = list(), `_child_nodes` = list(), `_split_vars` = list(), `_split_values` = list(),
                 `_send_missing_left` = list(), `_pv_values` = list(), `_pv_num_types` = 7,
                 X.orig = matrix(0, 3, head[3], dimnames = list(NULL, paste0("f", seq_len(head[3])))),
                 tunable.params = list(sample.fraction = 0.5, mtry = 10), has.missing.values = FALSE)
  for (tree in seq_len(head[1])) {
    top <- scan(text = lines[at], quiet = TRUE)
    rows <- strsplit(lines[at + seq_len(top[1])], " ", fixed = TRUE)
    at <- at + top[1] + 1
    column <- function(i) as.numeric(vapply(rows, `[`, "", i))
    forest[["_root_nodes"]][[tree]] <- top[2]
    forest[["_child_nodes"]][[tree]] <- list(column(1), column(2))
    forest[["_split_vars"]][[tree]] <- column(3)
    forest[["_split_values"]][[tree]] <- column(4)
    forest[["_send_missing_left"]][[tree]] <- column(5) == 1
    forest[["_pv_values"]][[tree]] <- lapply(rows, function(r) as.numeric(r[-(1:6)]))
  }
  structure(forest, class = c("causal_forest", "grf"))
}

read <- function(path) {
  file <- gzfile(path)
  on.exit(close(file))
  readLines(file)
}

refused <- function(expression, words) {
  message <- tryCatch({ expression; "" }, error = conditionMessage)
  if (!grepl(words, message, fixed = TRUE)) stop("expected a refusal with '", words, "', got '", message, "'")
}

folder <- commandArgs(trailingOnly = TRUE)[1]
checks <- 0
for (name in c("forest_na.txt.gz", "forest_nona.txt.gz")) {
  text <- read(file.path(folder, name))
  forest <- rebuild(text)
  target <- file.path(tempdir(), name)
  export_forest(forest, target, treatment = "ad", outcome = "visit", fitted_on = "2026-11-21")
  written <- read(target)
  stopifnot(identical(written[!startsWith(written, "# ")], text), file.exists(target))
  stopifnot("# feature f1" %in% written, "# training_rows 3" %in% written, "# parameter mtry 10" %in% written)
  saveRDS(forest, file.path(tempdir(), "forest.rds"))
  status <- system2("Rscript", c(file.path(here, "grf_export.R"), file.path(tempdir(), "forest.rds"),
                                 file.path(tempdir(), "cli.txt")), stdout = FALSE)
  plain <- read(file.path(tempdir(), "cli.txt"))
  stopifnot(status == 0, identical(plain[!startsWith(plain, "# ")], text))
  checks <- checks + 2
}
refused(export_forest(structure(forest, class = c("regression_forest", "grf")), target), "only a grf causal_forest")
refused(export_forest(structure(forest[names(forest) != "_pv_values"], class = class(forest)), target), "_pv_values")
refused(export_forest(forest, target, feature_names = c("a", "b")), "2 feature names for a forest of 10")
refused(export_forest(forest, target, feature_names = c("a\nb", 1:9)), "line break")
broken <- forest
broken[["_pv_values"]][[2]][[5]] <- 1:3
refused(export_forest(broken, target), "node 4 of tree 1 holds 3 values")
cat(sprintf("grf_export: %d forests equal their text, 5 refusals\n", checks))
