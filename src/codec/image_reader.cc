// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cstring>
#include <optional>
#include <string>
#include <utility>

#include "base/crc.h"
#include "codec/image_header.h"
#include "codec/snappy_stream.h"
#include "codec/snapshot_image.h"

namespace drumbeat::codec {
namespace {

Result<void> ReadPart(SnapshotReader& source, std::size_t length, std::string& part) {
  part.resize(length);
  const Result<std::size_t> got = source.ReadFully(part);
  if (!got) return std::unexpected(got.error());
  if (*got < length) return DamagedImage("it is cut off");
  return {};
}

/// The stream that an image's blocks hold, one block in memory at a time.
class BlockReader : public SnapshotReader {
 public:
  BlockReader(std::unique_ptr<SnapshotReader> source, const ImageHeader& header,
              std::uint64_t blocks_bytes)
      : source_(std::move(source)),
        header_(header),
        blocks_bytes_(blocks_bytes),
        left_(blocks_bytes) {}

  Result<std::size_t> Read(std::span<char> buffer) override {
    if (failure_) return std::unexpected(*failure_);
    if (at_ == block_.size() && left_ > 0) {
      if (Result<void> next = NextBlock(); !next) {
        failure_ = next.error();
        return std::unexpected(*failure_);
      }
    }
    const std::size_t count = std::min(buffer.size(), block_.size() - at_);
    if (count > 0) std::memcpy(buffer.data(), block_.data() + at_, count);
    at_ += count;
    return count;
  }

 private:
  Result<void> NextBlock() {
    const std::uint64_t stored = std::min<std::uint64_t>(left_, kBlockBytes + kBlockCrcBytes);
    if (stored <= kBlockCrcBytes) return DamagedImage("its length");
    if (Result<void> read = ReadPart(*source_, static_cast<std::size_t>(stored), block_); !read) {
      return read;
    }
    const std::size_t bytes = block_.size() - kBlockCrcBytes;
    const std::uint32_t crc = base::Crc32(std::string_view(block_).substr(0, bytes));
    if (std::string_view(block_).substr(bytes) != EncodeBlockCrc(crc)) {
      return DamagedImage("a block's checksum");
    }
    checksum_.Add(crc);
    block_.resize(bytes);
    at_ = 0;
    left_ -= stored;
    // What the end says is known before the last bytes are handed out.
    return left_ == 0 ? CheckEnd() : Result<void>();
  }

  Result<void> CheckEnd() {
    std::string tail;
    if (Result<void> read = ReadPart(*source_, kImageTailBytes, tail); !read) return read;
    if (tail != EncodeImageTail(blocks_bytes_)) return DamagedImage("its tail");
    if (!checksum_.Matches(header_)) return DamagedImage("the checksum over its blocks");
    char more = 0;
    const Result<std::size_t> got = source_->Read(std::span(&more, 1));
    if (!got) return std::unexpected(got.error());
    if (*got != 0) return DamagedImage("it goes on behind its tail");
    return {};
  }

  std::unique_ptr<SnapshotReader> source_;
  const ImageHeader header_;
  const std::uint64_t blocks_bytes_;
  std::uint64_t left_;
  std::string block_;
  std::size_t at_ = 0;
  BlocksChecksum checksum_;
  std::optional<Error> failure_;
};

}  // namespace

Result<std::unique_ptr<SnapshotReader>> OpenImage(std::unique_ptr<SnapshotReader> source,
                                                  std::uint64_t image_bytes) {
  if (image_bytes <= kImageHeaderBytes + kImageTailBytes) return DamagedImage("it is too short");
  std::string area;
  if (Result<void> read = ReadPart(*source, kImageHeaderBytes, area); !read) {
    return std::unexpected(read.error());
  }
  const Result<ImageHeader> header = DecodeImageHeader(area);
  if (!header) return std::unexpected(header.error());
  std::unique_ptr<SnapshotReader> stream = std::make_unique<BlockReader>(
      std::move(source), *header, image_bytes - kImageHeaderBytes - kImageTailBytes);
  if (header->compression == Compression::kSnappy) {
    stream = MakeSnappyStreamReader(std::move(stream));
  }
  return stream;
}

}  // namespace drumbeat::codec
