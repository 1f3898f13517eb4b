// SPDX-License-Identifier: Apache-2.0
#include "codec/command.h"

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
  if (entry.type == raft::EntryType::kApplication) return command;
  if (entry.type != raft::EntryType::kEncoded || command.empty()) {
    return std::unexpected(Bad("its type"));
  }
  const std::string_view body = command.substr(1);
  if (HeaderOf(command) == kPlainHeader) return body;
  if (HeaderOf(command) != kSnappyHeader) return std::unexpected(Bad("its header"));
  const std::optional<std::size_t> length = ClaimedLength(body);
  if (!length) return std::unexpected(Bad("its length"));
  if (*length > max_bytes) {
    return Fail(ErrorCode::kPayloadTooLarge, "a command of " + std::to_string(*length) +
                                                 " bytes is above the limit of " +
                                                 std::to_string(max_bytes));
  }
  if (!snappy::Uncompress(body.data(), body.size(), &scratch)) {
    return std::unexpected(Bad("its compressed body is damaged"));
  }
  return std::string_view(scratch);
}

std::optional<std::string> WhyEntryUnfit(const raft::Entry& entry) {
  const std::string_view command = entry.command.view();
  switch (entry.type) {
    case raft::EntryType::kConfigChange:
      if (!DecodeConfigChange(command)) return "a membership change that cannot be decoded";
      return std::nullopt;
    case raft::EntryType::kMetadata:
      if (entry.client_id != 0 || !command.empty()) return "metadata with a client or a command";
      return std::nullopt;
    case raft::EntryType::kApplication:
    case raft::EntryType::kEncoded: break;
  }
  if (entry.client_id == 0) {
    if (!command.empty() || entry.type == raft::EntryType::kEncoded)
      return "a command without a client";
    return std::nullopt;
  }
  if (entry.key == 0) return "a client's entry without a key";
  if (entry.type == raft::EntryType::kApplication) return std::nullopt;
  if (command.empty()) return "an encoded command without a header";
  if (HeaderOf(command) == kPlainHeader) {
    // Dragonboat sends an empty payload as kApplication; a lone header is decoded as empty there.
    return std::nullopt;
  }
  if (HeaderOf(command) != kSnappyHeader) return "a command with an unknown header";
  if (!ClaimedLength(command.substr(1)) ||
      !snappy::IsValidCompressedBuffer(command.data() + 1, command.size() - 1)) {
    return "a command whose compressed body is damaged";
  }
  return std::nullopt;
}

}  // namespace drumbeat::codec
