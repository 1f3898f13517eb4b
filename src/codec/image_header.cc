// SPDX-License-Identifier: Apache-2.0
#include "codec/image_header.h"

#include "base/byte_coding.h"
#include "base/crc.h"
#include "codec/protobuf.h"
#include "codec/snapshot_image.h"

namespace drumbeat::codec {
namespace {

constexpr std::uint64_t kVersion = 2;
constexpr std::uint64_t kChecksumCrc32 = 0;
constexpr std::size_t kLengthBytes = 8;
constexpr std::size_t kCrcBytes = 4;

std::string BigEndian(std::uint32_t value) {
  std::string out;
  base::AppendBig(out, value);
  return out;
}

std::string EncodeRecord(const ImageHeader& header, const std::string* header_checksum,
                         std::string_view payload_checksum) {
  std::string out;
  AppendField(out, 1, 0);
  AppendField(out, 2, 0);
  AppendField(out, 3, header.unreliable_time);
  AppendField(out, 4, std::string_view());
  if (header_checksum != nullptr) AppendField(out, 5, *header_checksum);
  AppendField(out, 6, payload_checksum);
  AppendField(out, 7, kChecksumCrc32);
  AppendField(out, 8, kVersion);
  AppendField(out, 9, static_cast<std::uint64_t>(header.compression));
  return out;
}

std::unexpected<Error> Damaged(const char* what) {
  return Fail(ErrorCode::kDamaged, std::string("damaged snapshot image: ") + what);
}

}  // namespace

std::string EncodeImageHeader(const ImageHeader& header, std::uint32_t block_crcs) {
  const std::string payload_checksum = BigEndian(block_crcs);
  const std::string header_checksum =
      BigEndian(base::Crc32(EncodeRecord(header, nullptr, payload_checksum)));
  const std::string record = EncodeRecord(header, &header_checksum, payload_checksum);
  std::string area;
  base::AppendLittle(area, std::uint64_t{record.size()});
  area += record;
  area.resize(kImageHeaderBytes, '\0');
  return area;
}

Result<ImageHeader> DecodeImageHeader(std::string_view area) {
  if (area.size() != kImageHeaderBytes) return Damaged("its header is cut off");
  const auto length = base::LoadLittle<std::uint64_t>(area.data());
  if (length > kImageHeaderBytes - kLengthBytes - kCrcBytes) return Damaged("its header's length");
  const std::string_view record = area.substr(kLengthBytes, static_cast<std::size_t>(length));
  const auto crc = base::LoadBig<std::uint32_t>(record.data() + record.size());
  if (crc != 0 && crc != base::Crc32(record)) return Damaged("its header's checksum");
  ImageHeader header;
  std::uint64_t checksum_type = 0;
  std::uint64_t version = 0;
  std::uint64_t compression = 0;
  FieldReader fields(record);
  while (fields.Next()) {
    switch (fields.number()) {
      case 3: header.unreliable_time = fields.Varint(); break;
      case 7: checksum_type = fields.Varint(); break;
      case 8: version = fields.Varint(); break;
      case 9: compression = fields.Varint(); break;
      default: break;
    }
  }
  if (!fields.ok()) return Damaged("its header cannot be decoded");
  if (version != kVersion) return Damaged("only images of version 2 can be read");
  if (checksum_type != kChecksumCrc32) return Damaged("its kind of checksum is not known");
  if (compression > static_cast<std::uint64_t>(Compression::kSnappy)) {
    return Damaged("its kind of compression is not known");
  }
  header.compression = static_cast<Compression>(compression);
  return header;
}

std::string EncodeImageTail(std::uint64_t blocks_bytes) {
  std::string tail;
  base::AppendLittle(tail, blocks_bytes);
  tail += kImageMagic;
  return tail;
}

bool TailMatches(std::string_view tail, std::uint64_t blocks_bytes) {
  return tail == EncodeImageTail(blocks_bytes);
}

bool BlockMatches(std::string_view block_with_crc) {
  if (block_with_crc.size() <= kCrcBytes) return false;
  const std::string_view block = block_with_crc.substr(0, block_with_crc.size() - kCrcBytes);
  return base::LoadBig<std::uint32_t>(block.data() + block.size()) == base::Crc32(block);
}

}  // namespace drumbeat::codec
