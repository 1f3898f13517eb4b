// SPDX-License-Identifier: Apache-2.0
#include "drumbeat/config.h"

#include <string>

#include "transport/address.h"

namespace drumbeat {
namespace {

constexpr std::size_t kMaxEntryBytes = 64u << 20;
constexpr std::size_t kMinLimitBytes = 1u << 16;
constexpr std::size_t kMinFrameBytes = 65u << 20;
/// More is a mistake, and multiples of it still fit.
constexpr std::size_t kMaxBytes = std::size_t{1} << 40;
constexpr std::uint64_t kMaxTicks = 1u << 20;
constexpr std::size_t kMaxThreads = 1024;

std::unexpected<Error> Bad(std::string text) {
  return Fail(ErrorCode::kInvalidArgument, std::move(text));
}

}  // namespace

Result<void> ReplicaConfig::Validate() const {
  if (!replica_id) return Bad("replica_id must be at least 1");
  if (heartbeat_ticks < 1) return Bad("heartbeat_ticks must be at least 1");
  if (heartbeat_ticks > kMaxTicks) return Bad("heartbeat_ticks is too large");
  if (election_ticks <= 2 * heartbeat_ticks) {
    return Bad("election_ticks must be more than twice heartbeat_ticks");
  }
  if (election_ticks > kMaxTicks) return Bad("election_ticks is too large");
  if (role == ReplicaRole::kWitness && snapshot_entries != 0) {
    return Bad("a witness takes no snapshots: snapshot_entries must be 0");
  }
  if (max_entry_bytes == 0 || max_entry_bytes > kMaxEntryBytes) {
    return Bad("max_entry_bytes must be 1 to 67108864");
  }
  if (max_in_memory_log_bytes != 0 && max_in_memory_log_bytes < max_entry_bytes) {
    return Bad("max_in_memory_log_bytes must be 0 or at least max_entry_bytes");
  }
  return {};
}

Result<void> NodeHostConfig::Validate() const {
  if (data_dir.empty()) return Bad("data_dir is not set");
  const auto syntax = transport::AddressSyntax::kIpv6Too;
  if (!transport::ParseAddress(raft_address, syntax)) {
    return Fail(ErrorCode::kInvalidAddress,
                "raft_address '" + raft_address + "' is not a host:port address");
  }
  if (!listen_address.empty() && !transport::ParseAddress(listen_address, syntax, true)) {
    return Fail(ErrorCode::kInvalidAddress,
                "listen_address '" + listen_address + "' is not a host:port address");
  }
  if (tls && (tls->ca_file.empty() || tls->certificate_file.empty() || tls->key_file.empty())) {
    return Bad("tls needs ca_file, certificate_file and key_file");
  }
  if (tick < std::chrono::milliseconds(1) || tick > std::chrono::minutes(1)) {
    return Bad("tick must be 1 ms to 1 minute");
  }
  if (engine_workers > kMaxThreads) return Bad("engine_workers is too large");
  if (apply_workers > kMaxThreads) return Bad("apply_workers is too large");
  if (log_store_memory_bytes < (4u << 20))
    return Bad("log_store_memory_bytes must be 4 MiB or more");
  if (log_store_memory_bytes > kMaxBytes) return Bad("log_store_memory_bytes is too large");
  if (transport.max_connections < 1) return Bad("transport.max_connections must be at least 1");
  if (transport.max_frame_bytes < kMinFrameBytes) {
    return Bad("transport.max_frame_bytes must be at least 68157440: what peers send at once");
  }
  if (transport.max_frame_bytes > kMaxBytes) return Bad("transport.max_frame_bytes is too large");
  if (transport.max_send_queue_bytes < kMinLimitBytes) {
    return Bad("transport.max_send_queue_bytes is too small");
  }
  if (transport.max_send_queue_messages < 1) {
    return Bad("transport.max_send_queue_messages must be at least 1");
  }
  if (transport.max_receive_queue_bytes < kMinLimitBytes) {
    return Bad("transport.max_receive_queue_bytes is too small");
  }
  if (transport.max_snapshots_out < 1 || transport.max_snapshots_in < 1) {
    return Bad("transport.max_snapshots_out and max_snapshots_in must be at least 1");
  }
  return {};
}

}  // namespace drumbeat
