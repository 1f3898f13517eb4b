// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <memory>
#include <ostream>
#include <string>

#include "drumbeat/error.h"

#include "storage/rocksdb_stores.h"

namespace drumbeat::storage {

/// A place where stores lie and can be opened again and again.
class StoreHarness {
 public:
  virtual ~StoreHarness() = default;
  virtual Result<Stores> Open() = 0;
  /// What an unclean end leaves: nothing that was not synced, where the place can tell.
  virtual void Crash() = 0;
};

/// One implementation to run a contract against.
struct StoreKind {
  std::string name;
  std::function<std::unique_ptr<StoreHarness>()> make;

  friend void PrintTo(const StoreKind& kind, std::ostream* out) { *out << kind.name; }
};

}  // namespace drumbeat::storage
