// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "codec/chunk.h"
#include "transport/connection.h"
#include "transport/incoming_connection.h"
#include "transport/place.h"
#include "transport/post_memory.h"
#include "transport/tcp_context.h"

namespace drumbeat::transport {

/// Reads one accepted connection, hands what arrives to the handler, and ends it when it
/// misbehaves. Belongs to the I/O thread.
class TcpIncoming : public std::enable_shared_from_this<TcpIncoming> {
 public:
  static constexpr Duration kHandshakeLimit = std::chrono::seconds(10);
  /// How long a stream waits for its turn: less than its sender does.
  static constexpr Duration kTurnLimit = std::chrono::seconds(4);

  /// `budget` is that of all from its network. `closed` is called once, when it ends by itself.
  TcpIncoming(TcpContext& context, std::shared_ptr<Connection> connection,
              std::shared_ptr<ReceiveBudget> budget, std::function<void(TcpIncoming*)> closed);

  ~TcpIncoming();
  TcpIncoming(const TcpIncoming&) = delete;
  TcpIncoming& operator=(const TcpIncoming&) = delete;

  void Start();
  /// Ends it from outside.
  void Close();

  const Place& place() const { return place_; }

 private:
  /// Runs `step`, and ends the connection when it throws: nothing would read it any more.
  template <class Step>
  void Try(Step step);
  void Handshake();
  void Read();
  void ReadNow();
  void Process(std::string_view bytes);
  /// False when the connection was closed or waits for something.
  bool Handle(Arrival arrival, std::string_view rest);
  bool HandleBatch(const base::Bytes& payload);
  void HandleChunk(const base::Bytes& payload, std::string_view rest);
  void HandOn(codec::Chunk chunk);
  void OnChunkHandled(bool accepted);
  bool HasTurn(Time now);
  /// Goes on when it is this stream's turn; ends the connection when that takes until `limit`.
  void AwaitTurn(Time limit);
  void LookForTurn(Time limit);
  void Confirm();

  void WatchDeadline();
  void WarnAndReset(const std::string& reason);
  void End(bool reset);

  TcpContext& context_;
  const std::shared_ptr<Connection> connection_;
  const std::shared_ptr<ReceiveBudget> budget_;
  std::function<void(TcpIncoming*)> closed_;
  IncomingConnection incoming_;
  Place place_;

  /// Arrived whole before its turn.
  std::optional<codec::Chunk> early_chunk_;
  /// Of the chunk that is with the handler, or early; `rest_` came behind it.
  std::size_t chunk_bytes_ = 0;
  std::size_t held_bytes_ = 0;
  bool last_chunk_ = false;
  Time handed_on_at_;
  /// The handler took one: no stranger.
  bool chunk_accepted_ = false;
  std::string rest_;
  /// For the chunk's outcome; so the last reference is always let go by the I/O thread, to which
  /// the budget belongs.
  PostMemory way_back_;
  /// Then nothing is read and no deadline counts.
  bool awaits_turn_ = false;

  asio::steady_timer timer_;
  std::optional<Time> timer_at_;
};

}  // namespace drumbeat::transport
