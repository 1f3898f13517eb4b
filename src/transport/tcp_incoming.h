// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "transport/connection.h"
#include "transport/incoming_connection.h"
#include "transport/tcp_context.h"

namespace drumbeat::transport {

/// Reads one accepted connection, hands what arrives to the handler, and ends it when it
/// misbehaves. Belongs to the I/O thread.
class TcpIncoming : public std::enable_shared_from_this<TcpIncoming> {
 public:
  static constexpr Duration kHandshakeLimit = std::chrono::seconds(10);
  /// How long a stream waits for its turn: less than its sender does.
  static constexpr Duration kTurnLimit = std::chrono::seconds(4);

  /// How much would be lost by closing it, least first.
  enum class Worth : std::uint8_t { kStranger, kPeer, kBusy };

  /// `closed` is called once, when it ends by itself.
  TcpIncoming(TcpContext& context, std::shared_ptr<Connection> connection,
              std::function<void(TcpIncoming*)> closed);

  void Start();
  /// Ends it from outside.
  void Close();

  Worth worth() const;
  std::string source() const { return connection_->source(); }
  bool shaking_hands() const { return shaking_hands_; }
  /// When it was accepted or last brought a frame of our deployment.
  Time last_used() const { return last_used_; }

 private:
  void Handshake();
  void Read();
  void ReadPlain();
  void ReadSecure();
  void Process(std::string_view bytes);
  /// False when the connection was closed or waits for something.
  bool Handle(Arrival arrival, std::string_view rest);
  bool HandleBatch(const base::Bytes& payload);
  void HandleChunk(const base::Bytes& payload, std::string_view rest);
  void OnChunkHandled(bool accepted);
  bool HasTurn(Time now);
  /// Reads on when it is this stream's turn; ends the connection when that takes until `limit`.
  void AwaitTurn(Time limit);
  void Confirm();

  void WatchDeadline();
  void WarnAndReset(const std::string& reason);
  void End(bool reset);

  TcpContext& context_;
  const std::shared_ptr<Connection> connection_;
  std::function<void(TcpIncoming*)> closed_;
  IncomingConnection incoming_;
  Time last_used_;
  bool shaking_hands_ = false;
  /// Brought a frame of our deployment.
  bool known_ = false;

  /// A chunk is with the handler; `rest_` came behind it.
  bool chunk_under_way_ = false;
  std::size_t chunk_bytes_ = 0;
  bool last_chunk_ = false;
  /// The handler took one: no stranger.
  bool chunk_accepted_ = false;
  std::string rest_;

  /// Only under TLS; plain connections share one buffer.
  std::vector<char> secure_buffer_;
  asio::steady_timer timer_;
  std::optional<Time> timer_at_;
};

}  // namespace drumbeat::transport
