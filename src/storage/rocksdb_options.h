// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <memory>

#include <rocksdb/options.h>

#include "storage/kv.h"
#include "storage/rocksdb_kv.h"

// Used inside this folder only: it names RocksDB's types.
namespace drumbeat::storage {

/// Name of a space's column family.
const char* ColumnFamilyName(Space space);
rocksdb::DBOptions MakeDbOptions(const RocksDbKvOptions& options, const logging::Logger& logger);
rocksdb::ColumnFamilyOptions MakeSpaceOptions(Space space, std::size_t memory_bytes);

}  // namespace drumbeat::storage
