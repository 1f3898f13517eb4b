// SPDX-License-Identifier: Apache-2.0
#include "contract/kv_contract.h"

#include "storage/memory_kv.h"
#include "storage/rocksdb_kv.h"
#include "storage/temp_folder.h"
#include "storage/test_log.h"

namespace drumbeat::storage {
namespace {

class RocksDbKvHarness : public KvHarness {
 public:
  std::unique_ptr<Kv> Open() override {
    auto kv = OpenRocksDbKv({.database = folder_.path() / "db",
                             .staging = folder_.path() / "staging",
                             .memory_bytes = 4u << 20},
                            NoLogger());
    EXPECT_TRUE(kv.has_value()) << kv.error().message;
    return kv ? std::move(*kv) : nullptr;
  }

 private:
  TempFolder folder_;
};

class MemoryKvHarness : public KvHarness {
 public:
  std::unique_ptr<Kv> Open() override { return OpenMemoryKv(disk_); }

 private:
  std::shared_ptr<MemoryDisk> disk_ = std::make_shared<MemoryDisk>(MemoryDisk::Crashes::kNever);
};

std::string NameOf(const testing::TestParamInfo<KvKind>& kind) { return kind.param.name; }

INSTANTIATE_TEST_SUITE_P(
    Kv, KvContract,
    testing::Values(KvKind{"RocksDb", [] { return std::make_unique<RocksDbKvHarness>(); }},
                    KvKind{"Memory", [] { return std::make_unique<MemoryKvHarness>(); }}),
    NameOf);

}  // namespace
}  // namespace drumbeat::storage
