// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "drumbeat/config.h"
#include "drumbeat/error.h"

#include "base/bytes.h"
#include "raft/entry.h"

namespace drumbeat::codec {

/// The largest payload that members agree to apply, as large as any may be proposed.
constexpr std::size_t kMaxCommandBytes = 64u << 20;

/// Gives `entry` the type and command bytes that stand for a client's `payload`: type kEncoded with
/// a header byte and the payload, compressed or not; type kApplication and no bytes when empty.
void EncodeCommand(raft::Entry& entry, std::string_view payload, Compression compression);

/// The payload that a client's entry stands for. The view shares the entry's bytes or, when it was
/// compressed, points into `scratch`. Refuses unknown headers and lying lengths
/// (kInvalidArgument, the same on every member) and payloads beyond `max_bytes`
/// (kPayloadTooLarge).
Result<std::string_view> DecodeCommand(const raft::Entry& entry, std::string& scratch,
                                       std::size_t max_bytes);

/// Why an entry must not enter a log, because applying it would be impossible here or end a
/// Dragonboat member (wire.md section 12): key 0 on a client's entry, a command without client,
/// a bad header or compressed body, more than kMaxCommandBytes, a membership change that cannot be
/// decoded or adds a member without a `host:port`; nothing when it may. Does not decompress, but
/// takes time in proportion to a compressed command.
std::optional<std::string> WhyEntryUnfit(const raft::Entry& entry);

}  // namespace drumbeat::codec
