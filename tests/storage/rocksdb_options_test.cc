// SPDX-License-Identifier: Apache-2.0
#include "storage/rocksdb_options.h"

#include <sys/resource.h>

#include <gtest/gtest.h>

#include "base/few_descriptors.h"
#include "storage/test_log.h"

namespace drumbeat::storage {
namespace {

int MaxOpenFiles(rlim_t descriptors) {
  const base::FewDescriptors few(descriptors);
  const RocksDbKvOptions options{.database = "unused", .staging = "unused"};
  return MakeDbOptions(options, NoLogger()).max_open_files;
}

// Connections may take half of the descriptors beside it.
TEST(RocksDbOptionsTest, TablesAreKeptOpenWithinAQuarterOfTheDescriptors) {
  EXPECT_EQ(MaxOpenFiles(1024), 256);
  EXPECT_EQ(MaxOpenFiles(4096), 512) << "more of them are of no use";
}

// A writer that is stopped waits for a merge, which may be one that cannot begin before it goes on.
TEST(RocksDbOptionsTest, TablesNeverStopWrites) {
  for (std::size_t i = 0; i < kSpaces; ++i) {
    const auto options = MakeSpaceOptions(static_cast<Space>(i), 64u << 20);
    EXPECT_GE(options.level0_stop_writes_trigger, 1 << 30);
    EXPECT_EQ(options.hard_pending_compaction_bytes_limit, 0u);
  }
}

// All families are flushed together, so that each has as many buffers under way as any other: a
// family that may have fewer stops all writes before the others are full.
TEST(RocksDbOptionsTest, NoFamilyRunsOutOfBuffersBeforeTheOthers) {
  const auto entries = MakeSpaceOptions(Space::kEntries, 64u << 20);
  EXPECT_EQ(entries.max_write_buffer_number, 4);
  for (std::size_t i = 0; i < kSpaces; ++i) {
    const auto options = MakeSpaceOptions(static_cast<Space>(i), 64u << 20);
    EXPECT_EQ(options.max_write_buffer_number, entries.max_write_buffer_number);
  }
}

}  // namespace
}  // namespace drumbeat::storage
