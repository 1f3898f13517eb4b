// SPDX-License-Identifier: Apache-2.0
#include "codec/command.h"

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <cstring>

#include <snappy.h>

#include "base/byte_coding.h"
#include "codec/records.h"

namespace drumbeat::codec {
namespace {

constexpr unsigned char kPlainHeader = 0x00;
constexpr unsigned char kSnappyHeader = 0x02;

base::Bytes WithHeader(unsigned char header, std::string_view body) {
  base::Buffer* buffer = base::Buffer::New(body.size() + 1);
  buffer->data()[0] = static_cast<char>(header);
  std::memcpy(buffer->data() + 1, body.data(), body.size());
  return base::Bytes::Adopt(buffer);
}

unsigned char HeaderOf(std::string_view command) {
  return static_cast<unsigned char>(command.front());
}

Error Bad(const char* why) {
  return Error{ErrorCode::kInvalidArgument, std::string("bad command: ") + why};
}

/// The length that a snappy block claims; nothing unless it is above 0 and could be true: no block
/// expands by more than 64 bytes for 3 (a copy with a 2-byte offset).
std::optional<std::size_t> ClaimedLength(std::string_view block) {
  std::size_t length = 0;
  if (!snappy::GetUncompressedLength(block.data(), block.size(), &length)) return std::nullopt;
  if (length == 0 || length / 32 > block.size()) return std::nullopt;
  return length;
}

bool IsValidBlock(std::string_view block) {
  return snappy::IsValidCompressedBuffer(block.data(), block.size());
}

std::unexpected<Error> TooLarge(std::size_t bytes, std::size_t max_bytes) {
  return Fail(ErrorCode::kPayloadTooLarge, "a command of " + std::to_string(bytes) +
                                               " bytes is above the limit of " +
                                               std::to_string(max_bytes));
}

Result<std::string_view> Plain(std::string_view payload, std::size_t max_bytes) {
  if (payload.size() > max_bytes) return TooLarge(payload.size(), max_bytes);
  return payload;
}

/// Whether a Dragonboat member can send there, roughly: `host:port` without blanks inside. Its
/// exact syntax is not asked for, because members that understand more may use it among themselves.
bool LooksLikeAddress(std::string_view address) {
  const std::size_t first = address.find_first_not_of(' ');
  if (first == std::string_view::npos) return false;
  address = address.substr(first, address.find_last_not_of(' ') - first + 1);
  const std::size_t colon = address.rfind(':');
  if (colon == std::string_view::npos || colon == 0) return false;
  std::uint16_t port = 0;
  const char* end = address.data() + address.size();
  const auto [stop, problem] = std::from_chars(address.data() + colon + 1, end, port);
  if (problem != std::errc() || stop != end || port == 0) return false;
  return std::ranges::all_of(address, [](char c) { return c > ' ' && c < 0x7f; });
}

std::optional<std::string> WhyChangeUnfit(std::string_view command) {
  const Result<raft::ConfigChange> change = DecodeConfigChange(command);
  if (!change) return "a membership change that cannot be decoded";
  if (change->type != raft::ConfigChangeType::kRemove && !LooksLikeAddress(change->address)) {
    return "a membership change that adds a member without a usable address";
  }
  return std::nullopt;
}

std::optional<std::string> WhyEncodedUnfit(std::string_view command) {
  if (command.empty()) return "an encoded command without a header";
  const std::string_view body = command.substr(1);
  // A lone header is decoded as an empty command by all members.
  std::size_t length = body.size();
  if (HeaderOf(command) == kSnappyHeader) {
    const std::optional<std::size_t> claimed = ClaimedLength(body);
    if (!claimed || !IsValidBlock(body)) return "a command whose compressed body is damaged";
    length = *claimed;
  } else if (HeaderOf(command) != kPlainHeader) {
    return "a command with an unknown header";
  }
  if (length > kMaxCommandBytes) return "a command that is too large";
  return std::nullopt;
}

}  // namespace

void EncodeCommand(raft::Entry& entry, std::string_view payload, Compression compression) {
  if (payload.empty()) {
    entry.type = raft::EntryType::kApplication;
    entry.command = {};
    return;
  }
  entry.type = raft::EntryType::kEncoded;
  if (compression == Compression::kNone) {
    entry.command = WithHeader(kPlainHeader, payload);
    return;
  }
  std::string block;
  snappy::Compress(payload.data(), payload.size(), &block);
  entry.command = WithHeader(kSnappyHeader, block);
}

Result<std::string_view> DecodeCommand(const raft::Entry& entry, std::string& scratch,
                                       std::size_t max_bytes) {
  const std::string_view command = entry.command.view();
  if (entry.type == raft::EntryType::kApplication) return Plain(command, max_bytes);
  if (entry.type != raft::EntryType::kEncoded || command.empty()) {
    return std::unexpected(Bad("its type"));
  }
  const std::string_view body = command.substr(1);
  if (HeaderOf(command) == kPlainHeader) return Plain(body, max_bytes);
  if (HeaderOf(command) != kSnappyHeader) return std::unexpected(Bad("its header"));
  const std::optional<std::size_t> length = ClaimedLength(body);
  if (!length) return std::unexpected(Bad("its length"));
  if (*length > max_bytes) {
    if (IsValidBlock(body)) return TooLarge(*length, max_bytes);
    return std::unexpected(Bad("its compressed body is damaged"));
  }
  if (!snappy::Uncompress(body.data(), body.size(), &scratch)) {
    return std::unexpected(Bad("its compressed body is damaged"));
  }
  return std::string_view(scratch);
}

std::optional<std::string> WhyEntryUnfit(const raft::Entry& entry) {
  const std::string_view command = entry.command.view();
  if (entry.type == raft::EntryType::kConfigChange) return WhyChangeUnfit(command);
  if (entry.type == raft::EntryType::kMetadata) {
    if (entry.client_id != 0 || !command.empty()) return "metadata with a client or a command";
    return std::nullopt;
  }
  if (entry.client_id == 0) {
    if (entry.type == raft::EntryType::kApplication && command.empty()) return std::nullopt;
    return "a command without a client";
  }
  if (entry.key == 0) return "a client's entry without a key";
  if (entry.type == raft::EntryType::kEncoded) return WhyEncodedUnfit(command);
  if (entry.type != raft::EntryType::kApplication) return "an entry of an unknown type";
  if (command.size() > kMaxCommandBytes) return "a command that is too large";
  return std::nullopt;
}

}  // namespace drumbeat::codec
