// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>

#include "drumbeat/error.h"

#include "storage/kv.h"

namespace rocksdb {
class Env;
}
namespace drumbeat::logging {
class Logger;
}

namespace drumbeat::storage {

struct RocksDbKvOptions {
  /// RocksDB's own folder; made when absent, but not the one around it.
  std::filesystem::path database;
  /// Where bulks are prepared; on the same file system. Everything in it is deleted at opening.
  std::filesystem::path staging;
  /// Memory of all write buffers together.
  std::size_t memory_bytes = 64u << 20;
  /// A larger list of changes to the set of tables is replaced by one of those that are there.
  std::uint64_t max_manifest_bytes = 16u << 20;
  /// Where RocksDB's file work goes; null: the default file system with PreparedLogFileSystem,
  /// BadSectorsAsDamage and GuardManifest. Must outlive the store.
  rocksdb::Env* env = nullptr;
};

/// Opens (or makes) a database for the three spaces, one column family each. The caller has judged
/// the log files. kDamaged, kNewerFormat (column families that we do not know), kLocked, kStorage.
Result<std::unique_ptr<Kv>> OpenRocksDbKv(const RocksDbKvOptions& options,
                                          const logging::Logger& logger);

}  // namespace drumbeat::storage
