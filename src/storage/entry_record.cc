// SPDX-License-Identifier: Apache-2.0
#include "storage/entry_record.h"

#include "base/byte_coding.h"
#include "codec/entry_codec.h"
#include "storage/sealed_value.h"

namespace drumbeat::storage {
namespace {

constexpr std::size_t kCountAt = 17;  // behind format byte and epochs
constexpr std::size_t kLengthBytes = 4;

void StoreLittle32(char* at, std::uint32_t value) {
  for (int i = 0; i < 4; ++i) at[i] = static_cast<char>(value >> (8 * i));
}

}  // namespace

std::size_t PackRecord(std::string& value, std::string_view key, const RecordEpochs& epochs,
                       std::span<const raft::Entry> entries) {
  BeginValue(value);
  base::AppendLittle(value, epochs.own);
  base::AppendLittle(value, epochs.before);
  base::AppendLittle(value, std::uint32_t{0});
  std::size_t count = 0;
  for (const raft::Entry& entry : entries) {
    if (count > 0 && value.size() + raft::EntrySize(entry) > kRecordBytes) break;
    const std::size_t length_at = value.size();
    value.append(kLengthBytes, '\0');
    codec::AppendEntry(value, entry);
    const std::size_t length = value.size() - length_at - kLengthBytes;
    StoreLittle32(value.data() + length_at, static_cast<std::uint32_t>(length));
    ++count;
  }
  StoreLittle32(value.data() + kCountAt, static_cast<std::uint32_t>(count));
  SealValue(value, key);
  return count;
}

Result<Record> CheckRecord(std::string_view key, std::string_view value) {
  const Result<std::string_view> body = OpenValue(key, value);
  if (!body) return std::unexpected(body.error());
  base::ByteReader reader(*body);
  Record record;
  record.epochs.own = reader.Little<std::uint64_t>();
  record.epochs.before = reader.Little<std::uint64_t>();
  record.count = reader.Little<std::uint32_t>();
  record.entries = reader.rest();
  if (!reader.ok() || record.count == 0) {
    return Fail(ErrorCode::kDamaged, "a record holds no entries");
  }
  return record;
}

Result<bool> UnpackEntries(const base::Bytes& value, const Record& record, Index first, Index from,
                           Index end, std::uint64_t max_bytes, std::uint64_t& size,
                           std::vector<raft::Entry>& out) {
  base::ByteReader reader(record.entries);
  for (Index index = first; index < end; ++index) {
    const auto length = reader.Little<std::uint32_t>();
    const std::string_view bytes = reader.Take(length);
    if (!reader.ok()) return Fail(ErrorCode::kDamaged, "a record ends early");
    if (index < from) continue;
    const auto offset = static_cast<std::size_t>(bytes.data() - value.data());
    Result<raft::Entry> entry = codec::DecodeEntry(value.Slice(offset, length));
    if (!entry) return Fail(ErrorCode::kDamaged, std::string(entry.error().text()));
    if (entry->index != index) return Fail(ErrorCode::kDamaged, "an entry has a wrong index");
    size += raft::EntrySize(*entry);
    if (size > max_bytes && !out.empty()) return false;
    out.push_back(std::move(*entry));
  }
  return true;
}

}  // namespace drumbeat::storage
