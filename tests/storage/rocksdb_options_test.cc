// SPDX-License-Identifier: Apache-2.0
#include "storage/rocksdb_options.h"

#include <algorithm>
#include <sys/resource.h>

#include <gtest/gtest.h>

#include "storage/test_log.h"

namespace drumbeat::storage {
namespace {

int MaxOpenFiles(rlim_t descriptors) {
  rlimit before{};
  EXPECT_EQ(::getrlimit(RLIMIT_NOFILE, &before), 0);
  rlimit few = before;
  few.rlim_cur = std::min(descriptors, before.rlim_max);
  EXPECT_EQ(::setrlimit(RLIMIT_NOFILE, &few), 0);
  const RocksDbKvOptions options{.database = "unused", .staging = "unused"};
  const int files = MakeDbOptions(options, NoLogger()).max_open_files;
  EXPECT_EQ(::setrlimit(RLIMIT_NOFILE, &before), 0);
  return files;
}

// Connections may take half of the descriptors beside it.
TEST(RocksDbOptionsTest, TablesAreKeptOpenWithinAQuarterOfTheDescriptors) {
  EXPECT_EQ(MaxOpenFiles(1024), 256);
  EXPECT_EQ(MaxOpenFiles(4096), 512) << "more of them are of no use";
}

}  // namespace
}  // namespace drumbeat::storage
