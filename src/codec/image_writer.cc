// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <optional>
#include <utility>

#include "base/crc.h"
#include "codec/image_header.h"
#include "codec/snappy_stream.h"
#include "codec/snapshot_image.h"

namespace drumbeat::codec {
namespace {

class BlockImageWriter : public ImageWriter {
 public:
  BlockImageWriter(ImageSink& sink, Compression compression, std::uint64_t now_unix_ns)
      : sink_(sink), meaning_{.unreliable_time = now_unix_ns, .compression = compression} {}

  Result<void> Write(std::string_view bytes) override {
    if (!header_.empty()) return Fail(ErrorCode::kInvalidArgument, "the image is finished");
    return meaning_.compression == Compression::kNone ? Append(bytes) : Compress(bytes);
  }

  Result<void> Finish() override {
    if (meaning_.compression == Compression::kSnappy) {
      compressed_.clear();
      snappy_.Finish(compressed_);
      if (Result<void> rest = Append(compressed_); !rest) return rest;
    }
    if (!block_.empty()) {
      if (Result<void> last = WriteBlock(); !last) return last;
    }
    meaning_.payload_checksum = checksum_.value();
    header_ = EncodeImageHeader(meaning_);
    return ToSink(EncodeImageTail(blocks_bytes_));
  }

  const std::string& header() const override { return header_; }
  std::uint64_t image_bytes() const override {
    return kImageHeaderBytes + blocks_bytes_ + kImageTailBytes;
  }

 private:
  /// In pieces, so that a large write needs no large buffer.
  Result<void> Compress(std::string_view bytes) {
    constexpr std::size_t kPieceBytes = 256u << 10;
    while (!bytes.empty()) {
      compressed_.clear();
      snappy_.Write(bytes.substr(0, kPieceBytes), compressed_);
      if (Result<void> appended = Append(compressed_); !appended) return appended;
      bytes.remove_prefix(std::min(bytes.size(), kPieceBytes));
    }
    return {};
  }

  Result<void> Append(std::string_view bytes) {
    while (!bytes.empty()) {
      const std::size_t take = std::min<std::size_t>(bytes.size(), kBlockBytes - block_.size());
      block_.append(bytes.substr(0, take));
      bytes.remove_prefix(take);
      if (block_.size() < kBlockBytes) break;
      if (Result<void> written = WriteBlock(); !written) return written;
    }
    return {};
  }

  Result<void> WriteBlock() {
    const std::uint32_t crc = base::Crc32(block_);
    checksum_.Add(crc);
    block_ += EncodeBlockCrc(crc);
    blocks_bytes_ += block_.size();
    Result<void> written = ToSink(block_);
    block_.clear();
    return written;
  }

  /// What failed once fails for ever: a hole in an image must not be papered over.
  Result<void> ToSink(std::string_view bytes) {
    if (failure_) return std::unexpected(*failure_);
    Result<void> appended = sink_.Append(bytes);
    if (!appended) failure_ = appended.error();
    return appended;
  }

  ImageSink& sink_;
  ImageHeader meaning_;
  SnappyStreamWriter snappy_;
  std::string compressed_;
  std::string block_;
  BlocksChecksum checksum_;
  std::uint64_t blocks_bytes_ = 0;
  std::string header_;
  std::optional<Error> failure_;
};

}  // namespace

std::unique_ptr<ImageWriter> ImageWriter::Make(ImageSink& sink, Compression compression,
                                               std::uint64_t now_unix_ns) {
  return std::make_unique<BlockImageWriter>(sink, compression, now_unix_ns);
}

std::string WitnessImage(std::uint64_t now_unix_ns) {
  const std::string table = EncodeSessions({});
  const std::uint32_t crc = base::Crc32(table);
  BlocksChecksum checksum;
  checksum.Add(crc);
  return EncodeImageHeader({.unreliable_time = now_unix_ns,
                            .compression = Compression::kNone,
                            .payload_checksum = checksum.value()}) +
         table + EncodeBlockCrc(crc) + EncodeImageTail(table.size() + kBlockCrcBytes);
}

}  // namespace drumbeat::codec
