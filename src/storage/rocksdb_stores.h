// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <filesystem>
#include <functional>
#include <memory>

#include "drumbeat/error.h"

#include "storage/log_store.h"
#include "storage/snapshot_store.h"

namespace drumbeat::logging {
class Logger;
}

namespace drumbeat::storage {

/// The two stores of a host; they share one database and must be destroyed together.
struct Stores {
  std::unique_ptr<LogStore> log;
  std::unique_ptr<SnapshotStore> snapshots;
};

struct RocksDbOptions {
  /// Made when absent; everything below it belongs to the stores.
  std::filesystem::path directory;
  /// Memory of the write buffers.
  std::size_t memory_bytes = 64u << 20;
};

/// Opens the RocksDB-backed stores after judging the live write-ahead log: a torn tail that was
/// never acknowledged is cut off and logged, anything else that does not fit is kDamaged with the
/// file's name. kDamaged too when the stores hold less than the synced witness beside them has seen
/// acknowledged. Other errors: kNewerFormat, kLocked (open already), kStorage.
Result<Stores> OpenRocksDbStores(const RocksDbOptions& options, const logging::Logger& logger);

/// The same logic over memory, for tests and simulation.
Stores MakeMemoryStores();

}  // namespace drumbeat::storage
