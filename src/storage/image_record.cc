// SPDX-License-Identifier: Apache-2.0
#include "storage/image_record.h"

#include "base/byte_coding.h"
#include "codec/records.h"
#include "storage/sealed_value.h"

namespace drumbeat::storage {

std::string EncodeImageRecord(std::string_view key, ShardId shard, const ImageRecord& image) {
  std::string value;
  BeginValue(value);
  base::AppendLittle(value, image.bytes);
  value += codec::EncodeSnapshotRecord(image.record, shard);
  SealValue(value, key);
  return value;
}

Result<ImageRecord> DecodeImageRecord(std::string_view key, std::string_view value) {
  const Result<std::string_view> body = OpenValue(key, value);
  if (!body) return std::unexpected(body.error());
  base::ByteReader reader(*body);
  ImageRecord image;
  image.bytes = reader.Little<std::uint64_t>();
  if (!reader.ok()) return Fail(ErrorCode::kDamaged, "a snapshot record is too short");
  Result<raft::SnapshotRecord> record = codec::DecodeSnapshotRecord(reader.rest());
  if (!record) return Fail(ErrorCode::kDamaged, std::string(record.error().text()));
  image.record = std::move(*record);
  return image;
}

}  // namespace drumbeat::storage
