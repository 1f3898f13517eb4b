// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "drumbeat/error.h"

#include "base/bytes.h"
#include "raft/message.h"

namespace drumbeat::codec {

/// Dragonboat's TransportBinVersion; every batch and chunk carries it.
constexpr std::uint32_t kBinVersion = 210;

struct MessageBatch {
  std::uint64_t deployment_id = 1;
  /// The sender's raft address.
  std::string source_address;
  std::uint32_t bin_version = kBinVersion;
  std::vector<raft::Envelope> messages;
  /// Messages that were well formed but have no business on the wire, and were left out: local
  /// kinds, InstallSnapshot, unknown types; `to` or `from` 0, or both the same; term 0 where one is
  /// due or a term where none is; terms and indexes beyond kMaxTermOrIndex; entries with a gap, of
  /// falling terms or of a later term than the message's; a read without context; and the like.
  std::size_t refused = 0;
};

/// What a batch may decode to: in memory a message takes up to 40 times its bytes, an entry 30.
struct DecodeLimits {
  std::size_t max_messages = 1u << 18;
  std::size_t max_entries = 1u << 20;
};

/// Terms and indexes above this are refused, so that arithmetic on them cannot wrap.
constexpr std::uint64_t kMaxTermOrIndex = ~std::uint64_t{0} - (1u << 20);

/// Bytes that one message will take in a batch, with its tag and length.
std::size_t EncodedMessageSize(const raft::Envelope& envelope);
/// Appends one message as a batch's field 1. Messages that would end a Dragonboat process are a
/// checked error of the caller: InstallSnapshot, `to` 0, entries with a gap. Forwarded requests are
/// written with term 0 for the same reason, whatever their envelope says.
void AppendMessage(std::string& out, const raft::Envelope& envelope);
/// Appends the batch's own fields, behind its messages.
void AppendBatchTrailer(std::string& out, std::uint64_t deployment_id,
                        std::string_view source_address);
/// A whole batch at once (tests, tools).
std::string EncodeMessageBatch(const MessageBatch& batch);

/// Decodes a batch as tolerantly as Dragonboat does: unknown fields are skipped, missing ones are
/// zero, the last of repeated scalars wins. Refuses what protobuf refuses and what is over the
/// limits. Commands are views that share `payload`'s buffer, or a copy for each message where
/// they would pin much more memory than they hold.
Result<MessageBatch> DecodeMessageBatch(const base::Bytes& payload,
                                        const DecodeLimits& limits = {});

}  // namespace drumbeat::codec
