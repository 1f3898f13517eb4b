// SPDX-License-Identifier: Apache-2.0
#include <chrono>
#include <memory>

#include "contract/log_store_contract.h"
#include "contract/snapshot_store_contract.h"
#include "storage/stores.h"
#include "storage/temp_folder.h"
#include "storage/test_log.h"

namespace drumbeat::storage {
namespace {

class RocksDbHarness : public StoreHarness {
 public:
  Result<Stores> Open() override {
    return OpenRocksDbStores({.directory = folder_.path() / "stores", .memory_bytes = 4u << 20},
                             NoLogger());
  }
  // In one process there is no way to lose what was written; crash_test.cc kills one.
  void Crash() override {}

 private:
  TempFolder folder_;
};

class MemoryHarness : public StoreHarness {
 public:
  Result<Stores> Open() override {
    return OpenMemoryStores(disk_, &std::chrono::steady_clock::now);
  }
  void Crash() override { disk_->Crash(); }

 private:
  std::shared_ptr<MemoryDisk> disk_ = std::make_shared<MemoryDisk>(MemoryDisk::Crashes::kSimulated);
};

template <class Harness>
StoreKind Kind(std::string name) {
  return {.name = std::move(name), .make = [] { return std::make_unique<Harness>(); }};
}

std::string NameOf(const testing::TestParamInfo<StoreKind>& info) { return info.param.name; }

INSTANTIATE_TEST_SUITE_P(Stores, LogStoreContract,
                         testing::Values(Kind<RocksDbHarness>("RocksDb"),
                                         Kind<MemoryHarness>("Memory")),
                         NameOf);
INSTANTIATE_TEST_SUITE_P(Stores, SnapshotStoreContract,
                         testing::Values(Kind<RocksDbHarness>("RocksDb"),
                                         Kind<MemoryHarness>("Memory")),
                         NameOf);

}  // namespace
}  // namespace drumbeat::storage
