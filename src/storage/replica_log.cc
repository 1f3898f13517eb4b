// SPDX-License-Identifier: Apache-2.0
#include "storage/replica_log.h"

#include <algorithm>

#include "base/byte_coding.h"
#include "base/check.h"
#include "storage/sealed_value.h"

namespace drumbeat::storage {
void EncodeLogState(std::string& value, std::string_view key, const LogState& state) {
  BeginValue(value);
  base::AppendLittle(value, state.hard_state.term.value());
  base::AppendLittle(value, state.hard_state.vote.value());
  base::AppendLittle(value, state.hard_state.commit.value());
  base::AppendLittle(value, state.cut.value());
  base::AppendLittle(value, state.cut_term.value());
  base::AppendLittle(value, state.last.value());
  base::AppendLittle(value, state.epoch);
  SealValue(value, key);
}

Result<LogState> DecodeLogState(std::string_view key, std::string_view value) {
  const Result<std::string_view> body = OpenValue(key, value);
  if (!body) return std::unexpected(body.error());
  base::ByteReader reader(*body);
  LogState state;
  state.hard_state.term = Term(reader.Little<std::uint64_t>());
  state.hard_state.vote = ReplicaId(reader.Little<std::uint64_t>());
  state.hard_state.commit = Index(reader.Little<std::uint64_t>());
  state.cut = Index(reader.Little<std::uint64_t>());
  state.cut_term = Term(reader.Little<std::uint64_t>());
  state.last = Index(reader.Little<std::uint64_t>());
  state.epoch = reader.Little<std::uint64_t>();
  if (!reader.ok() || !reader.done() || state.last < state.cut) {
    return Fail(ErrorCode::kDamaged, "a state record makes no sense");
  }
  return state;
}

void RecordMap::Append(const Start& record) {
  while (!empty() && places_.back().first >= record.first) places_.pop_back();
  places_.push_back(record);
}

void RecordMap::Clear() {
  places_ = {};
  head_ = 0;
}

void RecordMap::DropBefore(Index first) {
  while (!empty() && places_[head_].first < first) ++head_;
  if (head_ < 64 || head_ * 2 < places_.size()) return;
  places_.erase(places_.begin(), places_.begin() + static_cast<std::ptrdiff_t>(head_));
  head_ = 0;
}

std::size_t RecordMap::Locate(Index index) const {
  const auto begin = places_.begin() + static_cast<std::ptrdiff_t>(head_);
  const auto above = std::upper_bound(
      begin, places_.end(), index, [](Index at, const Start& start) { return at < start.first; });
  DRUMBEAT_CHECK(above != begin, "the index lies within the log");
  return static_cast<std::size_t>(above - places_.begin()) - 1;
}

Index RecordMap::EndOf(std::size_t position, Index last) const {
  return position + 1 < places_.size() ? places_[position + 1].first : last + 1;
}

RecordMap::Place RecordMap::Find(Index index, Index last) const {
  const std::size_t position = Locate(index);
  return {.first = places_[position].first,
          .end = EndOf(position, last),
          .bytes = places_[position].bytes};
}

std::optional<std::uint64_t> RecordMap::EpochBefore(Index index) const {
  if (empty() || places_[head_].first >= index) return std::nullopt;
  return places_[Locate(index - 1)].epoch;
}

RecordMap::Prefix RecordMap::PrefixThrough(Index index, Index last) const {
  Prefix prefix;
  for (std::size_t i = head_; i < places_.size(); ++i) {
    if (EndOf(i, last) > index + 1) break;
    prefix.bytes += places_[i].bytes;
    prefix.end = EndOf(i, last);
  }
  return prefix;
}

}  // namespace drumbeat::storage
