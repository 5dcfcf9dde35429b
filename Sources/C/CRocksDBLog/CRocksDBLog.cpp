#include "CRocksDBLog.h"

#include <rocksdb/c.h>
#include <rocksdb/env.h>

#include <memory>

namespace {
class SilentLogger final : public rocksdb::Logger {
   public:
    using rocksdb::Logger::Logv;
    void Logv(const char *, va_list) override {}
};

// As RocksDB's c.cc has it since its first release: the C API has a type for loggers, and no way to make one.
struct LoggerOfTheCAPI {
    std::shared_ptr<rocksdb::Logger> rep;
};
}  // namespace

void impactiq_rocksdb_silence(void *options) {
    LoggerOfTheCAPI logger{std::make_shared<SilentLogger>()};
    rocksdb_options_set_info_log(static_cast<rocksdb_options_t *>(options),
                                 reinterpret_cast<rocksdb_logger_t *>(&logger));
}
