// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "storage/kv.h"

namespace drumbeat::storage {

/// Hands everything on; for tests that change one function of it.
class ForwardingKv : public Kv {
 public:
  explicit ForwardingKv(std::unique_ptr<Kv> kv) : kv_(std::move(kv)) {}

  std::unique_ptr<KvBatch> NewBatch() override { return kv_->NewBatch(); }
  Result<void> Write(KvBatch& batch) override { return kv_->Write(batch); }
  Result<std::optional<base::Bytes>> Get(Space space, std::string_view key) override {
    return kv_->Get(space, key);
  }
  std::unique_ptr<KvCursor> Scan(Space space, const KeyRange& range) override {
    return kv_->Scan(space, range);
  }
  Result<std::optional<std::string>> LastKey(Space space, const KeyRange& range) override {
    return kv_->LastKey(space, range);
  }
  Result<std::unique_ptr<KvBulk>> NewBulk() override { return kv_->NewBulk(); }
  std::vector<std::string> RunKeys(const KeyRange& range) override { return kv_->RunKeys(range); }
  Result<void> Drop(Space space, const KeyRange& range) override { return kv_->Drop(space, range); }
  const std::string& name() const override { return kv_->name(); }

 private:
  const std::unique_ptr<Kv> kv_;
};

}  // namespace drumbeat::storage
