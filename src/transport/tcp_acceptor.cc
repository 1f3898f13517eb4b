// SPDX-License-Identifier: Apache-2.0
#include "transport/tcp_acceptor.h"

#include <algorithm>
#include <cstddef>
#include <iterator>
#include <optional>
#include <utility>

#include "base/descriptors.h"

namespace drumbeat::transport {
namespace {

constexpr Duration kPauseAfterError = std::chrono::milliseconds(100);
/// Of all connections, the part that may be in a handshake.
constexpr std::size_t kHandshakeShare = 4;

/// Whether closing a connection would help.
bool IsShortage(const AsioError& error) {
  return error == boost::system::errc::too_many_files_open ||
         error == boost::system::errc::too_many_files_open_in_system ||
         error == boost::system::errc::no_buffer_space ||
         error == boost::system::errc::not_enough_memory;
}

}  // namespace

TcpAcceptor::TcpAcceptor(TcpContext& context, std::vector<Tcp::acceptor> acceptors)
    : context_(context),
      max_connections_(std::min(context.options.max_connections,
                                base::ShareOutDescriptors().incoming_connections)),
      acceptors_(std::move(acceptors)) {
  for (std::size_t i = 0; i < acceptors_.size(); ++i) pauses_.emplace_back(context.io);
}

void TcpAcceptor::Start() {
  for (std::size_t i = 0; i < acceptors_.size(); ++i) Accept(i);
}

void TcpAcceptor::Stop() {
  stopped_ = true;
  AsioError ignored;
  for (Tcp::acceptor& acceptor : acceptors_) acceptor.close(ignored);
  for (asio::steady_timer& pause : pauses_) pause.cancel();
  for (auto& [key, connection] : connections_) connection->Close();
  connections_.clear();
}

void TcpAcceptor::Accept(std::size_t index) {
  acceptors_[index].async_accept([this, index](const AsioError& error, Tcp::socket socket) {
    OnAccepted(index, error, std::move(socket));
  });
}

void TcpAcceptor::OnAccepted(std::size_t index, const AsioError& error, Tcp::socket socket) {
  if (stopped_ || error == asio::error::operation_aborted) return;
  if (error && error != asio::error::connection_aborted) return Pause(index, error);
  // First, so that it goes on when there is no memory for this one.
  Accept(index);
  if (!error) Admit(std::move(socket));
}

void TcpAcceptor::Admit(Tcp::socket socket) {
  if (connections_.size() >= max_connections_) MakeRoom(false);
  if (context_.tls &&
      CountShakingHands() >= std::max<std::size_t>(max_connections_ / kHandshakeShare, 1)) {
    MakeRoom(true);
  }
  auto connection = std::make_shared<Connection>(
      std::move(socket), context_.tls ? &context_.tls->accepting() : nullptr);
  std::shared_ptr<ReceiveBudget> budget = BudgetOf(connection->source().network);
  auto incoming =
      std::make_shared<TcpIncoming>(context_, std::move(connection), std::move(budget),
                                    [this](TcpIncoming* ended) { connections_.erase(ended); });
  connections_.emplace(incoming.get(), incoming);
  incoming->Start();
}

void TcpAcceptor::Pause(std::size_t index, const AsioError& error) {
  WarnOfStranger(context_, "cannot accept a connection: " + error.message());
  if (IsShortage(error)) MakeRoom(false);
  pauses_[index].expires_after(kPauseAfterError);
  pauses_[index].async_wait([this, index](const AsioError& stopped) {
    if (!stopped && !stopped_) Accept(index);
  });
}

void TcpAcceptor::MakeRoom(bool only_shaking_hands) {
  std::vector<Place> places;
  places.reserve(connections_.size());
  for (const auto& [key, connection] : connections_) places.push_back(connection->place());
  const std::optional<std::size_t> worst = WhoMakesRoom(places, only_shaking_hands);
  if (!worst) return;
  const auto found = std::next(connections_.begin(), static_cast<std::ptrdiff_t>(*worst));
  const std::shared_ptr<TcpIncoming> connection = found->second;
  connections_.erase(found);
  connection->Close();
}

std::size_t TcpAcceptor::CountShakingHands() const {
  return static_cast<std::size_t>(std::ranges::count_if(
      connections_, [](const auto& entry) { return entry.second->place().shaking_hands; }));
}

std::shared_ptr<ReceiveBudget> TcpAcceptor::BudgetOf(const asio::ip::address& network) {
  if (std::shared_ptr<ReceiveBudget> known = budgets_[network].lock()) return known;
  std::erase_if(budgets_, [](const auto& entry) { return entry.second.expired(); });
  auto budget = std::make_shared<ReceiveBudget>(ReceiveBudget{
      .limit = context_.options.max_frame_bytes, .used = 0, .whole = &context_.receive_budget});
  budgets_[network] = budget;
  return budget;
}

}  // namespace drumbeat::transport
