#pragma once

#ifdef __cplusplus
extern "C" {
#endif

/// Opens databases with these options without RocksDB's own log file. Debian's build has its assertions, one of which ends
/// the process when that file cannot be written: on a full disk.
///
/// - options: a `rocksdb_options_t`.
void impactiq_rocksdb_silence(void *options);

#ifdef __cplusplus
}
#endif
