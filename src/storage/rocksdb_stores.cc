// SPDX-License-Identifier: Apache-2.0
#include "storage/rocksdb_stores.h"

#include <chrono>
#include <string>
#include <sys/vfs.h>
#include <system_error>
#include <utility>

#include "logging/logger.h"
#include "storage/advice.h"
#include "storage/log_files.h"
#include "storage/posix_file.h"
#include "storage/stores.h"

namespace drumbeat::storage {
namespace {

constexpr const char* kWitnessName = "WITNESS";
constexpr const char* kDatabaseName = "db";
constexpr const char* kStagingName = "staging";

// Where a flush means little, P2 (what was acknowledged survives a power cut) is not ours to keep.
void WarnOfFileSystem(const std::filesystem::path& directory, const logging::Logger& logger) {
  struct statfs status{};
  if (::statfs(directory.c_str(), &status) != 0) return;
  const char* kind = nullptr;
  switch (static_cast<unsigned long>(status.f_type)) {
    case 0x01021994: kind = "in memory (tmpfs)"; break;
    case 0x858458f6: kind = "in memory (ramfs)"; break;
    case 0x6969: kind = "on a network (NFS)"; break;
    case 0xff534d42: kind = "on a network (CIFS)"; break;
    default: return;
  }
  logger.Warning(directory.string() + " lies on a file system " + kind +
                 ": a power cut may cost what was acknowledged");
}

bool Exists(const std::filesystem::path& path) {
  std::error_code failure;
  return std::filesystem::exists(path, failure);
}

bool EmptyOrAbsent(const std::filesystem::path& path) {
  std::error_code failure;
  return !Exists(path) || std::filesystem::is_empty(path, failure);
}

std::unexpected<Error> Missing(const std::filesystem::path& path) {
  return Fail(ErrorCode::kDamaged, Advised(path.string() + " is missing", kHostAdvice));
}

// The witness is there before the database is: whichever is alone tells a first start that was
// cut short from loss.
Result<std::unique_ptr<SlotFile>> OpenWitness(const std::filesystem::path& directory) {
  const std::filesystem::path database = directory / kDatabaseName;
  Result<std::unique_ptr<SlotFile>> file = OpenSlotFile(directory, kWitnessName);
  if (!file) return file;
  if (*file == nullptr) {
    if (!EmptyOrAbsent(database)) return Missing(directory / kWitnessName);
    return CreateSlotFile(directory, kWitnessName);
  }
  if (Exists(database / "CURRENT")) return file;
  if (!(*file)->content().empty()) return Missing(database / "CURRENT");
  // Nothing was ever acknowledged: RocksDB had not finished making its files.
  std::error_code failure;
  std::filesystem::remove_all(database, failure);
  if (!failure) return file;
  return std::unexpected(
      SystemError(ErrorCode::kStorage, "cannot clear " + database.string(), failure.value()));
}

}  // namespace

Result<Stores> OpenRocksDbStoresOn(const RocksDbOptions& options, const logging::Logger& logger,
                                   rocksdb::Env* env) {
  const std::filesystem::path& directory = options.directory;
  if (Result<void> made = MakeDirectory(directory); !made) return std::unexpected(made.error());
  WarnOfFileSystem(directory, logger);
  Result<std::unique_ptr<SlotFile>> witness = OpenWitness(directory);
  if (!witness) return std::unexpected(witness.error());
  const Result<LogFiles> empty_logs = PrepareLogFiles(directory / kDatabaseName, logger);
  if (!empty_logs) return std::unexpected(empty_logs.error());
  Result<std::unique_ptr<Kv>> kv = OpenRocksDbKv({.database = directory / kDatabaseName,
                                                  .staging = directory / kStagingName,
                                                  .memory_bytes = options.memory_bytes,
                                                  .env = env},
                                                 logger);
  if (!kv) return std::unexpected(kv.error());
  Result<Stores> stores =
      MakeStores(std::move(*kv), std::move(*witness), &std::chrono::steady_clock::now);
  // What was lost may be what one of them held: then all stays as it is.
  if (!stores) return stores;
  std::error_code gone_already;
  for (const std::filesystem::path& log : *empty_logs) std::filesystem::remove(log, gone_already);
  return stores;
}

Result<Stores> OpenRocksDbStores(const RocksDbOptions& options, const logging::Logger& logger) {
  return OpenRocksDbStoresOn(options, logger, nullptr);
}

}  // namespace drumbeat::storage
