// SPDX-License-Identifier: Apache-2.0
#include "codec/snappy_stream.h"

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <utility>

#include <snappy.h>

#include "base/byte_coding.h"
#include "base/crc.h"

namespace drumbeat::codec {
namespace {

constexpr std::string_view kIdentifier("\xff\x06\x00\x00sNaPpY", 10);
constexpr std::size_t kMaxChunkData = 65536;
constexpr std::uint8_t kCompressedChunk = 0x00;
constexpr std::uint8_t kRawChunk = 0x01;
constexpr std::uint8_t kFirstSkippable = 0x80;
constexpr std::uint8_t kIdentifierChunk = 0xff;
constexpr std::size_t kChecksumBytes = 4;

void AppendChunkHead(std::string& out, std::uint8_t type, std::size_t length) {
  out.push_back(static_cast<char>(type));
  for (int shift = 0; shift < 24; shift += 8) out.push_back(static_cast<char>(length >> shift));
}

class SnappyStreamReader : public SnapshotReader {
 public:
  explicit SnappyStreamReader(std::unique_ptr<SnapshotReader> source)
      : source_(std::move(source)) {}

  Result<std::size_t> Read(std::span<char> buffer) override {
    while (at_ == data_.size() && !ended_) {
      if (Result<void> chunk = NextChunk(); !chunk) return std::unexpected(chunk.error());
    }
    const std::size_t count = std::min(buffer.size(), data_.size() - at_);
    std::memcpy(buffer.data(), data_.data() + at_, count);
    at_ += count;
    return count;
  }

 private:
  static std::unexpected<Error> Damaged() {
    return Fail(ErrorCode::kDamaged, "damaged snapshot image: its compressed stream");
  }

  /// False at the very end of the source, when nothing of the piece was there.
  Result<bool> ReadPiece(std::size_t length, std::string& piece) {
    piece.resize(length);
    for (std::size_t have = 0; have < length;) {
      const Result<std::size_t> got = source_->Read(std::span(piece).subspan(have));
      if (!got) return std::unexpected(got.error());
      if (*got == 0) {
        if (have == 0) return false;
        return Damaged();
      }
      have += *got;
    }
    return true;
  }

  Result<void> NextChunk() {
    std::string head;
    const Result<bool> more = ReadPiece(4, head);
    if (!more) return std::unexpected(more.error());
    if (!*more) {
      ended_ = true;
      return {};
    }
    const auto type = static_cast<std::uint8_t>(head[0]);
    const std::size_t length = base::LoadLittle<std::uint32_t>(head.data()) >> 8;
    std::string body;
    // Skippable chunks may be large; all others hold little more than their data.
    const std::size_t limit = type >= kFirstSkippable ? (1u << 24) : kMaxChunkData * 2;
    if (length > limit) return Damaged();
    if (length > 0) {
      const Result<bool> whole = ReadPiece(length, body);
      if (!whole) return std::unexpected(whole.error());
      if (!*whole) return Damaged();
    }
    return TakeChunk(type, body);
  }

  Result<void> TakeChunk(std::uint8_t type, std::string_view body) {
    if (type == kIdentifierChunk) {
      if (body != kIdentifier.substr(4)) return Damaged();
      identified_ = true;
      return {};
    }
    if (!identified_) return Damaged();
    if (type >= kFirstSkippable) return {};
    if (type > kRawChunk || body.size() < kChecksumBytes) return Damaged();
    const auto crc = base::LoadLittle<std::uint32_t>(body.data());
    body.remove_prefix(kChecksumBytes);
    at_ = 0;
    if (type == kRawChunk) {
      data_ = body;
    } else {
      std::size_t length = 0;
      if (!snappy::GetUncompressedLength(body.data(), body.size(), &length) ||
          length > kMaxChunkData || !snappy::Uncompress(body.data(), body.size(), &data_)) {
        return Damaged();
      }
    }
    if (data_.size() > kMaxChunkData) return Damaged();
    if (base::MaskCrc32c(base::Crc32c(data_)) != crc) return Damaged();
    return {};
  }

  std::unique_ptr<SnapshotReader> source_;
  std::string data_;
  std::size_t at_ = 0;
  bool identified_ = false;
  bool ended_ = false;
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
  std::string compressed;
  snappy::Compress(data.data(), data.size(), &compressed);
  // As is usual, a chunk that hardly shrinks is stored as it is.
  const bool raw = compressed.size() >= data.size() - data.size() / 8;
  const std::string_view body = raw ? data : std::string_view(compressed);
  AppendChunkHead(out, raw ? kRawChunk : kCompressedChunk, body.size() + kChecksumBytes);
  base::AppendLittle(out, base::MaskCrc32c(base::Crc32c(data)));
  out += body;
}

std::unique_ptr<SnapshotReader> MakeSnappyStreamReader(std::unique_ptr<SnapshotReader> source) {
  return std::make_unique<SnappyStreamReader>(std::move(source));
}

}  // namespace drumbeat::codec
