// SPDX-License-Identifier: Apache-2.0
#include "codec/snappy_stream.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <optional>
#include <utility>

#include <snappy.h>

#include "base/byte_coding.h"
#include "base/crc.h"
#include "codec/image_header.h"

namespace drumbeat::codec {
namespace {

constexpr std::string_view kIdentifier("\xff\x06\x00\x00sNaPpY", 10);
constexpr std::size_t kMaxChunkData = 65536;
constexpr std::uint8_t kCompressedChunk = 0x00;
constexpr std::uint8_t kRawChunk = 0x01;
constexpr std::uint8_t kFirstSkippable = 0x80;
constexpr std::uint8_t kIdentifierChunk = 0xff;
constexpr std::size_t kChunkHeadBytes = 4;
constexpr std::size_t kChecksumBytes = 4;
/// More than snappy needs for kMaxChunkData bytes at worst.
constexpr std::size_t kMaxBodyBytes = kMaxChunkData * 5 / 4;

void AppendChunkHead(std::string& out, std::uint8_t type, std::size_t length) {
  out.push_back(static_cast<char>(type));
  for (int shift = 0; shift < 24; shift += 8) out.push_back(static_cast<char>(length >> shift));
}

class SnappyStreamReader : public SnapshotReader {
 public:
  explicit SnappyStreamReader(std::unique_ptr<SnapshotReader> source)
      : source_(std::move(source)) {}

  Result<std::size_t> Read(std::span<char> buffer) override {
    if (failure_) return std::unexpected(*failure_);
    while (at_ == data_.size() && !ended_) {
      if (Result<void> chunk = NextChunk(); !chunk) {
        failure_ = chunk.error();
        return std::unexpected(*failure_);
      }
    }
    const std::size_t count = std::min(buffer.size(), data_.size() - at_);
    if (count > 0) std::memcpy(buffer.data(), data_.data() + at_, count);
    at_ += count;
    return count;
  }

 private:
  static std::unexpected<Error> Damaged() {
    return DamagedImage("its compressed stream cannot be read");
  }

  Result<void> NextChunk() {
    at_ = 0;
    data_.clear();
    std::array<char, kChunkHeadBytes> head;
    const Result<std::size_t> got = source_->ReadFully(head);
    if (!got) return std::unexpected(got.error());
    ended_ = *got == 0;
    if (ended_) return {};
    if (*got < head.size()) return Damaged();
    const auto type = static_cast<std::uint8_t>(head[0]);
    const std::size_t length = base::LoadLittle<std::uint32_t>(head.data()) >> 8;
    if (type != kIdentifierChunk && !identified_) return Damaged();
    if (type >= kFirstSkippable && type != kIdentifierChunk) return Skip(length);
    if (length > kMaxBodyBytes) return Damaged();
    body_.resize(length);
    const Result<std::size_t> body = source_->ReadFully(body_);
    if (!body) return std::unexpected(body.error());
    if (*body < length) return Damaged();
    return TakeChunk(type, body_);
  }

  /// A skippable chunk may be as long as it likes; it is never held as a whole.
  Result<void> Skip(std::size_t length) {
    while (length > 0) {
      body_.resize(std::min(length, kMaxBodyBytes));
      const Result<std::size_t> got = source_->ReadFully(body_);
      if (!got) return std::unexpected(got.error());
      if (*got < body_.size()) return Damaged();
      length -= *got;
    }
    return {};
  }

  Result<void> TakeChunk(std::uint8_t type, std::string_view body) {
    if (type == kIdentifierChunk) {
      if (body != kIdentifier.substr(kChunkHeadBytes)) return Damaged();
      identified_ = true;
      return {};
    }
    if (type > kRawChunk || body.size() < kChecksumBytes) return Damaged();
    const auto crc = base::LoadLittle<std::uint32_t>(body.data());
    body.remove_prefix(kChecksumBytes);
    if (type == kRawChunk) {
      if (body.size() > kMaxChunkData) return Damaged();
      data_ = body;
    } else if (!Uncompress(body)) {
      return Damaged();
    }
    if (base::MaskCrc32c(base::Crc32c(data_)) != crc) return Damaged();
    return {};
  }

  bool Uncompress(std::string_view body) {
    std::size_t length = 0;
    if (!snappy::GetUncompressedLength(body.data(), body.size(), &length)) return false;
    return length <= kMaxChunkData && snappy::Uncompress(body.data(), body.size(), &data_);
  }

  std::unique_ptr<SnapshotReader> source_;
  std::string body_;
  std::string data_;
  std::size_t at_ = 0;
  bool identified_ = false;
  bool ended_ = false;
  std::optional<Error> failure_;
};

}  // namespace

void SnappyStreamWriter::Write(std::string_view bytes, std::string& out) {
  while (!bytes.empty()) {
    const std::size_t take = std::min(bytes.size(), kMaxChunkData - pending_.size());
    pending_.append(bytes.substr(0, take));
    bytes.remove_prefix(take);
    if (pending_.size() == kMaxChunkData) {
      WriteChunk(pending_, out);
      pending_.clear();
    }
  }
}

void SnappyStreamWriter::Finish(std::string& out) {
  if (!pending_.empty()) WriteChunk(pending_, out);
  pending_.clear();
}

void SnappyStreamWriter::WriteChunk(std::string_view data, std::string& out) {
  if (!std::exchange(started_, true)) out += kIdentifier;
  snappy::Compress(data.data(), data.size(), &compressed_);
  // As is usual, a chunk that hardly shrinks is stored as it is.
  const bool raw = compressed_.size() >= data.size() - data.size() / 8;
  const std::string_view body = raw ? data : std::string_view(compressed_);
  AppendChunkHead(out, raw ? kRawChunk : kCompressedChunk, body.size() + kChecksumBytes);
  base::AppendLittle(out, base::MaskCrc32c(base::Crc32c(data)));
  out += body;
}

std::unique_ptr<SnapshotReader> MakeSnappyStreamReader(std::unique_ptr<SnapshotReader> source) {
  return std::make_unique<SnappyStreamReader>(std::move(source));
}

}  // namespace drumbeat::codec
