// SPDX-License-Identifier: Apache-2.0
#include "transport/outgoing_frame.h"

#include <algorithm>

#include "codec/message_batch.h"

namespace drumbeat::transport {
namespace {

/// Deployment, version, and their tags, rounded up.
constexpr std::size_t kTrailerBytes = 64;
constexpr std::size_t kKeptBytes = 4u << 20;

}  // namespace

void OutgoingFrame::Encode(std::span<const QueuedMessage> messages, const FrameStamp& stamp) {
  std::size_t size = codec::kFramePrefixBytes + kTrailerBytes + stamp.source_address.size();
  for (const QueuedMessage& message : messages) size += message.bytes;
  bytes_.clear();
  bytes_.reserve(size);
  bytes_.append(codec::kFramePrefixBytes, '\0');
  for (const QueuedMessage& message : messages) codec::AppendMessage(bytes_, message.envelope);
  codec::AppendBatchTrailer(bytes_, stamp.deployment_id, stamp.source_address);
  Seal(codec::FrameMethod::kMessageBatch, stamp.check);
}

void OutgoingFrame::Encode(const codec::Chunk& chunk, codec::PayloadCheck check) {
  const codec::EncodedChunk around = codec::EncodeChunkAround(chunk);
  bytes_.clear();
  bytes_.reserve(codec::kFramePrefixBytes + around.prefix.size() + chunk.data.size() +
                 around.suffix.size());
  bytes_.append(codec::kFramePrefixBytes, '\0');
  bytes_.append(around.prefix).append(chunk.data.view()).append(around.suffix);
  Seal(codec::FrameMethod::kSnapshotChunk, check);
}

void OutgoingFrame::EncodeRaw(std::string_view bytes) {
  bytes_.assign(bytes);
  written_ = 0;
}

void OutgoingFrame::Trim() {
  if (bytes_.capacity() > kKeptBytes) std::string().swap(bytes_);
  bytes_.clear();
  written_ = 0;
}

void OutgoingFrame::Seal(codec::FrameMethod method, codec::PayloadCheck check) {
  const auto payload = std::string_view(bytes_).substr(codec::kFramePrefixBytes);
  std::ranges::copy(codec::EncodeFramePrefix(method, payload, check), bytes_.begin());
  written_ = 0;
}

}  // namespace drumbeat::transport
