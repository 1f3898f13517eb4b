// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "transport/address.h"
#include "transport/connection.h"
#include "transport/tcp_context.h"

namespace drumbeat::transport {

/// Makes one connection: looks the name up, tries its addresses one after the other, shakes hands
/// where TLS is on. Belongs to the I/O thread.
class Dialer : public std::enable_shared_from_this<Dialer> {
 public:
  /// For the lookup and all addresses together.
  static constexpr Duration kConnectLimit = std::chrono::seconds(5);
  static constexpr Duration kHandshakeLimit = std::chrono::seconds(10);

  /// `connection` is null when it failed for `reason`.
  using Done = std::function<void(std::shared_ptr<Connection> connection, std::string reason)>;

  /// Calls `done` once, later, from the I/O thread; never after Cancel().
  static std::shared_ptr<Dialer> Start(TcpContext& context, const HostPort& target, Done done);

  Dialer(TcpContext& context, HostPort target, Done done);
  void Cancel();

 private:
  /// Runs `step` of a dial under way, and fails it when there is no memory for that.
  template <class Step>
  void Try(Step step);
  void OnResolved(std::vector<Tcp::endpoint> endpoints, std::string error);
  void TryNext();
  void OnConnected(const AsioError& error);
  void Handshake();
  void Finish(std::shared_ptr<Connection> connection, std::string reason);
  void Fail(std::string reason) { Finish(nullptr, std::move(reason)); }
  /// Ends the current step at `limit`.
  void Watch(Time limit, std::string reason);

  TcpContext& context_;
  const HostPort target_;
  /// Empty once it was called.
  Done done_;
  const Time connect_limit_;
  std::vector<Tcp::endpoint> endpoints_;
  std::size_t next_ = 0;
  /// Why they may be out of date; empty when they are not.
  std::string doubt_;
  std::string last_failure_;
  Tcp::socket socket_;
  std::shared_ptr<Connection> connection_;
  asio::steady_timer timer_;
};

}  // namespace drumbeat::transport
