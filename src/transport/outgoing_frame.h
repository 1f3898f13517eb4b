// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "codec/chunk.h"
#include "codec/frame.h"
#include "transport/send_queue.h"

namespace drumbeat::transport {

/// What goes into every frame of a host.
struct FrameStamp {
  std::uint64_t deployment_id = 1;
  std::string source_address;
  codec::PayloadCheck check = codec::PayloadCheck::kCrc32;
};

/// One frame on its way out, in a buffer that is used again for the next one.
class OutgoingFrame {
 public:
  /// One batch of `messages`, at least one.
  void Encode(std::span<const QueuedMessage> messages, const FrameStamp& stamp);
  void Encode(const codec::Chunk& chunk, codec::PayloadCheck check);
  /// Bytes as they are, such as the poison.
  void EncodeRaw(std::string_view bytes);

  /// What is still to be written.
  std::string_view rest() const { return std::string_view(bytes_).substr(written_); }
  bool done() const { return written_ == bytes_.size(); }
  void Advance(std::size_t written) { written_ += written; }
  /// To be written again from its start, on another connection.
  void Rewind() { written_ = 0; }
  /// Gives the buffer's memory back if it is a large one.
  void Trim();

 private:
  void Seal(codec::FrameMethod method, codec::PayloadCheck check);

  std::string bytes_;
  std::size_t written_ = 0;
};

}  // namespace drumbeat::transport
