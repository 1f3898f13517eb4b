// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <filesystem>
#include <string>

#include <gtest/gtest.h>

#include "storage/rocksdb_kv.h"
#include "storage/temp_folder.h"
#include "storage/test_log.h"

namespace drumbeat::storage {
namespace {

namespace fs = std::filesystem;

// Each snapshot that enters or goes is a change to the set of tables, and all changes are read at
// the next opening.
TEST(ManifestTest, DoesNotGrowWithEverySnapshot) {
  const TempFolder folder;
  const fs::path database = folder.path() / "db";
  auto kv = OpenRocksDbKv({.database = database,
                           .staging = folder.path() / "staging",
                           .memory_bytes = 4u << 20,
                           .max_manifest_bytes = 16u << 10},
                          NoLogger());
  ASSERT_TRUE(kv.has_value());
  std::uintmax_t largest = 0;
  for (int i = 1000; i < 1500; ++i) {
    auto bulk = (*kv)->NewBulk().value();
    ASSERT_TRUE(bulk->Add(std::to_string(i), "image").has_value());
    ASSERT_TRUE(bulk->EndRun().has_value());
    ASSERT_TRUE(bulk->Commit().has_value());
    ASSERT_TRUE((*kv)->Drop(Space::kImages, {"0", std::to_string(i)}).has_value());
    for (const auto& file : fs::directory_iterator(database)) {
      if (!file.path().filename().string().starts_with("MANIFEST-")) continue;
      largest = std::max(largest, file.file_size());
    }
  }
  EXPECT_LT(largest, std::uintmax_t{24} << 10);
}

}  // namespace
}  // namespace drumbeat::storage
