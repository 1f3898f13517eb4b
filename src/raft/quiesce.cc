// SPDX-License-Identifier: Apache-2.0
#include "raft/quiesce.h"

namespace drumbeat::raft {

bool Quiescence::Tick(bool may_sleep) {
  if (!enabled_) return false;
  ++now_;
  if (asleep_ || !may_sleep || now_ - last_activity_ <= idle_ticks_) return false;
  return FallAsleep();
}

bool Quiescence::OnNotice(bool may_sleep) {
  if (!enabled_ || asleep_ || !may_sleep || now_ - woke_at_ <= idle_ticks_) return false;
  return FallAsleep();
}

bool Quiescence::OnActivity() {
  last_activity_ = now_;
  if (!asleep_) return false;
  asleep_ = false;
  woke_at_ = now_;
  return true;
}

bool Quiescence::OnPlainHeartbeat() {
  if (!asleep_ || now_ - slept_at_ < nap_ticks_) return false;
  return OnActivity();
}

bool Quiescence::FallAsleep() {
  asleep_ = true;
  slept_at_ = now_;
  return true;
}

}  // namespace drumbeat::raft
