// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "drumbeat/error.h"

#include "codec/chunk.h"
#include "raft/message.h"

namespace drumbeat::transport {

/// Receives what arrives. Called by the transport's threads.
class TransportHandler {
 public:
  virtual ~TransportHandler() = default;

  /// The messages of one batch that came from `source_address` (what the sender says it is), in
  /// order. Deployment, version and the form of each message were checked; who sent it was not.
  /// Called by the I/O thread: must not block.
  virtual void OnMessages(const std::string& source_address,
                          std::vector<raft::Envelope> messages) = 0;

  /// A piece of a snapshot, its membership not yet decoded (codec::DecodeChunkMembership); its
  /// connection is not read until this returns. May block on the disk.
  /// False: refused, the connection is closed.
  virtual bool OnChunk(codec::Chunk chunk) = 0;

  /// A connection to `address` could not be made or broke; what was sent lately may be lost. Told
  /// once, until OnConnected() is.
  virtual void OnUnreachable(const std::string& address, const std::string& reason) = 0;
  /// A connection for messages to `address` stands, for the first time or again.
  virtual void OnConnected(const std::string& address) = 0;
};

/// Hands out a snapshot's chunks, first to last. Called by one thread at a time.
class ChunkSource {
 public:
  virtual ~ChunkSource() = default;
  /// The next chunk; nothing after the last one. An error ends the stream.
  virtual Result<std::optional<codec::Chunk>> Next() = 0;
};

/// Carries messages and snapshots to other hosts and listens for theirs.
///
/// Delivery is not promised: messages may be lost, and reordered across shards. Of one shard to one
/// address those with entries keep their order while a connection lasts, and so do those without,
/// which overtake the others.
/// Thread-safety: all functions from any thread.
class Transport {
 public:
  virtual ~Transport() = default;

  /// Starts to listen and to deliver; call it once.
  virtual Result<void> Start(TransportHandler& handler) = 0;
  /// Ends all connections and threads; the handler is not called after it returns. Idempotent.
  virtual void Stop() = 0;

  /// Queues `message` for the host at `address`. Never blocks; what is over the queue's limits is
  /// dropped. Nothing is written before Flush(), except behind a write that is just ending.
  virtual void Send(const std::string& address, raft::Envelope message) = 0;
  /// Writes what is queued, as few system calls as it takes; never blocks.
  virtual void Flush() = 0;

  /// Streams a snapshot on a connection of its own. `done` is called exactly once: with success
  /// when the receiver has confirmed the end of the stream, else with what went wrong.
  virtual void SendSnapshot(const std::string& address, std::unique_ptr<ChunkSource> chunks,
                            std::function<void(Result<void>)> done) = 0;

  /// The bound address and port.
  virtual std::string listen_address() const = 0;
};

}  // namespace drumbeat::transport
