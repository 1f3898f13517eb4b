// SPDX-License-Identifier: Apache-2.0
#include "drumbeat/node_host.h"

#include <filesystem>
#include <system_error>
#include <utility>

#include <unistd.h>

#include "base/random.h"
#include "base/thread.h"
#include "logging/logger.h"
#include "node_host/host.h"
#include "transport/address.h"
#include "transport/tcp_transport.h"

namespace drumbeat {
namespace {

/// Every field that may be left open is filled in; a path that a chdir() would change is no longer
/// one.
NodeHostConfig Complete(NodeHostConfig config) {
  std::error_code failure;
  std::filesystem::path absolute = std::filesystem::absolute(config.data_dir, failure);
  if (!failure) config.data_dir = std::move(absolute);
  config.raft_address = transport::NormalizeAddress(config.raft_address);
  if (config.listen_address.empty()) config.listen_address = config.raft_address;
  if (config.deployment_id == 0) config.deployment_id = 1;
  if (config.log_sink == nullptr) config.log_sink = logging::MakeStderrSink();
  return config;
}

transport::TcpOptions TransportOptions(const NodeHostConfig& config) {
  transport::TcpOptions options;
  options.raft_address = config.raft_address;
  options.listen_address = config.listen_address;
  options.listen_fd = config.listen_fd;
  options.deployment_id = config.deployment_id;
  if (config.tls) {
    options.tls = transport::TlsFiles{.ca_file = config.tls->ca_file.string(),
                                      .certificate_file = config.tls->certificate_file.string(),
                                      .key_file = config.tls->key_file.string()};
  }
  const TransportLimits& limits = config.transport;
  options.max_connections = limits.max_connections;
  options.max_frame_bytes = limits.max_frame_bytes;
  options.max_send_queue_bytes = limits.max_send_queue_bytes;
  options.max_send_queue_messages = limits.max_send_queue_messages;
  options.max_snapshots_out = limits.max_snapshots_out;
  options.snapshot_send_bytes_per_second = limits.snapshot_send_bytes_per_second;
  options.snapshot_receive_bytes_per_second = limits.snapshot_receive_bytes_per_second;
  return options;
}

}  // namespace

/// A host over real parts.
class NodeHost::Impl {
 public:
  static Result<std::unique_ptr<Impl>> Open(NodeHostConfig config);

  std::unique_ptr<node_host::Host> host;
};

Result<std::unique_ptr<NodeHost::Impl>> NodeHost::Impl::Open(NodeHostConfig config) {
  const logging::Logger logger(config.log_sink, config.log_level, "drumbeat");
  const storage::FolderIdentity identity{.raft_address = config.raft_address,
                                         .deployment_id = config.deployment_id};
  // The lock first, so that a second process hears of the first one and not of its port; then the
  // port, before anything is written.
  auto folder = storage::DataFolder::OpenExisting(config.data_dir, identity);
  if (!folder) return std::unexpected(folder.error());
  auto transport = transport::MakeTcpTransport(TransportOptions(config), logger.For("transport"));
  if (!transport) return std::unexpected(transport.error());
  if (*folder == nullptr) {
    folder = storage::DataFolder::Create(config.data_dir, identity);
    if (!folder) return std::unexpected(folder.error());
  }
  auto stores = storage::OpenRocksDbStores({.directory = (*folder)->path() / storage::kStoresName,
                                            .memory_bytes = config.log_store_memory_bytes},
                                           logger.For("logdb"));
  if (!stores) return std::unexpected(stores.error());
  node_host::HostParts parts{.scheduler = node_host::MakeThreadScheduler(),
                             .folder = std::move(*folder),
                             .stores = std::move(*stores),
                             .transport = std::move(*transport),
                             .logger = logger,
                             .id = {},
                             .seed = base::SystemRandom()};
  parts.id = parts.folder->host_id();
  storage::DataFolder& kept = *parts.folder;
  config.listen_fd = -1;  // the transport's by now
  auto host = node_host::Host::Start(config, std::move(parts));
  if (!host) return std::unexpected(host.error());
  if (Result<void> noted = kept.Keep(); !noted) return std::unexpected(noted.error());
  auto impl = std::make_unique<Impl>();
  impl->host = std::move(*host);
  return impl;
}

Result<std::unique_ptr<NodeHost>> NodeHost::Open(NodeHostConfig config) {
  if (Result<void> valid = config.Validate(); !valid) return std::unexpected(valid.error());
  const int handed_in = config.listen_fd;
  auto impl = Impl::Open(Complete(std::move(config)));
  if (!impl) return std::unexpected(impl.error());
  if (handed_in >= 0) ::close(handed_in);
  return std::unique_ptr<NodeHost>(new NodeHost(std::move(*impl)));
}

NodeHost::NodeHost(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

NodeHost::~NodeHost() {
  if (!impl_->host->MustNotWait()) {
    Close();
    return;
  }
  // Its threads cannot wait for themselves.
  Impl* const left = impl_.release();
  try {
    base::StartThread("db-close", [left] {
      left->host->Close(kHandover);
      delete left;
    }).detach();
  } catch (const std::system_error&) {
    left->host->Close(kHandover);  // begins, and says why it does not end
  }
}

void NodeHost::Close(std::chrono::milliseconds handover) { impl_->host->Close(handover); }

const NodeHostConfig& NodeHost::config() const { return impl_->host->config(); }
std::string NodeHost::listen_address() const { return impl_->host->listen_address(); }
const std::string& NodeHost::id() const { return impl_->host->id(); }

Result<void> NodeHost::StartReplica(const StartOptions& options, StateMachineFactory factory,
                                    const ReplicaConfig& config) {
  return impl_->host->StartReplica(options, factory, config);
}

Request<void> NodeHost::StopShard(ShardId shard) { return impl_->host->StopShard(shard); }

Result<void> NodeHost::RemoveData(ShardId shard, ReplicaId replica) {
  return impl_->host->RemoveData({shard, replica});
}

Request<ApplyResult> NodeHost::Propose(ShardId shard, const Session& session,
                                       std::string_view command,
                                       std::chrono::milliseconds timeout) {
  return impl_->host->Propose(shard, session, command, timeout);
}

Request<Session> NodeHost::OpenSession(ShardId shard, std::chrono::milliseconds timeout) {
  return impl_->host->OpenSession(shard, timeout);
}

Request<void> NodeHost::CloseSession(const Session& session, std::chrono::milliseconds timeout) {
  return impl_->host->CloseSession(session, timeout);
}

Request<Index> NodeHost::ReadIndex(ShardId shard, std::chrono::milliseconds timeout) {
  return impl_->host->ReadIndex(shard, timeout);
}

Request<std::any> NodeHost::Read(ShardId shard, std::any query, std::chrono::milliseconds timeout) {
  return impl_->host->Read(shard, std::move(query), timeout);
}

Result<std::any> NodeHost::StaleRead(ShardId shard, const std::any& query) {
  return impl_->host->StaleRead(shard, query);
}

Request<Membership> NodeHost::GetShardMembership(ShardId shard, std::chrono::milliseconds timeout) {
  return impl_->host->GetShardMembership(shard, timeout);
}

Request<Membership> NodeHost::RequestAddReplica(ShardId shard, ReplicaId replica,
                                                std::string address,
                                                std::chrono::milliseconds timeout,
                                                std::uint64_t config_change_id) {
  return impl_->host->RequestChange(shard,
                                    {.config_change_id = config_change_id,
                                     .type = raft::ConfigChangeType::kAddVoter,
                                     .replica = replica,
                                     .address = std::move(address)},
                                    timeout);
}

Request<Membership> NodeHost::RequestAddNonVoting(ShardId shard, ReplicaId replica,
                                                  std::string address,
                                                  std::chrono::milliseconds timeout,
                                                  std::uint64_t config_change_id) {
  return impl_->host->RequestChange(shard,
                                    {.config_change_id = config_change_id,
                                     .type = raft::ConfigChangeType::kAddNonVoting,
                                     .replica = replica,
                                     .address = std::move(address)},
                                    timeout);
}

Request<Membership> NodeHost::RequestAddWitness(ShardId shard, ReplicaId replica,
                                                std::string address,
                                                std::chrono::milliseconds timeout,
                                                std::uint64_t config_change_id) {
  return impl_->host->RequestChange(shard,
                                    {.config_change_id = config_change_id,
                                     .type = raft::ConfigChangeType::kAddWitness,
                                     .replica = replica,
                                     .address = std::move(address)},
                                    timeout);
}

Request<Membership> NodeHost::RequestDeleteReplica(ShardId shard, ReplicaId replica,
                                                   std::chrono::milliseconds timeout,
                                                   std::uint64_t config_change_id) {
  return impl_->host->RequestChange(shard,
                                    {.config_change_id = config_change_id,
                                     .type = raft::ConfigChangeType::kRemove,
                                     .replica = replica,
                                     .address = {}},
                                    timeout);
}

Request<Index> NodeHost::RequestSnapshot(ShardId shard, const SnapshotOptions& options,
                                         std::chrono::milliseconds timeout) {
  return impl_->host->RequestSnapshot(shard, options, timeout);
}

Result<LeaderInfo> NodeHost::GetLeader(ShardId shard) const {
  return impl_->host->GetLeader(shard);
}

Request<LeaderInfo> NodeHost::RequestLeaderTransfer(ShardId shard, ReplicaId target,
                                                    std::chrono::milliseconds timeout) {
  return impl_->host->RequestLeaderTransfer(shard, target, timeout);
}

Result<ReplicaInfo> NodeHost::GetReplicaInfo(ShardId shard) const {
  return impl_->host->GetReplicaInfo(shard);
}

std::vector<ReplicaInfo> NodeHost::GetNodeHostInfo() const {
  return impl_->host->GetNodeHostInfo();
}

}  // namespace drumbeat
