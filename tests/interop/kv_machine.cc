// SPDX-License-Identifier: Apache-2.0
#include "interop/kv_machine.h"

#include <algorithm>
#include <cstddef>
#include <optional>
#include <span>
#include <utility>

namespace drumbeat::interop {
namespace {

constexpr std::uint64_t kMaxFill = 1u << 30;
// The result of a command that does not parse; only count and chain take note of it.
constexpr std::uint64_t kRefused = ~std::uint64_t{0};

std::string Number(std::uint64_t value, std::size_t bytes = 8) {
  std::string out(bytes, '\0');
  for (char& byte : out) {
    byte = static_cast<char>(value & 0xff);
    value >>= 8;
  }
  return out;
}

std::uint64_t ParseNumber(std::string_view bytes) {
  std::uint64_t value = 0;
  for (std::size_t i = bytes.size(); i > 0; --i) {
    value = value << 8 | static_cast<unsigned char>(bytes[i - 1]);
  }
  return value;
}

// Every second kilobyte is zero, so that half of it compresses.
std::string Filled(std::uint64_t size, std::uint64_t seed) {
  std::string out(size, '\0');
  std::uint64_t state = seed | 1;
  for (std::size_t i = 0; i < size; ++i) {
    if (i % 2048 >= 1024) continue;
    if (i % 8 == 0) {
      state ^= state << 13;
      state ^= state >> 7;
      state ^= state << 17;
    }
    out[i] = static_cast<char>(state >> (8 * (i % 8)) & 0xff);
  }
  return out;
}

// What an operation on a present value of that content returns.
ApplyResult Previous(const std::string& value) {
  const std::size_t kept = std::min<std::size_t>(value.size(), 16);
  return {.value = value.size(), .data = Number(Fnv(value)) + value.substr(value.size() - kept)};
}

Result<void> ReadExactly(SnapshotReader& reader, std::span<char> out) {
  while (!out.empty()) {
    Result<std::size_t> got = reader.Read(out);
    if (!got) return std::unexpected(got.error());
    if (*got == 0) return Fail(ErrorCode::kDamaged, "the snapshot ends early");
    out = out.subspan(*got);
  }
  return {};
}

Result<std::uint64_t> ReadNumber(SnapshotReader& reader) {
  char bytes[8];
  if (Result<void> read = ReadExactly(reader, bytes); !read) return std::unexpected(read.error());
  return ParseNumber({bytes, sizeof bytes});
}

Result<std::string> ReadText(SnapshotReader& reader) {
  const Result<std::uint64_t> size = ReadNumber(reader);
  if (!size) return std::unexpected(size.error());
  if (*size > kMaxFill) return Fail(ErrorCode::kDamaged, "a length is out of bounds");
  std::string text(*size, '\0');
  if (Result<void> read = ReadExactly(reader, text); !read) return std::unexpected(read.error());
  return text;
}

}  // namespace

std::uint64_t Fnv(std::string_view bytes) {
  std::uint64_t hash = kFnvOffset;
  for (const char byte : bytes) hash = (hash ^ static_cast<unsigned char>(byte)) * kFnvPrime;
  return hash;
}

Result<ApplyResult> KvMachine::Update(const UpdateEntry& entry) {
  ++count_;
  index_ = entry.index.value();
  for (const char byte : entry.command) {
    chain_ = (chain_ ^ static_cast<unsigned char>(byte)) * kFnvPrime;
  }
  chain_ = (chain_ ^ entry.command.size()) * kFnvPrime;
  return Apply(entry.command);
}

ApplyResult KvMachine::Apply(std::string_view command) {
  if (command.size() < 5) return {.value = kRefused, .data = {}};
  const char operation = command[0];
  const std::uint64_t key_size = ParseNumber(command.substr(1, 4));
  command.remove_prefix(5);
  if (key_size > command.size()) return {.value = kRefused, .data = {}};
  const std::string key(command.substr(0, key_size));
  command.remove_prefix(key_size);

  const auto found = values_.find(key);
  const ApplyResult result = found == values_.end() ? ApplyResult{} : Previous(found->second);
  switch (operation) {
    case 'P': values_[key] = command; return result;
    case 'A': values_[key] += command; return result;
    case 'F': {
      if (command.size() != 16) return {.value = kRefused, .data = {}};
      const std::uint64_t size = ParseNumber(command.substr(0, 8));
      if (size > kMaxFill) return {.value = kRefused, .data = {}};
      values_[key] = Filled(size, ParseNumber(command.substr(8)));
      return result;
    }
    case 'D': values_.erase(key); return result;
    default: return {.value = kRefused, .data = {}};
  }
}

Result<std::any> KvMachine::Lookup(const std::any& query) const {
  const Query* asked = std::any_cast<Query>(&query);
  if (asked == nullptr) return Fail(ErrorCode::kInvalidArgument, "unknown query");
  Answer answer;
  if (asked->summary) {
    answer.state = Summary();
  } else if (const auto found = values_.find(asked->key); found != values_.end()) {
    answer = {.found = true, .value = found->second, .state = {}};
  }
  return std::any(std::move(answer));
}

StateSummary KvMachine::Summary() const {
  StateSummary state{.count = count_, .index = index_, .chain = chain_, .hash = kFnvOffset};
  state.keys = values_.size();
  for (const auto& [key, value] : values_) {
    state.hash = (state.hash ^ Fnv(key)) * kFnvPrime;
    state.hash = (state.hash ^ Fnv(value)) * kFnvPrime;
    state.bytes += key.size() + value.size();
  }
  return state;
}

Result<void> KvMachine::SaveSnapshot(SnapshotWriter& writer, std::stop_token stop) const {
  const std::string head = Number(count_) + Number(index_) + Number(chain_);
  if (Result<void> done = writer.Write(head + Number(values_.size())); !done) return done;
  for (const auto& [key, value] : values_) {
    if (stop.stop_requested()) return Fail(ErrorCode::kAborted);
    const std::string sizes_and_key = Number(key.size()) + key + Number(value.size());
    if (Result<void> done = writer.Write(sizes_and_key); !done) return done;
    if (Result<void> done = writer.Write(value); !done) return done;
  }
  return {};
}

Result<void> KvMachine::RecoverFromSnapshot(SnapshotReader& reader, std::stop_token stop) {
  std::uint64_t head[4];
  for (std::uint64_t& number : head) {
    const Result<std::uint64_t> read = ReadNumber(reader);
    if (!read) return std::unexpected(read.error());
    number = *read;
  }
  decltype(values_) values;
  for (std::uint64_t i = 0; i < head[3]; ++i) {
    if (stop.stop_requested()) return Fail(ErrorCode::kAborted);
    Result<std::string> key = ReadText(reader);
    if (!key) return std::unexpected(key.error());
    Result<std::string> value = ReadText(reader);
    if (!value) return std::unexpected(value.error());
    values.emplace(std::move(*key), std::move(*value));
  }
  count_ = head[0];
  index_ = head[1];
  chain_ = head[2];
  values_ = std::move(values);
  return {};
}

}  // namespace drumbeat::interop
