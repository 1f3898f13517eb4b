// SPDX-License-Identifier: Apache-2.0
#include "storage/stores.h"

#include <chrono>
#include <utility>

#include "base/check.h"
#include "storage/kv_log_store.h"
#include "storage/kv_snapshot_store.h"
#include "storage/store_core.h"

namespace drumbeat::storage {

Result<Stores> MakeStores(std::unique_ptr<Kv> kv, std::unique_ptr<SlotFile> witness_file,
                          Witness::Clock clock) {
  auto core = std::make_shared<StoreCore>();
  core->kv = std::move(kv);
  Result<std::unique_ptr<Witness>> witness =
      Witness::Open(std::move(witness_file), std::move(clock));
  if (!witness) return std::unexpected(witness.error());
  core->witness = std::move(*witness);
  if (Result<void> checked = CheckLogs(*core); !checked) return std::unexpected(checked.error());
  Result<std::unique_ptr<KvSnapshotStore>> snapshots = KvSnapshotStore::Open(core);
  if (!snapshots) return std::unexpected(snapshots.error());
  return Stores{.log = std::make_unique<KvLogStore>(core), .snapshots = std::move(*snapshots)};
}

Result<Stores> OpenMemoryStores(const std::shared_ptr<MemoryDisk>& disk, Witness::Clock clock) {
  return MakeStores(OpenMemoryKv(disk), OpenMemorySlot(disk), std::move(clock));
}

Stores MakeMemoryStores() {
  const auto disk = std::make_shared<MemoryDisk>(MemoryDisk::Crashes::kNever);
  Result<Stores> stores = OpenMemoryStores(disk, &std::chrono::steady_clock::now);
  DRUMBEAT_CHECK(stores.has_value(), "an empty disk in memory that never fails can be opened");
  return std::move(*stores);
}

}  // namespace drumbeat::storage
