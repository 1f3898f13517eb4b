// SPDX-License-Identifier: Apache-2.0
#include "storage/store_fixture.h"

#include <algorithm>
#include <fstream>
#include <iterator>

#include "base/crc.h"
#include "storage/keys.h"
#include "storage/test_log.h"
#include "storage/wal_scan.h"

namespace drumbeat::storage {
namespace {

std::unexpected<Error> Pass(const Error& error) { return std::unexpected(error); }

Result<std::string> DescribeLog(LogStore& log, const ReplicaRef& replica) {
  const Result<StoredLog> stored = log.Load(replica);
  if (!stored) return Pass(stored.error());
  const raft::HardState& state = stored->hard_state;
  std::string text =
      "term " + std::to_string(state.term.value()) + " vote " + std::to_string(state.vote.value()) +
      " commit " + std::to_string(state.commit.value()) + " log " +
      std::to_string(stored->first.value()) + " to " + std::to_string(stored->last.value());
  std::uint32_t crc = 0;
  for (Index next = stored->first; next <= stored->last;) {
    const auto entries = log.Read(replica, next, stored->last + 1, 1u << 20);
    if (!entries) return Pass(entries.error());
    for (const raft::Entry& entry : *entries) {
      crc = base::Crc32c(std::to_string(entry.term.value()), crc);
      crc = base::Crc32c(entry.command.view(), crc);
    }
    next = entries->back().index + 1;
  }
  return text + " crc " + std::to_string(crc) + "\n";
}

Result<std::string> DescribeSnapshot(SnapshotStore& snapshots, const ReplicaRef& replica) {
  const auto newest = snapshots.Newest(replica);
  if (!newest) return Pass(newest.error());
  if (!newest->has_value()) return "no snapshot\n";
  const auto reader = snapshots.Open(replica, (*newest)->index);
  if (!reader) return Pass(reader.error());
  std::uint32_t crc = 0;
  std::vector<char> buffer(100'000);
  for (;;) {
    const Result<std::size_t> got = (*reader)->Read(buffer);
    if (!got) return Pass(got.error());
    if (*got == 0) break;
    crc = base::Crc32c({buffer.data(), *got}, crc);
  }
  return "snapshot " + std::to_string((*newest)->index.value()) + " crc " + std::to_string(crc) +
         "\n";
}

}  // namespace

std::string ImageRecordKeyOf(Kv& kv, const ReplicaRef& replica) {
  std::string last;
  const auto cursor = kv.Scan(Space::kImages, ImageKeys().range());
  for (; cursor->Valid(); cursor->Next()) {
    const auto parsed = ParseImageKey(cursor->key());
    if (parsed && parsed->is_record && parsed->image.replica == replica) last = cursor->key();
  }
  return last;
}

Result<Stores> OpenStores(const std::filesystem::path& directory) {
  return OpenRocksDbStores({.directory = directory, .memory_bytes = 4u << 20}, NoLogger());
}

Result<std::string> Describe(Stores& stores, const ReplicaRef& replica) {
  const auto bootstrap = stores.log->LoadBootstrap(replica);
  if (!bootstrap) return Pass(bootstrap.error());
  const auto log = DescribeLog(*stores.log, replica);
  if (!log) return log;
  const auto snapshot = DescribeSnapshot(*stores.snapshots, replica);
  if (!snapshot) return snapshot;
  return std::to_string(replica.shard.value()) + "/" + std::to_string(replica.replica.value()) +
         ": " + (*bootstrap ? codec::EncodeBootstrap(**bootstrap) : "never started") + *log +
         *snapshot;
}

Result<std::string> Describe(Stores& stores) {
  std::string text;
  const auto listed = stores.log->List();
  if (!listed) return Pass(listed.error());
  for (const ReplicaRef& replica : *listed) {
    const auto described = Describe(stores, replica);
    if (!described) return described;
    text += *described;
  }
  const auto removed = stores.log->WasRemoved(Replica(99, 1));
  if (!removed) return Pass(removed.error());
  return text + (*removed ? "99/1 was removed\n" : "");
}

Result<std::string> DescribeFolder(const std::filesystem::path& directory) {
  Result<Stores> stores = OpenStores(directory);
  if (!stores) return Pass(stores.error());
  return Describe(*stores);
}

std::string ReadFile(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

void WriteFile(const std::filesystem::path& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary | std::ios::trunc) << bytes;
}

void SpoilFirstBlock(const std::filesystem::path& table) {
  std::string bytes = ReadFile(table);
  bytes[0] = static_cast<char>(bytes[0] ^ 1);
  WriteFile(table, bytes);
}

std::vector<std::filesystem::path> FilesBelow(const std::filesystem::path& directory) {
  std::vector<std::filesystem::path> files;
  for (const auto& file : std::filesystem::recursive_directory_iterator(directory)) {
    if (file.is_regular_file()) files.push_back(file.path().lexically_relative(directory));
  }
  std::sort(files.begin(), files.end());
  return files;
}

std::filesystem::path NewestLog(const std::filesystem::path& directory) {
  std::filesystem::path newest;
  for (const std::filesystem::path& file : FilesBelow(directory)) {
    if (file.extension() == ".log") newest = file;
  }
  return directory / newest;
}

std::uint64_t LogEnd(const std::filesystem::path& directory) {
  return JudgeLogFile(NewestLog(directory)).value().intact_bytes;
}

}  // namespace drumbeat::storage
