// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cstring>
#include <string>
#include <vector>

#include "base/byte_coding.h"
#include "base/crc.h"
#include "codec/frame.h"
#include "fuzz/input.h"
#include "fuzz/properties.h"
#include "fuzz/targets.h"
#include "transport/incoming_connection.h"

namespace drumbeat::fuzz {
namespace {

using transport::Arrival;

constexpr std::size_t kMaxFrameBytes = 1u << 20;
constexpr std::size_t kBudgetBytes = 2u << 20;

/// What came out of a connection, in order.
struct Heard {
  std::vector<std::string> frames;
  Arrival::Kind end = Arrival::Kind::kNothing;

  friend bool operator==(const Heard&, const Heard&) = default;
};

/// Feeds `bytes` in pieces of `piece` bytes (0: all at once), copied where the reader says if it
/// does. Nothing after the end of the conversation.
Heard Hear(std::string_view bytes, std::size_t piece, codec::PayloadCheck check,
           std::string& wrong) {
  transport::ReceiveBudget budget{.limit = kBudgetBytes};
  Heard heard;
  {
    transport::IncomingConnection reader({.max_frame_bytes = kMaxFrameBytes, .check = check},
                                         budget);
    const auto take = [&](std::string_view some) {
      for (;;) {
        Arrival arrival = reader.Take(some, {});
        if (arrival.kind == Arrival::Kind::kFrame) {
          heard.frames.emplace_back(arrival.payload.view());
          continue;
        }
        heard.end = arrival.kind;
        return arrival.kind == Arrival::Kind::kNothing;
      }
    };
    while (!bytes.empty()) {
      std::string_view some = bytes.substr(0, piece == 0 ? bytes.size() : piece);
      bytes.remove_prefix(some.size());
      const std::span<char> space = piece % 2 == 0 ? std::span<char>() : reader.Space();
      if (!space.empty()) {
        const std::size_t count = std::min(space.size(), some.size());
        std::memcpy(space.data(), some.data(), count);
        reader.Filled(count, {});
        if (!take({})) break;
        some.remove_prefix(count);
      }
      if (!take(some)) break;
      if (budget.used > kBudgetBytes) wrong = "the memory of unfinished frames is over its limit";
    }
    if (heard.frames.size() != reader.frames()) wrong = "frames are counted";
  }
  if (budget.used != 0) wrong = "a connection that is gone holds nothing";
  return heard;
}

/// `bytes` with right checksums wherever the frames are as their headers say, so that damage gets
/// behind them.
std::string WithRightChecksums(std::string_view bytes) {
  std::string fixed(bytes);
  for (std::size_t at = 0; at + codec::kFramePrefixBytes < fixed.size();) {
    const auto method = base::LoadBig<std::uint16_t>(fixed.data() + at + 2);
    const std::uint64_t left = fixed.size() - at - codec::kFramePrefixBytes;
    const std::uint64_t size =
        std::min(left, base::LoadBig<std::uint64_t>(fixed.data() + at + 4) % (left + 2));
    const std::string_view payload(fixed.data() + at + codec::kFramePrefixBytes, size);
    const auto prefix = codec::EncodeFramePrefix(static_cast<codec::FrameMethod>(method), size,
                                                 base::Crc32(payload));
    fixed.replace(at, prefix.size(), prefix.data(), prefix.size());
    at += prefix.size() + size;
  }
  return fixed;
}

std::string CheckStream(std::string_view bytes, std::size_t piece, codec::PayloadCheck check) {
  std::string wrong;
  const Heard at_once = Hear(bytes, 0, check, wrong);
  const Heard in_pieces = Hear(bytes, piece, check, wrong);
  const Heard byte_by_byte = Hear(bytes, 1, check, wrong);
  if (!wrong.empty()) return wrong;
  if (at_once != in_pieces || at_once != byte_by_byte) return "frames come out as they were cut";
  for (const std::string& frame : at_once.frames) {
    if (wrong = CheckMessageBatch(frame); !wrong.empty()) return wrong;
    if (wrong = CheckChunk(frame); !wrong.empty()) return wrong;
  }
  return {};
}

}  // namespace

std::string FuzzFrames(std::string_view bytes) {
  Input input(bytes);
  const std::size_t piece = 2 + input.Byte();
  const auto check = input.Bool() ? codec::PayloadCheck::kNone : codec::PayloadCheck::kCrc32;
  const std::string_view stream = input.Rest();
  if (std::string wrong = CheckFrameHeader(stream); !wrong.empty()) return wrong;
  if (std::string wrong = CheckStream(stream, piece, check); !wrong.empty()) return wrong;
  return CheckStream(WithRightChecksums(stream), piece, check);
}

}  // namespace drumbeat::fuzz
