// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <utility>

#include "base/byte_coding.h"
#include "base/crc.h"
#include "codec/chunk.h"
#include "codec/image_header.h"
#include "codec/snappy_stream.h"
#include "codec/snapshot_image.h"

namespace drumbeat::codec {
namespace {

/// A block of an image holds as much as a chunk of a transfer; their borders are unrelated.
constexpr std::size_t kBlockBytes = kSnapshotChunkBytes;

class BlockImageWriter : public ImageWriter {
 public:
  BlockImageWriter(ImageSink& sink, Compression compression, std::uint64_t now_unix_ns)
      : sink_(sink), meaning_{.unreliable_time = now_unix_ns, .compression = compression} {}

  Result<void> Write(std::string_view bytes) override {
    if (meaning_.compression == Compression::kNone) return Append(bytes);
    compressed_.clear();
    snappy_.Write(bytes, compressed_);
    return Append(compressed_);
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
    header_ = EncodeImageHeader(meaning_, block_crcs_);
    return sink_.Append(EncodeImageTail(blocks_bytes_));
  }

  const std::string& header() const override { return header_; }
  std::uint64_t image_bytes() const override {
    return kImageHeaderBytes + blocks_bytes_ + kImageTailBytes;
  }

 private:
  Result<void> Append(std::string_view bytes) {
    while (!bytes.empty()) {
      const std::size_t take = std::min(bytes.size(), kBlockBytes - block_.size());
      block_.append(bytes.substr(0, take));
      bytes.remove_prefix(take);
      if (block_.size() < kBlockBytes) break;
      if (Result<void> written = WriteBlock(); !written) return written;
    }
    return {};
  }

  Result<void> WriteBlock() {
    std::string crc;
    base::AppendBig(crc, base::Crc32(block_));
    block_crcs_ = base::Crc32(crc, block_crcs_);
    block_ += crc;
    blocks_bytes_ += block_.size();
    Result<void> written = sink_.Append(block_);
    block_.clear();
    return written;
  }

  ImageSink& sink_;
  const ImageHeader meaning_;
  SnappyStreamWriter snappy_;
  std::string compressed_;
  std::string block_;
  std::uint32_t block_crcs_ = 0;
  std::uint64_t blocks_bytes_ = 0;
  std::string header_;
};

}  // namespace

std::unique_ptr<ImageWriter> ImageWriter::Make(ImageSink& sink, Compression compression,
                                               std::uint64_t now_unix_ns) {
  return std::make_unique<BlockImageWriter>(sink, compression, now_unix_ns);
}

std::string WitnessImage(std::uint64_t now_unix_ns) {
  class StringSink : public ImageSink {
   public:
    Result<void> Append(std::string_view bytes) override {
      text.append(bytes);
      return {};
    }
    std::string text;
  };
  StringSink sink;
  BlockImageWriter writer(sink, Compression::kNone, now_unix_ns);
  (void)writer.Write(EncodeSessions({}));
  (void)writer.Finish();
  return writer.header() + sink.text;
}

}  // namespace drumbeat::codec
