// SPDX-License-Identifier: Apache-2.0
#include "proposer.h"

#include <algorithm>
#include <utility>

namespace helloworld {
namespace {

using drumbeat::Error;
using drumbeat::ErrorCode;
using drumbeat::Fail;
using drumbeat::Outcome;
using drumbeat::Result;

using Clock = ShardClient::Clock;
using std::chrono::milliseconds;

// How long each attempt of one step may take.
class Attempts {
 public:
  Attempts(Clock::time_point deadline, const LineLimits& limits)
      : deadline_(deadline), longest_(limits.longest_attempt), next_(limits.first_attempt) {}

  milliseconds Next(const ShardClient& client) {
    const auto left = std::chrono::ceil<milliseconds>(deadline_ - client.Now());
    const milliseconds time = std::clamp(left, milliseconds(1), next_);
    next_ = std::min(2 * next_, longest_);
    return time;
  }

 private:
  const Clock::time_point deadline_;
  const milliseconds longest_;
  milliseconds next_;
};

}  // namespace

Result<void> AwaitLeader(ShardClient& client, Clock::time_point deadline,
                         const LineLimits& limits) {
  Attempts attempts(deadline, limits);
  while (client.Now() < deadline) {
    Result<void> confirmed = client.SyncReadIndex(attempts.Next(client));
    if (confirmed || !confirmed.error().retryable()) return confirmed;
    client.Pause(limits.pause);
  }
  return Fail(ErrorCode::kTimeout);
}

std::string Describe(const Error& error, std::string_view what) {
  switch (error.code) {
    // The program started the replica of this shard: if it is not here any more, it was removed.
    case ErrorCode::kReplicaRemoved:
    case ErrorCode::kShardNotFound:
      return "shard not found, this replica was removed from the group";
    default: break;
  }
  std::string text(error.code == ErrorCode::kTimeout ? "timeout" : error.text());
  if (error.outcome() == Outcome::kUnknown) {
    text += ", ";
    text += what;
    text += " may still be applied";
  }
  return text;
}

Proposer::Proposer(ShardClient& client, LineLimits limits) : client_(client), limits_(limits) {}

std::expected<void, std::string> Proposer::Propose(std::string_view message) {
  Result<void> proposed = Fail(ErrorCode::kSessionExpired);
  // A session that the shard has forgotten is no reason to trouble anybody: one more try, anew.
  for (int tries = 0; tries < 2 && !proposed; ++tries) {
    if (proposed.error().code != ErrorCode::kSessionExpired) break;
    if (const Result<void> ready = Prepare(); !ready) {
      if (ready.error().code == ErrorCode::kTimeout) {
        return std::unexpected("failed to get a proposal session, timeout");
      }
      proposed = ready;
      break;
    }
    proposed = ProposeWithRetries(message);
  }
  if (proposed) return {};
  return std::unexpected("SyncPropose returned error " + Describe(proposed.error(), "the message"));
}

void Proposer::Close(milliseconds limit) {
  // Nobody waits for the answer: a session that stays behind is evicted in time.
  if (session_) (void)client_.SyncCloseSession(*session_, limit);
  session_.reset();
}

Result<void> Proposer::Prepare() {
  const Clock::time_point deadline = client_.Now() + limits_.session;
  if (Result<void> led = AwaitLeader(client_, deadline, limits_); !led) return led;
  if (Result<void> closed = CloseGivenUp(deadline); !closed) return closed;
  Attempts attempts(deadline, limits_);
  while (!session_) {
    if (client_.Now() >= deadline) return Fail(ErrorCode::kTimeout);
    Result<drumbeat::Session> session = client_.SyncGetSession(attempts.Next(client_));
    if (session) {
      session_ = *session;
    } else if (session.error().retryable()) {
      client_.Pause(limits_.pause);
    } else {
      return std::unexpected(std::move(session.error()));
    }
  }
  return {};
}

Result<void> Proposer::CloseGivenUp(Clock::time_point deadline) {
  Attempts attempts(deadline, limits_);
  while (given_up_) {
    if (client_.Now() >= deadline) return Fail(ErrorCode::kTimeout);
    Result<void> closed = client_.SyncCloseSession(*given_up_, attempts.Next(client_));
    if (closed || closed.error().code == ErrorCode::kSessionExpired) {
      given_up_.reset();
    } else if (closed.error().retryable()) {
      client_.Pause(limits_.pause);
    } else {
      return closed;
    }
  }
  return {};
}

Result<void> Proposer::ProposeWithRetries(std::string_view message) {
  const Clock::time_point deadline = client_.Now() + limits_.proposal;
  std::optional<Error> unknown;  // of an attempt that may yet be applied
  Error last{.code = ErrorCode::kTimeout, .message = {}};
  Attempts attempts(deadline, limits_);
  while (client_.Now() < deadline) {
    const Result<void> proposed = client_.SyncPropose(*session_, message, attempts.Next(client_));
    if (proposed) {
      session_->ProposalCompleted();
      return {};
    }
    last = proposed.error();
    if (last.outcome() == Outcome::kUnknown) unknown = last;
    if (!last.retryable()) break;
    client_.Pause(limits_.pause);
  }
  // A series whose outcome is open is never used for another message.
  if (unknown) given_up_ = session_;
  if (unknown || last.code == ErrorCode::kSessionExpired) session_.reset();
  if (unknown) return std::unexpected(*unknown);
  return std::unexpected(last);
}

}  // namespace helloworld
