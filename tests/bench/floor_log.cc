// SPDX-License-Identifier: Apache-2.0
#include "bench/floor_log.h"

#include <vector>

#include <fcntl.h>
#include <unistd.h>

namespace drumbeat::bench {

namespace {
constexpr std::size_t kFileBytes = 64u << 20;
constexpr std::size_t kPieceBytes = 1u << 20;
}  // namespace

FloorLog::FloorLog(const std::filesystem::path& path) {
  if (path.empty()) return;
  const bool prepared =
      std::filesystem::exists(path) && std::filesystem::file_size(path) == kFileBytes;
  fd_ = Fd(open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  if (fd_.get() < 0) Die("open " + path.string());
  if (prepared) return;
  const std::vector<char> zeros(kPieceBytes);
  for (std::size_t at = 0; at < kFileBytes; at += kPieceBytes) {
    if (!WriteAll(fd_.get(), zeros.data(), zeros.size())) Die("fill " + path.string());
  }
  if (fsync(fd_.get()) != 0) Die("fsync");
}

void FloorLog::Append(std::string_view bytes) {
  if (fd_.get() < 0) return;
  if (end_ + bytes.size() > kFileBytes) end_ = 0;
  const ssize_t put = pwrite(fd_.get(), bytes.data(), bytes.size(), static_cast<off_t>(end_));
  if (put != static_cast<ssize_t>(bytes.size())) Die("pwrite");
  end_ += bytes.size();
}

void FloorLog::Sync() {
  if (fd_.get() >= 0 && fdatasync(fd_.get()) != 0) Die("fdatasync");
}

}  // namespace drumbeat::bench
