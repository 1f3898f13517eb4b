// SPDX-License-Identifier: Apache-2.0
#include "simulation/sim_client.h"

#include <utility>

namespace drumbeat::simulation {
namespace {

constexpr std::chrono::milliseconds kTimeout(3000);
constexpr std::uint64_t kReadPercent = 40;
constexpr std::uint64_t kClosePercent = 2;

}  // namespace

SimClient::SimClient(World& world, SimShard& shard, std::uint64_t id, bool with_session,
                     std::function<SimHost*()> pick)
    : world_(world), shard_(shard), id_(id), with_session_(with_session), pick_(std::move(pick)) {}

void SimClient::Run(microseconds period) {
  period_ = period;
  Next();
}

void SimClient::Next() {
  world_.After(world_.Between(microseconds(1), period_ * 2), [this, running = running_] {
    if (!*running) return;
    SimHost* host = pick_();
    if (host == nullptr) return Next();
    if (!command_ && world_.Chance(kReadPercent)) return Read(*host);
    if (with_session_ && !session_) return OpenSession(*host);
    if (!command_ && session_ && world_.Chance(kClosePercent)) return CloseSession(*host);
    Write(*host);
  });
}

void SimClient::OpenSession(SimHost& host) {
  host.host().OpenSession(shard_.id(), kTimeout).Then([this](Result<Session> session) {
    if (session) session_ = *session;
    Next();
  });
}

void SimClient::CloseSession(SimHost& host) {
  host.host().CloseSession(*session_, kTimeout).Then([this](const Result<void>& closed) {
    if (closed) world_.Count(Happening::kSessionClosed);
    session_.reset();
    Next();
  });
}

void SimClient::Write(SimHost& host) {
  if (!command_) {
    command_ = "c" + std::to_string(id_) + "." + std::to_string(++written_);
    const std::uint64_t longest = shard_.plan().command_bytes;
    if (longest > 0 && world_.Chance(20)) {
      command_->resize(command_->size() + world_.random.Below(longest), '.');
    }
    maybe_applied_ = false;
  } else {
    world_.Count(Happening::kRetry);
  }
  const Session session = session_ ? *session_ : Session::NoOp(shard_.id());
  host.host()
      .Propose(shard_.id(), session, *command_, kTimeout)
      .Then([this](Result<ApplyResult> result) {
        WriteDone(result);
        Next();
      });
}

void SimClient::WriteDone(const Result<ApplyResult>& result) {
  if (!result && result.error().outcome() != Outcome::kUnknown) world_.Count(Happening::kRefusal);
  if (result) {
    shard_.oracle().WriteDone(*command_, result->value);
    if (session_) session_->ProposalCompleted();
    command_.reset();
    return;
  }
  const bool unknown = result.error().outcome() == Outcome::kUnknown;
  maybe_applied_ |= unknown;
  if (!with_session_) {
    if (!unknown) shard_.oracle().WriteRefused(*command_);
    command_.reset();
    return;
  }
  if (result.error().code == ErrorCode::kSessionExpired) {
    session_.reset();
    command_.reset();
    return;
  }
  // Nothing of it is under way: it may be given up as well as repeated.
  if (!maybe_applied_ && world_.Chance(50)) {
    shard_.oracle().WriteRefused(*command_);
    command_.reset();
  }
}

void SimClient::Read(SimHost& host) {
  const std::uint64_t at_least = shard_.oracle().ReadBegins();
  host.host().Read(shard_.id(), {}, kTimeout).Then([this, at_least](Result<std::any> seen) {
    if (seen) shard_.oracle().ReadDone(at_least, std::any_cast<ListState>(*seen));
    Next();
  });
}

}  // namespace drumbeat::simulation
