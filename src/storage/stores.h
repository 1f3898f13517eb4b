// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>

#include "drumbeat/error.h"

#include "storage/kv.h"
#include "storage/memory_kv.h"
#include "storage/rocksdb_kv.h"
#include "storage/rocksdb_stores.h"
#include "storage/slot_file.h"
#include "storage/witness.h"

namespace drumbeat::storage {

/// Both stores over any database and the witness file that belongs to it, after checking one
/// against the other.
Result<Stores> MakeStores(std::unique_ptr<Kv> kv, std::unique_ptr<SlotFile> witness_file,
                          Witness::Clock clock);

/// Both stores on a disk in memory; what was there before is found again.
Result<Stores> OpenMemoryStores(const std::shared_ptr<MemoryDisk>& disk, Witness::Clock clock);

/// OpenRocksDbStores with its file work going through `env`; null: PreparedLogFileSystem.
Result<Stores> OpenRocksDbStoresOn(const RocksDbOptions& options, const logging::Logger& logger,
                                   rocksdb::Env* env);

}  // namespace drumbeat::storage
