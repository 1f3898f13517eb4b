// SPDX-License-Identifier: Apache-2.0
#include "storage/log_files.h"

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstdint>
#include <optional>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <unistd.h>

#include "logging/logger.h"
#include "storage/advice.h"
#include "storage/posix_file.h"
#include "storage/wal_scan.h"

namespace drumbeat::storage {
namespace {

constexpr std::size_t kMaxCurrentBytes = 256;

std::unexpected<Error> Damaged(const std::filesystem::path& path, const LogJudgement& judgement) {
  const std::string where = path.string() + " is damaged at byte ";
  return Fail(ErrorCode::kDamaged, Advised(where + std::to_string(judgement.bad_at), kHostAdvice));
}

/// The number in `000012.log`.
std::optional<std::uint64_t> LogNumber(const std::filesystem::path& path) {
  if (path.extension() != ".log") return std::nullopt;
  const std::string stem = path.stem().string();
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(stem.data(), stem.data() + stem.size(), number);
  if (error != std::errc() || end != stem.data() + stem.size()) return std::nullopt;
  return number;
}

/// Newest first.
Result<LogFiles> FindLogs(const std::filesystem::path& database) {
  const Result<std::vector<std::string>> names = ListDirectory(database);
  if (!names) return std::unexpected(names.error());
  std::vector<std::pair<std::uint64_t, std::filesystem::path>> found;
  for (const std::string& name : *names) {
    if (const auto number = LogNumber(name)) found.emplace_back(*number, database / name);
  }
  std::sort(found.rbegin(), found.rend());
  LogFiles paths;
  for (auto& [number, path] : found) paths.push_back(std::move(path));
  return paths;
}

Result<void> CutOff(const std::filesystem::path& path, const LogJudgement& judgement,
                    const logging::Logger& logger) {
  const Fd fd = OpenAt(AT_FDCWD, path.string(), O_WRONLY);
  if (!fd.ok() || ::ftruncate(fd.get(), static_cast<off_t>(judgement.intact_bytes)) != 0) {
    return std::unexpected(SystemError(ErrorCode::kStorage, "cannot cut " + path.string(), errno));
  }
  if (Result<void> synced = SyncFile(fd.get(), path.string()); !synced) return synced;
  logger.Warning("cut " + std::to_string(judgement.file_bytes - judgement.intact_bytes) +
                 " bytes off " + path.string() +
                 ": the last write before a crash, which was never acknowledged");
  return {};
}

Result<LogFiles> PrepareWriteAheadLogs(const std::filesystem::path& database,
                                       const logging::Logger& logger) {
  const Result<LogFiles> logs = FindLogs(database);
  if (!logs) return std::unexpected(logs.error());
  LogFiles without_record;
  bool followed = false;
  for (const std::filesystem::path& path : *logs) {
    const Result<LogJudgement> judgement = JudgeLogFile(path);
    if (!judgement) return std::unexpected(judgement.error());
    if (judgement->verdict == LogVerdict::kDamaged) return Damaged(path, *judgement);
    if (judgement->verdict == LogVerdict::kTorn && !followed) {
      const Result<void> cut = CutOff(path, *judgement, logger);
      if (!cut) return std::unexpected(cut.error());
    }
    followed = followed || judgement->has_record;
    if (!judgement->has_record) without_record.push_back(path);
  }
  return without_record;
}

Result<void> PrepareManifest(const std::filesystem::path& database, const logging::Logger& logger) {
  const std::filesystem::path current = database / "CURRENT";
  const Fd fd = OpenAt(AT_FDCWD, current.string(), O_RDONLY);
  if (!fd.ok() && errno == ENOENT) return {};
  if (!fd.ok()) {
    return std::unexpected(
        SystemError(ErrorCode::kStorage, "cannot open " + current.string(), errno));
  }
  Result<std::string> name = ReadAll(fd.get(), current.string(), kMaxCurrentBytes);
  if (!name) return std::unexpected(name.error());
  if (!name->empty() && name->back() == '\n') name->pop_back();
  const std::filesystem::path manifest = database / *name;
  std::error_code failure;
  if (!name->starts_with("MANIFEST-") || name->find('/') != std::string::npos ||
      !std::filesystem::is_regular_file(manifest, failure)) {
    const std::string text = current.string() + " is damaged: it names no manifest that is there";
    return Fail(ErrorCode::kDamaged, Advised(text, kHostAdvice));
  }
  // An edit that is torn was never relied upon. RocksDB leaves it out only where the file ends in
  // it.
  const Result<LogJudgement> judgement = JudgeLogFile(manifest);
  if (!judgement) return std::unexpected(judgement.error());
  if (judgement->verdict == LogVerdict::kDamaged) return Damaged(manifest, *judgement);
  if (judgement->verdict == LogVerdict::kTorn) return CutOff(manifest, *judgement, logger);
  return {};
}

}  // namespace

Result<LogFiles> PrepareLogFiles(const std::filesystem::path& database,
                                 const logging::Logger& logger) {
  std::error_code failure;
  if (!std::filesystem::exists(database, failure)) return {};
  const Result<void> prepared = PrepareManifest(database, logger);
  if (!prepared) return std::unexpected(prepared.error());
  return PrepareWriteAheadLogs(database, logger);
}

}  // namespace drumbeat::storage
