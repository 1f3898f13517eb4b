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
constexpr std::string_view kImageMagic("\x3f\x5b\xcb\xf1\xfa\xba\x81\x9f", 8);
/// Of the checksum over the record without it.
constexpr std::uint32_t kHeaderChecksumField = 5;

std::string BigEndian(std::uint32_t value) {
  std::string out;
  base::AppendBig(out, value);
  return out;
}

/// `header_checksum`: empty to leave it out.
std::string EncodeRecord(const ImageHeader& header, std::string_view header_checksum) {
  std::string out;
  AppendField(out, 1, 0);
  AppendField(out, 2, 0);
  AppendField(out, 3, header.unreliable_time);
  AppendField(out, 4, std::string_view());
  if (!header_checksum.empty()) AppendField(out, kHeaderChecksumField, header_checksum);
  AppendField(out, 6, BigEndian(header.payload_checksum));
  AppendField(out, 7, kChecksumCrc32);
  AppendField(out, 8, kVersion);
  AppendField(out, 9, static_cast<std::uint64_t>(header.compression));
  return out;
}

/// A checksum field: absent, empty or 4 bytes; anything else is not ours.
bool ReadChecksum(std::string_view bytes, std::uint32_t& checksum) {
  if (bytes.size() != kCrcBytes) return bytes.empty();
  checksum = base::LoadBig<std::uint32_t>(bytes.data());
  return true;
}

/// `checksum`: field 5's bytes within `record`, empty if it is not given.
bool HeaderChecksumMatches(std::string_view record, std::string_view checksum) {
  if (checksum.size() != kCrcBytes) return checksum.empty();
  const auto field_end = static_cast<std::size_t>(checksum.data() + kCrcBytes - record.data());
  const std::size_t field_bytes = BytesFieldSize(kHeaderChecksumField, kCrcBytes);
  if (field_end < field_bytes) return false;
  const std::uint32_t front = base::Crc32(record.substr(0, field_end - field_bytes));
  return base::Crc32(record.substr(field_end), front) ==
         base::LoadBig<std::uint32_t>(checksum.data());
}

struct HeaderFields {
  ImageHeader header;
  std::string_view header_checksum;
  std::uint64_t checksum_type = 0;
  std::uint64_t version = 0;
  std::uint64_t compression = 0;
  bool ok = true;
};

HeaderFields ReadRecord(std::string_view record) {
  HeaderFields read;
  FieldReader fields(record);
  while (fields.Next()) {
    switch (fields.number()) {
      case 3: read.header.unreliable_time = fields.Varint(); break;
      case kHeaderChecksumField: read.header_checksum = fields.Bytes(); break;
      case 6: read.ok &= ReadChecksum(fields.Bytes(), read.header.payload_checksum); break;
      case 7: read.checksum_type = fields.Varint(); break;
      case 8: read.version = fields.Varint(); break;
      case 9: read.compression = fields.Varint(); break;
      default: break;
    }
  }
  read.ok &= fields.ok();
  return read;
}

}  // namespace

std::string EncodeImageHeader(const ImageHeader& header) {
  const std::string record = EncodeRecord(header, BigEndian(base::Crc32(EncodeRecord(header, {}))));
  std::string area;
  base::AppendLittle(area, std::uint64_t{record.size()});
  area += record;
  area.resize(kImageHeaderBytes, '\0');
  return area;
}

Result<ImageHeader> DecodeImageHeader(std::string_view area) {
  if (area.size() != kImageHeaderBytes) return DamagedImage("its header is cut off");
  const auto length = base::LoadLittle<std::uint64_t>(area.data());
  if (length > kImageHeaderBytes - kLengthBytes - kCrcBytes) {
    return DamagedImage("its header's length");
  }
  const std::string_view record = area.substr(kLengthBytes, static_cast<std::size_t>(length));
  const auto crc = base::LoadBig<std::uint32_t>(record.data() + record.size());
  if (crc != 0 && crc != base::Crc32(record)) return DamagedImage("its header's checksum");
  HeaderFields read = ReadRecord(record);
  if (!read.ok) return DamagedImage("its header cannot be decoded");
  if (read.version != kVersion) return DamagedImage("only images of version 2 can be read");
  if (read.checksum_type != kChecksumCrc32) return DamagedImage("its kind of checksum");
  if (read.compression > static_cast<std::uint64_t>(Compression::kSnappy)) {
    return DamagedImage("its kind of compression is not known");
  }
  if (!HeaderChecksumMatches(record, read.header_checksum)) {
    return DamagedImage("its header's own checksum");
  }
  read.header.compression = static_cast<Compression>(read.compression);
  return read.header;
}

std::string EncodeBlockCrc(std::uint32_t crc) { return BigEndian(crc); }

void BlocksChecksum::Add(std::uint32_t block_crc) {
  value_ = base::Crc32(EncodeBlockCrc(block_crc), value_);
}

std::string EncodeImageTail(std::uint64_t blocks_bytes) {
  std::string tail;
  base::AppendLittle(tail, blocks_bytes);
  tail += kImageMagic;
  return tail;
}

std::unexpected<Error> DamagedImage(std::string_view what) {
  return Fail(ErrorCode::kDamaged, "damaged snapshot image: " + std::string(what));
}

}  // namespace drumbeat::codec
