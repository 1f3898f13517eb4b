// SPDX-License-Identifier: Apache-2.0
#include "transport/outgoing_frame.h"

#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "transport/frames.h"

namespace drumbeat::transport {
namespace {

std::vector<QueuedMessage> Queued(std::vector<raft::Envelope> messages) {
  std::vector<QueuedMessage> queued;
  for (raft::Envelope& message : messages) {
    const std::size_t bytes = codec::EncodedMessageSize(message);
    queued.push_back({.envelope = std::move(message), .bytes = bytes, .queued_at = {}});
  }
  return queued;
}

const FrameStamp kStamp{.deployment_id = 1, .source_address = "stranger:1"};

TEST(OutgoingFrameTest, IsTheFrameAndTheBatchThatTheCodecMakes) {
  OutgoingFrame frame;
  const std::vector<raft::Envelope> messages = {HeartbeatOf(1, 2), AppendOf(2, 3, 100)};
  frame.Encode(Queued(messages), kStamp);
  EXPECT_EQ(frame.rest(), FrameOf(codec::FrameMethod::kMessageBatch, BatchOf(messages)));
  frame.Encode(Queued({HeartbeatOf(1, 9)}), kStamp);
  EXPECT_EQ(frame.rest(), FrameOf(codec::FrameMethod::kMessageBatch, BatchOf({HeartbeatOf(1, 9)})));
}

TEST(OutgoingFrameTest, UnderTlsThePayloadChecksumIsZero) {
  OutgoingFrame frame;
  FrameStamp stamp = kStamp;
  stamp.check = codec::PayloadCheck::kNone;
  frame.Encode(Queued({HeartbeatOf(1, 2)}), stamp);
  EXPECT_EQ(frame.rest().substr(16, 4), std::string_view("\0\0\0\0", 4));
}

TEST(OutgoingFrameTest, ChunksToo) {
  OutgoingFrame frame;
  const codec::Chunk chunk = ChunkOf(1, 3, std::string(1000, 'x'));
  frame.Encode(chunk, codec::PayloadCheck::kCrc32);
  EXPECT_EQ(frame.rest(), FrameOf(codec::FrameMethod::kSnapshotChunk, codec::EncodeChunk(chunk)));
}

TEST(OutgoingFrameTest, IsWrittenInPiecesAndAgain) {
  OutgoingFrame frame;
  frame.EncodeRaw("abcdef");
  EXPECT_FALSE(frame.done());
  frame.Advance(4);
  EXPECT_EQ(frame.rest(), "ef");
  frame.Rewind();
  EXPECT_EQ(frame.rest(), "abcdef");
  frame.Advance(6);
  EXPECT_TRUE(frame.done());
  frame.Trim();
  EXPECT_TRUE(frame.done());
}

}  // namespace
}  // namespace drumbeat::transport
